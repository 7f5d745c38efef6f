"""SOQL, written: moments without quotation marks, texts with theirs escaped.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one object; `where` are conditions that all have to hold."""

    fields: tuple[str, ...]
    of: str
    where: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int | None = None

    def __str__(self) -> str:
        text = f"SELECT {', '.join(self.fields)} FROM {self.of}"  # noqa: S608  values are escaped
        if self.where:
            text += f" WHERE {' AND '.join(self.where)}"
        if self.order:
            text += f" ORDER BY {', '.join(f'{field} ASC' for field in self.order)}"
        return text if self.limit is None else f"{text} LIMIT {self.limit}"

    def of_fields(self, fields: Sequence[str]) -> Query:
        """The same rows, with other fields of them."""
        return replace(self, fields=tuple(fields))

    @property
    def counting(self) -> Query:
        """How many rows it has."""
        return replace(self, fields=("COUNT()",), order=(), limit=None)


def moment(at: datetime) -> str:
    """A moment in a condition, to the millisecond, which is all that Salesforce keeps."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def text(value: str) -> str:
    """A text in a condition."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def among(field: str, values: Iterable[str]) -> str:
    """The condition that a field has one of these values."""
    return f"{field} IN ({', '.join(map(text, values))})"


def within(field: str, since: datetime | None, until: datetime | None) -> tuple[str, ...]:
    """The conditions of a window: from `since` on, and before `until`; None leaves an end open."""
    found = [f"{field} >= {moment(since)}"] if since is not None else []
    return (*found, f"{field} < {moment(until)}") if until is not None else tuple(found)


def after(field: str, at: str, key: str) -> tuple[str, ...]:
    """The conditions of what comes after a row, in the order of a moment and then of the Id.

    `at` is the row's moment as `moment` writes it; no `key` is before any row of that moment.
    """
    if not key:
        return (f"{field} >= {at}",)
    # The first says what the second says too, and is what an index can be asked for.
    return (f"{field} >= {at}", f"({field} > {at} OR ({field} = {at} AND Id > {text(key)}))")
