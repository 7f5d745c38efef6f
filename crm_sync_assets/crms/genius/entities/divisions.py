"""Table `division`: divisions of the company.

`group_id` is a row of division_groups, `region_id` one of division_regions.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

DIVISIONS = Entity(
    "genius.divisions",
    about="Divisions of the company.",
    source=Table("division"),
    table="genius_division",
    columns=(
        integer("id", key=True),
        *each(integer, "group_id region_id account_scheduler_id"),
        *each(text, "label abbreviation"),
        *each(boolean, "is_utility is_corp is_omniscient", default=False),
        integer("is_inactive", default=0),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"group_id": "division_groups.id", "region_id": "division_regions.id"},
)
