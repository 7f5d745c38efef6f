"""Leads.

An address is told beside the lead's own fields, or in an object `address`; where the place is not
known, its coordinates are 0.
"""

from __future__ import annotations

import json as text_of
from typing import Any

from crm_sync_assets.clients.rest.overlapping import Overlapping
from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.crms.salesrabbit.sources import (
    MOST,
    PAGE,
    SIZE,
    SWEEPS,
    everything,
    listed,
)
from crm_sync_assets.declarations.columns import (
    At,
    camel,
    date,
    decimal,
    each,
    email,
    integer,
    json,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity, Record, Resweep


def placed(name: str, parent: str = "address") -> At:
    """The lead's own field, else that of the object; 0 is no coordinate."""

    def get(record: Record) -> Any:
        found = record.get(name)
        found = at(record, f"{parent}.{name}") if found in (None, "") else found
        return None if parent == "coordinates" and found in (0, "0", "0.0") else found

    get.__name__ = f"{parent}_{name}"
    return get


def appointment(record: Record) -> Any:
    """As text: it is an object, a text or nothing."""
    found = record.get("appointment")
    return text_of.dumps(found) if isinstance(found, (dict, list)) else found


def is_deleted(record: Record) -> bool:
    """Whether the lead says so itself."""
    return bool(record.get("deletedAt"))


# A change of the owner or of custom fields perhaps dates nothing: those are found weekly, by
# reading everything. A lead that is listed no more is asked for by its id before it is taken for
# deleted.
LEADS = Entity(
    "salesrabbit.leads",
    about="Leads: doors that were knocked at, and what came of it.",
    source=listed(
        "/leads",
        # Oldest first, so that an edit moves nothing.
        params={"sortBy": "dateCreated", "order": "asc"},
        paging=Overlapping(PAGE, SIZE, MOST, more="meta.morePages"),
        sweeps=SWEEPS,
        gone=is_deleted,
        one=One("/leads/{id}", record="data"),
        page="https://app.salesrabbit.com/leads/{id}",
    ),
    table="salesrabbit_lead",
    columns=(
        integer("id", key=True),
        *each(text, "first_name last_name business_name", spelled=camel, sensitive=True),
        *each(text, "street1 street2", spelled=placed, sensitive=True),
        text("user_name", at="userName"),
        email("email"),
        *each(phone, "phone_primary phone_alternate", spelled=camel),
        zip_code("zip", at=placed("zip")),
        *each(text, "city country", spelled=placed),
        text("status"),
        state("state", at=placed("state")),
        *(
            decimal(name, at=placed(name, "coordinates"), sensitive=True)
            for name in ("latitude", "longitude")
        ),
        *each(
            timestamp, "status_modified date_created date_modified owner_modified", spelled=camel
        ),
        text("notes", sensitive=True),
        text("appointment", at=appointment, sensitive=True),
        json("files"),
        json("custom_fields", at="customFields", sensitive=True),
        *each(integer, "campaign_id user_id", spelled=camel),
        date("date_of_birth", at="dateOfBirth", sensitive=True),
        json("data", at=everything, default={}, sensitive=True, about="the whole record"),
    ),
    indexes=("date_modified", "email", "status", "campaign_id", "user_id"),
    resweeps=(Resweep("weekly"),),
)
