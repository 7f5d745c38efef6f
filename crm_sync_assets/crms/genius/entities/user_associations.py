"""Table `users_userassociations`: which accounts belong to one person.

Genius has no column for three of these; they stay empty until it has.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

USER_ASSOCIATIONS = Entity(
    "genius.user_associations",
    about="Which accounts belong to one person.",
    source=Table("users_userassociations"),
    table="genius_user_association",
    columns=(
        integer("id", key=True),
        *each(integer, "definition_id division_id"),
        integer("user_id", at="primary_user_id"),
        text("field_value"),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
