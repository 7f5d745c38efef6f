"""Products that inquiries are about."""

from __future__ import annotations

from decimal import Decimal

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import boolean, decimal, each, guid, timestamp
from crm_sync_assets.declarations.entity import Entity

PRODUCT_INTERESTS = Entity(
    "marketsharp.product_interests",
    about="Products that inquiries are about.",
    source=dated("ProductInterests"),
    table="marketsharp_product_interest",
    columns=(
        guid("id", key=True),
        *each(guid, "inquiry_id product_type_id product_detail_id", spelled=joined),
        decimal("price_quoted", at="pricequoted", default=Decimal(0)),
        boolean("is_active", at="isactive", default=True),
        timestamp("last_update", at="lastupdate"),
    ),
    indexes=("last_update", "inquiry_id"),
    clock_steps_back=STEP_BACK,
)
