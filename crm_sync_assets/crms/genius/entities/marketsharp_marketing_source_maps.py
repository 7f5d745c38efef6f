"""Table `marketsharp_marketing_source_map`.

The key is text: MarketSharp's id. `marketing_source_id` is a row of marketing_sources.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

MARKETSHARP_MARKETING_SOURCE_MAPS = Entity(
    "genius.marketsharp_marketing_source_maps",
    about="Which marketing source a MarketSharp source stands for.",
    source=Table("marketsharp_marketing_source_map"),
    table="genius_marketsharp_marketing_source_map",
    columns=(
        text("marketsharp_id", key=True),
        integer("marketing_source_id"),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
