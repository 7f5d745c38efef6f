"""What each contact is: 1 a prospect, 2 a lead, 3 a customer."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, guid, text
from crm_sync_assets.declarations.entity import Entity

CONTACT_TYPES = Entity(
    "marketsharp.contact_types",
    about="What each contact is: 1 a prospect, 2 a lead, 3 a customer.",
    source=undated("ContactTypes"),
    table="marketsharp_contact_type",
    columns=(
        guid("id", key=True),
        guid("contact_id", at="contactid"),
        text("contact_type", at="contacttype"),
        boolean("is_active", at="isactive", default=True),
    ),
    indexes=("contact_id",),
)
