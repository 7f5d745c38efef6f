"""How many records a list contained, in a way that a search's count can be held against it.

The search lags behind the list, so only records created before a moment are counted, which lies
as much before the list's beginning as the search may lag. What was created later, or restored
meanwhile, is brought by the next delta: it starts no later than that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_sync_assets.crms.hubspot.answers import epoch_ms, identified, numbered

CLOCK_JITTER = timedelta(seconds=10)
"""The engine reads the source's clock a little later than we do, and to the second."""

_WHOLE = "%Y-%m-%dT%H:%M:%S"


@dataclass(slots=True)
class Tally:
    """Records listed in strictly ascending order of their ids, created before a moment.

    `created` is the property that says when, `before` the moment in whole seconds, `listed` their
    number, `last` the highest id. `is_exact` is false once a record did not say when it was
    created, or came out of order or twice: then no count proves anything. `counted` is what the
    search counted when the list began; None where it was not asked.
    """

    created: str
    before: str
    listed: int = 0
    last: int = 0
    is_exact: bool = True
    counted: int | None = None

    @classmethod
    def beginning(cls, created: str, now: datetime, lag: timedelta) -> Tally:
        return cls(created, f"{now.astimezone(UTC) - lag + CLOCK_JITTER:{_WHOLE}}")

    @classmethod
    def of(cls, cursor: Mapping[str, Any] | None) -> Tally | None:
        """The tally of an interrupted list, if its cursor has one."""
        kept = (cursor or {}).get("tally")
        return None if kept is None else cls(**kept)

    def as_cursor(self) -> dict[str, Any]:
        return asdict(self)

    def begin_anew(self) -> None:
        """The list starts from its beginning once more."""
        self.listed = self.last = 0
        self.is_exact = True

    @property
    def filters(self) -> list[dict[str, str]]:
        """Of a search for the records that are counted."""
        moment = datetime.strptime(self.before, _WHOLE).replace(tzinfo=UTC)
        value = str(epoch_ms(moment))
        return [{"propertyName": self.created, "operator": "LT", "value": value}]

    def add(self, records: Sequence[Any]) -> None:
        """Count the records of the list's next page."""
        if not self.is_exact:
            return
        last, listed, before = self.last, self.listed, self.before
        for record in records:
            named, moment = identified([record]), _moment(record, self.created)
            ids = numbered(named)
            if len(ids) < len(named) or (ids and ids[0] <= last) or moment is None:
                self.is_exact = False
                return
            # One without an id is a record all the same.
            last = ids[0] if ids else last
            listed += moment < before
        self.last, self.listed = last, listed

    def proves(self, total: int) -> bool:
        """Whether the list was complete, when the search counts so many records after it."""
        return self.is_exact and self.listed == total and self.counted in (None, total)


def _moment(record: Any, name: str) -> str | None:
    """When a record was created, in UTC and whole seconds; None where it does not say."""
    properties = record.get("properties") if isinstance(record, dict) else None
    sent = properties.get(name) if isinstance(properties, dict) else None
    if not isinstance(sent, str):
        return None
    if len(sent) >= 20 and sent[10] == "T" and sent[-1] == "Z":
        return sent[:19]
    try:
        return f"{datetime.fromisoformat(sent).astimezone(UTC):{_WHOLE}}"
    except ValueError:
        return None
