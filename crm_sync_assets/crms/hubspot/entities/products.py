"""Products. https://developers.hubspot.com/docs/api-reference/crm-products-v3/guide

Needs the scope `e-commerce`.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import decimal, each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

PRODUCTS = Entity(
    "hubspot.products",
    about="The product library: what can be put on a deal.",
    source=Objects("products"),
    table="hubspot_product",
    columns=(
        *ID,
        *each(text, "name description hs_sku"),
        *each(decimal, "price hs_cost_of_goods_sold"),
        *each(timestamp, "createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_sku"),
    merged_ids=MERGED,
)
