"""Products of each type."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, guid, integer, text
from crm_sync_assets.declarations.entity import Entity

PRODUCT_DETAILS = Entity(
    "marketsharp.product_details",
    about="Products of each type.",
    source=undated("ProductDetails"),
    table="marketsharp_product_detail",
    columns=(
        guid("id", key=True),
        guid("product_type_id", at="producttypeid"),
        text("name", default=""),
        boolean("is_active", at="isactive", default=True),
        integer("company_id", at="companyid"),
    ),
)
