"""Values of a company's own fields of contacts."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import guid, text
from crm_sync_assets.declarations.entity import Entity

CUSTOM_FIELDS = Entity(
    "marketsharp.custom_fields",
    about="Values of a company's own fields of contacts.",
    source=undated("CustomFields"),
    table="marketsharp_custom_field",
    columns=(
        guid("id", key=True),
        text("name", default=""),
        text("value", sensitive=True),
        guid("contact_id", at="contactid"),
    ),
    indexes=("contact_id",),
)
