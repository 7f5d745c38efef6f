"""What an event says: of its lead, and of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.columns import At
from crm_sync_assets.declarations.entity import UNDATED, Record
from crm_sync_assets.declarations.parsing import timestamp

TYPES: Final = ("source", "feedback")
"""Of all events those that say what a lead is, and what came of it."""

_SECOND: Final = re.compile(r"[0-9a-f]{8}(?=[0-9a-f]{16}$)")
_LAST: Final = timedelta(microseconds=999_999)


def of_leads(event: Record) -> Iterator[Record]:
    """The event, where it is of such a type: the list may hold others."""
    if event.get("type") in TYPES:
        yield event


def recorded(event: Record) -> datetime:
    """When the event was recorded: its id begins with the second.

    Ids of one second are in no order, so the fraction is made to say which of its events ended
    later: all of it for one that ended with the second, a microsecond less for each millisecond
    before. An event with another kind of id was recorded when it ended. Raises ValueError for one
    that says neither.
    """
    ended = timestamp(event.get("end_timestamp") or event.get("start_timestamp"))
    begins = _SECOND.match(str(event.get("id")))
    if begins is None:
        if ended is None:
            raise ValueError("neither its id nor its end says when it was recorded")
        return ended
    second = datetime.fromtimestamp(int(begins[0], 16), UTC)
    if ended is None:
        return second
    before = max(second + timedelta(seconds=1) - ended, timedelta(0)) / 1_000
    return second + max(_LAST - before, timedelta(0))


def told(event: Record) -> datetime | None:
    """Which of a lead's events has the newest fields: those of its source do, then any that has."""
    if event.get("type") == "source":
        return recorded(event)
    lead = at(event, "vars.lead")
    return UNDATED if isinstance(lead, dict) and lead.keys() - {"id"} else None


def submitted(event: Record) -> Any:
    """When the lead was sent, or when work on it began."""
    return at(event, "vars.submission.timestamp") or event.get("start_timestamp")


def whole(event: Record) -> Any:
    """The whole event."""
    return event


def of_lead(name: str) -> At:
    """A field of the lead: of a typed value its normal form, else as it was sent."""

    def get(event: Record) -> Any:
        value = at(event, f"vars.lead.{name}")
        if not isinstance(value, dict):
            return value
        return value.get("raw") if value.get("normal") in (None, "") else value["normal"]

    get.__name__ = name
    return get


def parts(*names: str) -> At:
    """The typed values of these fields, with their parts; of a single one itself."""

    def get(event: Record) -> Any:
        typed = {name: at(event, f"vars.lead.{name}") for name in names}
        found = {name: value for name, value in typed.items() if isinstance(value, dict)}
        return found.get(names[0]) if len(names) == 1 else found

    get.__name__ = f"parts_of_{names[0]}"
    return get
