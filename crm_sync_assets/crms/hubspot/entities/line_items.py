"""Line items. https://developers.hubspot.com/docs/api-reference/crm-line-items-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import decimal, each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

LINE_ITEMS = Entity(
    "hubspot.line_items",
    about="Line items: one product, its quantity and price, on one deal.",
    source=Objects("line_items"),
    table="hubspot_line_item",
    columns=(
        *ID,
        *each(text, "name hs_product_id hs_sku"),
        *each(decimal, "quantity price amount"),
        *each(timestamp, "createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_product_id"),
    merged_ids=MERGED,
)
