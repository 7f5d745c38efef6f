"""What the log says about the fields of an entity's records: a line for each, when all are read.

Where each single value is wanted (`--debug`) it has a line of its own, up to so many of a field. A
value is shown shortened, in one line, and masked where its column is sensitive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import mask, one_line
from crm_sync_assets.rows.shape import unexpected

LOGGED_PER_FIELD = 20
"""Lines one field may write to the log where each value has one; what comes after is counted."""

SUMMED_UP = 20
"""Fields that have a line of their own at the end, those with most problems first."""

SHOWN = 100
"""Characters of a value that a log line shows."""

LONGEST_URL = 2_000
"""Characters of a record's address that a log line shows; a longer one leads nowhere."""

RECORD = "record"
"""Stands for a field where a record as a whole is meant."""

log = logger(__name__)


@dataclass(slots=True)
class _Problems:
    """How many there are of one kind, and the first of them."""

    count: int
    example: str


class FieldLog:
    """The lines about one entity's fields; `found` counts problems per field, logged or not.

    `record_url` tells where a person can look at a record, `each` whether each has its line.
    """

    def __init__(
        self, entity: Entity, record_url: Callable[[Key], str | None] | None, *, each: bool = False
    ) -> None:
        self._entity = entity
        self._record_url = record_url
        self._each = each
        self._lacks_urls = False
        self.found: Counter[str] = Counter()
        self._problems: dict[tuple[str, str], _Problems] = {}

    def url(self, key: Key) -> str | None:
        """Where a person can look at a record, if anywhere."""
        if self._record_url is None:
            return None
        try:
            return self._record_url(key)
        except Exception as error:  # noqa: BLE001  a row is worth more than its link
            if not self._lacks_urls:
                log.warning("%s: no URL for a record: %s", self._entity, unexpected(error))
            self._lacks_urls = True
            return None

    def set_aside(self, record_id: str | None, reason: str) -> None:
        """A record as a whole was refused."""
        who = None if record_id is None else one_line(_shortened(record_id))
        self._note(RECORD, "set aside", lambda: f"record {who}: {reason}")
        if self._is_wanted(RECORD):
            log.warning("%s: set aside record %s: %s", self._entity, who, reason)

    def unreadable(self, column: Column, raw: Any, word: str, key: Key) -> None:
        """A value would not parse as what `word` names."""
        named = _named(key)
        self._note(
            column.name,
            f"did not parse as {word}",
            lambda: f"record {named}: '{shown(raw, column)}'",
        )
        if self._is_wanted(column.name):
            log.warning(
                "Failed to parse %s value: '%s' in field '%s' for %s %s",
                word,
                shown(raw, column),
                column.name,
                self._entity.crm,
                named,
            )

    def warn(self, field: str, column: Column | None, value: Any, problem: str, key: Key) -> None:
        """A value was changed, or failed its check, or a business rule found something."""

        def link() -> str:
            url = self.url(key)
            return f" {one_line(url)}" if url and len(url) <= LONGEST_URL else ""

        def example() -> str:
            return f"record {_named(key)}: '{shown(value, column)}' {problem}{link()}"

        self._note(field, "", example)
        if self._is_wanted(field):
            names = [column.name for column in self._entity.key]
            parts = map(_shortened, key)
            record = ", ".join(f"{name}={part}" for name, part in zip(names, parts, strict=True))
            log.warning(
                "Validation warning for field '%s' with value '%s' (Record: %s): %s%s",
                field,
                shown(value, column),
                one_line(record),
                problem,
                link(),
            )

    def sum_up(self, records: int, *, advice: str) -> None:
        """A line for each field with problems, of so many records; `advice` where each of them is.

        What was told is not told again.
        """
        found = sorted(self._problems.items(), key=lambda one: -one[1].count)
        self._problems = {}
        for (field, what), problems in found[:SUMMED_UP]:
            log.warning(
                "%s: %s, e.g. %s",
                self._entity,
                _counted(field, what, problems.count, records),
                problems.example,
            )
        if len(found) > SUMMED_UP:
            more = sum(problems.count for _, problems in found[SUMMED_UP:])
            log.warning("%s: and %s problems of other fields", self._entity, f"{more:,}")
        if found and advice:
            log.warning("%s: %s", self._entity, advice)

    def _note(self, field: str, what: str, example: Callable[[], str]) -> None:
        self.found[field] += 1
        known = self._problems.get((field, what))
        if known is None:
            self._problems[field, what] = _Problems(1, example())
        else:
            known.count += 1

    def _is_wanted(self, field: str) -> bool:
        """Whether this one has a line of its own; the first that has none is told."""
        if self._each and self.found[field] == LOGGED_PER_FIELD + 1:
            log.warning(
                "%s: further warnings for field %s are counted, not logged", self._entity, field
            )
        return self._each and self.found[field] <= LOGGED_PER_FIELD


def _counted(field: str, what: str, number: int, records: int) -> str:
    """So many values of a field, of so many records, and what is with them."""
    if field == RECORD and what:
        return f"{number:,} of {records:,} records {'was' if number == 1 else 'were'} {what}"
    values = "value" if number == 1 else "values"
    told = f"{values} {what}" if what else f"odd {values}"
    return f"{field or RECORD}: {number:,} {told} in {records:,} record{'s' * (records != 1)}"


def _named(key: Key) -> str:
    return one_line(_shortened("/".join(key)))


def shown(value: Any, column: Column | None) -> str:
    """The value as a log line or an issue may show it."""
    try:
        text = value if isinstance(value, str) else parsing.text(value) or ""
    except (ValueError, RecursionError):
        text = f"({type(value).__name__})"
    if column is not None and column.sensitive:
        return mask(text[:1000], column.kind)
    return one_line(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
