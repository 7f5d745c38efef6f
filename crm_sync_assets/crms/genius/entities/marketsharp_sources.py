"""Table `marketsharp_source`: lead sources as MarketSharp names them.

Rows without `updated_at` occur.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

MARKETSHARP_SOURCES = Entity(
    "genius.marketsharp_sources",
    about="Lead sources as MarketSharp names them.",
    source=Table("marketsharp_source"),
    table="genius_marketsharp_source",
    columns=(
        integer("id", key=True),
        *each(text, "marketsharp_id source_name", default=""),
        integer("inactive", default=0),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
