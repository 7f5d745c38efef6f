"""Table `prospect_source`: which marketing source brought a prospect, and when.

Rows without `updated_at` occur.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

PROSPECT_SOURCES = Entity(
    "genius.prospect_sources",
    about="Which marketing source brought a prospect, and when.",
    source=Table("prospect_source"),
    table="genius_prospect_source",
    columns=(
        integer("id", key=True),
        *each(integer, "prospect_id marketing_source_id add_user_id source_user_id"),
        text("notes"),
        *each(timestamp, "source_date add_date updated_at"),
    ),
    indexes=("prospect_id", "marketing_source_id"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
