"""Statuses of inquiries."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import dated
from crm_sync_assets.declarations.columns import boolean, each, guid, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

INQUIRY_STATUSES = Entity(
    "marketsharp.inquiry_statuses",
    about="Statuses of inquiries.",
    source=dated("InquiryStatuses", "lastUpdateUtc"),
    table="marketsharp_inquiry_status",
    columns=(
        integer("id", key=True),
        integer("company_id", at="companyid"),
        *each(text, "name created_by", spelled=joined, default=""),
        boolean("is_active", at="isactive", default=True),
        guid("last_update_by", at="lastupdateby"),
        *each(timestamp, "last_update_utc created_date_utc", spelled=joined),
    ),
    indexes=("last_update_utc",),
)
