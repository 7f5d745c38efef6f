"""Leads, made of events.

A lead is no record here: each step of a flow that handles it makes an event, with the lead as it
was then. That of its source has its fields; what comes later, as a return or a conversion, is
`feedback`, and has the outcome that holds from then on. Nothing is changed or deleted in place, and
events expire.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.delta import Since
from crm_sync_assets.clients.rest.source import Rest, Sweep
from crm_sync_assets.crms.leadconduit.events import (
    TYPES,
    of_lead,
    of_leads,
    parts,
    recorded,
    submitted,
    told,
    whole,
)
from crm_sync_assets.crms.leadconduit.paging import AfterSecond
from crm_sync_assets.declarations.columns import each, email, json, phone, text, timestamp
from crm_sync_assets.declarations.entity import Entity, Part

# A delta reads the last two hours before the watermark again. One that would begin before what is
# kept reads everything that is left, and fails: see the setting keeps_days. Rows of what has
# expired stay.
LEADS = Entity(
    "leadconduit.leads",
    about="Leads as their flows received them, with their newest outcome.",
    source=Rest(
        "/events",
        params={"sort": "asc"},
        paging=AfterSecond("after_id", "limit", 1_000),
        delta=Since("start", "end"),
        modified="recorded()",
        sweeps=tuple(Sweep(name) for name in TYPES),
        explode=of_leads,
    ),
    table="leadconduit_lead",
    columns=(
        text("lead_id", at="vars.lead.id", key=True),
        text("event_id", at="id", default="", about="of the newest event of its source"),
        timestamp("event_at", at=told, about="when that was recorded; 1970: not known yet"),
        *each(text, "first_name last_name", spelled=of_lead, sensitive=True),
        email("email", at=of_lead("email")),
        phone("phone", at=of_lead("phone_1")),
        text("address", at=of_lead("address_1"), sensitive=True),
        *each(text, "city state country", spelled=of_lead),
        text("zip_code", at=of_lead("postal_code")),
        text("flow_name", at="vars.flow.name"),
        text("source_name", at="vars.source.name"),
        *each(text, "outcome reason"),
        text("outcome_event_id", at="id", about="of the newest event"),
        timestamp("outcome_at", at=recorded, about="when that was recorded"),
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
        json("raw_data", at=whole, default={}, sensitive=True, about="the whole event"),
    ),
    parts=(
        Part(("outcome_at", "outcome_event_id"), ("outcome", "reason")),
        Part(("event_at", "event_id")),
    ),
    indexes=("event_id", "email", "submitted_utc"),
    absent="kept",
)
