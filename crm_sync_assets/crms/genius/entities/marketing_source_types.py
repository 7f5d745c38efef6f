"""Table `marketing_source_type`: groups of marketing sources.

Rows without `updated_at` occur.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

MARKETING_SOURCE_TYPES = Entity(
    "genius.marketing_source_types",
    about="Groups of marketing sources.",
    source=Table("marketing_source_type"),
    table="genius_marketing_source_type",
    columns=(
        integer("id", key=True),
        *each(text, "label description"),
        boolean("is_active", default=True),
        integer("list_order"),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
