"""Table `marketing_source`: where prospects come from.

`type_id` is a row of marketing_source_types, `add_user_id` one of user_data.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, date, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

MARKETING_SOURCES = Entity(
    "genius.marketing_sources",
    about="Where prospects come from.",
    source=Table("marketing_source"),
    table="genius_marketing_source",
    columns=(
        integer("id", key=True),
        integer("type_id", default=0),
        *each(text, "label description"),
        *each(date, "start_date end_date"),
        integer("add_user_id"),
        boolean("is_active", default=True),
        boolean("is_allow_lead_modification", default=False),
        *each(timestamp, "add_date updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"type_id": "marketing_source_types.id"},
)
