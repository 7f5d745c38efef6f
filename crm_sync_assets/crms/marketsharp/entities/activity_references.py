"""Kinds of activities."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import dated
from crm_sync_assets.declarations.columns import boolean, each, guid, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

ACTIVITY_REFERENCES = Entity(
    "marketsharp.activity_references",
    about="Kinds of activities.",
    source=dated("ActivityReferences", "lastUpdateUtc"),
    table="marketsharp_activity_reference",
    columns=(
        integer("id", key=True),
        integer("company_id", at="companyid"),
        *each(text, "name created_by", spelled=joined, default=""),
        *each(
            boolean,
            "inquiry_required appointment_required is_active",
            spelled=joined,
            default=False,
        ),
        *each(timestamp, "created_date_utc last_update_utc", spelled=joined),
        guid("last_update_by", at="lastupdateby"),
    ),
    indexes=("last_update_utc",),
)
