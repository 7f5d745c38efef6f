"""Which status each lead had, and since when.

A page is an object: by the lead's id, its entries. An entry's id may be that of the status, which a
lead can have twice, so its moment is a part of the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from crm_sync_assets.clients.rest.paging import Numbered
from crm_sync_assets.crms.salesrabbit.sources import MOST, PAGE, SIZE, SWEEPS, everything, listed
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import (
    boolean,
    camel,
    each,
    integer,
    json,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity, Record, Resweep


def entries_of(history: Record) -> Iterator[Any]:
    """Each entry with its lead and a key; what is none is passed on, to be set aside."""
    held = history["held"]
    for entry in held if isinstance(held, list) else [held]:
        if not isinstance(entry, dict):
            yield entry
            continue
        name = f"{entry.get('id') or ''}-{_moment(entry.get('statusUpdated')) or ''}"
        yield {**entry, "leadId": history["leadId"], "entry": name}


def _moment(sent: Any) -> Any:
    """In UTC, in whichever zone it is told."""
    try:
        moment = parsing.timestamp(sent)
    except ValueError:
        return sent
    return moment and f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# Entries are added and never change; they are listed as long as their lead is.
STATUS_HISTORIES = Entity(
    "salesrabbit.status_histories",
    about="The statuses that leads have had, one after the other.",
    source=listed(
        "/leadStatusHistories",
        keyed="leadId",
        id="leadId",
        paging=Numbered(PAGE, SIZE, MOST, repeats="leadId"),
        # An entry also says when its lead changed.
        sweeps=SWEEPS,
        explode=entries_of,
        modified="statusUpdated",
    ),
    table="salesrabbit_status_history",
    columns=(
        integer("lead_id", key=True, at="leadId"),
        text("entry", key=True, about="of the entry's id and its moment"),
        integer("status_id", at="id"),
        *each(text, "name abbreviation"),
        boolean("active"),
        integer("changed_by_user_id", at="changedByUserId"),
        *each(timestamp, "status_updated lead_created lead_modified", spelled=camel),
        json("data", at=everything, default={}, about="the whole entry"),
    ),
    indexes=("status_updated",),
    resweeps=(Resweep("weekly"),),
)
