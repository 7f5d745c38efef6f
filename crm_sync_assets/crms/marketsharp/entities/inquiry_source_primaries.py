"""Where inquiries come from."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, guid, integer, text
from crm_sync_assets.declarations.entity import Entity

INQUIRY_SOURCE_PRIMARIES = Entity(
    "marketsharp.inquiry_source_primaries",
    about="Where inquiries come from.",
    source=undated("InquirySourcePrimaries"),
    table="marketsharp_inquiry_source_primary",
    columns=(
        guid("id", key=True),
        text("name"),
        boolean("is_active", at="isactive", default=True),
        integer("company_id", at="companyid"),
    ),
)
