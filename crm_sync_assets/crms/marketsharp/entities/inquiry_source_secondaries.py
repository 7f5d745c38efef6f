"""Where inquiries come from, more closely."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, guid, integer, text
from crm_sync_assets.declarations.entity import Entity

INQUIRY_SOURCE_SECONDARIES = Entity(
    "marketsharp.inquiry_source_secondaries",
    about="Where inquiries come from, more closely.",
    source=undated("InquirySourceSecondaries"),
    table="marketsharp_inquiry_source_secondary",
    columns=(
        guid("id", key=True),
        guid("inquiry_source_primary_id", at="inquirysourceprimaryid"),
        text("name"),
        boolean("is_active", at="isactive", default=True),
        integer("company_id", at="companyid"),
    ),
)
