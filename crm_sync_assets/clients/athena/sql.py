"""The statements that Athena is asked with: one per reading, every name and value quoted.

https://docs.aws.amazon.com/athena/latest/ug/select.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

MOST_BYTES: Final = 262_144
"""Of one statement."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def is_name(text: str) -> bool:
    """Whether it can be the name of a database, a table or a column."""
    return _NAME.fullmatch(text) is not None


def identifier(name: str) -> str:
    """A name in quotation marks. Raises ValueError for what is none."""
    if not is_name(name):
        raise ValueError(f"{name!r} is no name of a database, a table or a column")
    return f'"{name}"'


def literal(text: str) -> str:
    """A text as a value."""
    return "'" + text.replace("'", "''") + "'"


def moment(at: datetime) -> str:
    """A moment as a value, in UTC, cut to the millisecond."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"TIMESTAMP '{utc.isoformat(' ', 'milliseconds')}'"


@dataclass(frozen=True, slots=True)
class Select:
    """Columns of a table, in the order of their change and then of their key.

    `spelled` has what a column is called in the table, where that is not our name. A window begins
    at `since` and ends before `until`; what does not say when it changed is in none. `among` are
    values of one column: only rows that have one of them. `most` is how many rows are wanted.
    """

    database: str
    table: str
    columns: tuple[str, ...]
    modified: str | None = None
    key: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    among: tuple[str, Sequence[str]] | None = None
    most: int | None = None
    spelled: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [
            f"SELECT {', '.join(map(self._selected, self.columns))}",
            f"FROM {identifier(self.database)}.{identifier(self.table)}",
        ]
        if conditions := self._conditions():
            parts.append(f"WHERE {' AND '.join(conditions)}")
        order = [f"{identifier(self.modified)} NULLS FIRST"] if self.modified else []
        order += [identifier(name) for name in self.key if name != self.modified]
        if order:
            parts.append(f"ORDER BY {', '.join(order)}")
        if self.most is not None:
            parts.append(f"LIMIT {self.most}")
        return " ".join(parts)

    def _there(self, name: str) -> str:
        return identifier(self.spelled.get(name, name))

    def _selected(self, name: str) -> str:
        there, ours = self._there(name), identifier(name)
        return there if there == ours else f"{there} AS {ours}"

    def _conditions(self) -> list[str]:
        found = []
        if self.modified is not None and self.since is not None:
            # To the millisecond, as it is written; a row of that very one belongs to it.
            found.append(f"{self._there(self.modified)} >= {moment(self.since)}")
        if self.modified is not None and self.until is not None:
            until = self.until + timedelta(microseconds=999)
            found.append(f"{self._there(self.modified)} < {moment(until)}")
        if self.among is not None:
            name, values = self.among
            found.append(f"{self._there(name)} IN ({', '.join(map(literal, values))})")
        return found
