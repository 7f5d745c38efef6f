"""Products. https://developers.pipedrive.com/docs/api/v1/Products

The list filters by `update_time` from a moment on, not to one: the delta can be trusted, and a
window reads to the end. No list shows what was deleted: a full read asks for what it did not meet.
"""

from __future__ import annotations

from crm_sync_assets.crms.pipedrive.entities.shared import COMMON, ID
from crm_sync_assets.crms.pipedrive.sources import CHANGED_SINCE, PAGE, v2
from crm_sync_assets.declarations.columns import boolean, decimal, each, integer, json, text
from crm_sync_assets.declarations.entity import Entity, Resweep

PRODUCTS = Entity(
    "pipedrive.products",
    about="What is sold, and at which prices.",
    source=v2(
        "products", delta=CHANGED_SINCE, page=f"{PAGE}product/{{id}}", list_page=f"{PAGE}products"
    ),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_product",
    columns=(
        ID,
        *each(text, "name code unit description category billing_frequency"),
        decimal("tax"),
        *each(integer, "billing_frequency_cycles visible_to owner_id"),
        boolean("is_linkable"),
        json("prices"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id"),
)
