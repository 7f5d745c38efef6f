"""Leads, made of events.

A lead is no record here: each step of a flow that handles it makes an event, with the lead as it
was then. That of its source has its fields; what comes later, as a return or a conversion, is
`feedback`, and has the outcome that holds from then on. Nothing is changed or deleted in place, and
events expire.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from crm_sync_assets.clients.rest.delta import Since
from crm_sync_assets.clients.rest.source import Rest, Sweep
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.crms.leadconduit.paging import AfterSecond
from crm_sync_assets.declarations.columns import (
    At,
    each,
    email,
    json,
    phone,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity, Record

WANTED = "crm_sync_wanted"
"""In a record: of which type the events are that its list was asked for."""


def events_of(event: Record) -> Iterator[Record]:
    """The event, where it is of the type that was asked for: the filter may be ignored."""
    if event.get("type") == event[WANTED]:
        yield {name: value for name, value in event.items() if name != WANTED}


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


def submitted(event: Record) -> Any:
    """When the lead was sent, or when work on it began."""
    return at(event, "vars.submission.timestamp") or event.get("start_timestamp")


def event(record: Record) -> Any:
    """The whole event."""
    return record


# A delta reads the last two hours before the watermark again. One that would begin before what is
# kept reads everything that is left, and says so; rows of what has expired stay.
LEADS = Entity(
    "leadconduit.leads",
    about="Leads as their flows received them, with their newest outcome.",
    source=Rest(
        "/events",
        params={"sort": "asc"},
        paging=AfterSecond("after_id", "limit", 1_000),
        delta=Since("start", "end"),
        modified="end_timestamp",
        sweeps=tuple(
            Sweep(name, ask={"type": name}, marks={WANTED: name}) for name in ("source", "feedback")
        ),
        explode=events_of,
    ),
    table="leadconduit_lead",
    columns=(
        text("lead_id", at="vars.lead.id", key=True),
        text("event_id", at="id", default="", about="of the newest event"),
        timestamp("event_at", at="end_timestamp", about="when the newest event ended"),
        *each(text, "first_name last_name", spelled=of_lead, sensitive=True),
        email("email", at=of_lead("email")),
        phone("phone", at=of_lead("phone_1")),
        text("address", at=of_lead("address_1"), sensitive=True),
        *each(text, "city state country", spelled=of_lead),
        text("zip_code", at=of_lead("postal_code")),
        text("flow_name", at="vars.flow.name"),
        text("source_name", at="vars.source.name"),
        *each(text, "outcome reason"),
        timestamp("submitted_utc", at=submitted),
        *each(text, "note_hge owner_hge ownerid_hge salesrabbit_lead_id_hge", spelled=of_lead),
        email("owneremail_hge", at=of_lead("owneremail_hge")),
        json("phone_metadata", at=parts("phone_1"), default={}, sensitive=True),
        json("email_metadata", at=parts("email"), default={}, sensitive=True),
        json(
            "address_metadata",
            at=parts("address_1", "postal_code", "state"),
            default={},
            sensitive=True,
        ),
        json("lead_data", at="vars.lead", default={}, sensitive=True),
        json("raw_data", at=event, default={}, sensitive=True, about="the whole event"),
    ),
    indexes=("event_id", "email", "submitted_utc"),
    absent="kept",
    feed_keeps=timedelta(days=90),
)
