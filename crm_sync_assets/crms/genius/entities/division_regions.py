"""Table `division_region`: regions that divisions belong to.

No column says when a row changed.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import boolean, integer, text
from crm_sync_assets.declarations.entity import Entity

DIVISION_REGIONS = Entity(
    "genius.division_regions",
    about="Regions that divisions belong to.",
    source=Table("division_region", modified=None),
    table="genius_division_region",
    columns=(
        integer("id", key=True),
        text("name"),
        boolean("is_active", default=True),
    ),
    tombstones="found",
)
