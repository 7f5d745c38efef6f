"""Types of products."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, guid, integer, text
from crm_sync_assets.declarations.entity import Entity

PRODUCT_TYPES = Entity(
    "marketsharp.product_types",
    about="Types of products.",
    source=undated("ProductTypes"),
    table="marketsharp_product_type",
    columns=(
        guid("id", key=True),
        text("name", default="Unnamed Product Type"),
        boolean("is_active", at="isactive", default=True),
        integer("company_id", at="companyid"),
    ),
)
