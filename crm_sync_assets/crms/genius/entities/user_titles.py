"""Table `user_title`: job titles, and the roles that come with them."""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

USER_TITLES = Entity(
    "genius.user_titles",
    about="Job titles, and the roles that come with them.",
    source=Table("user_title"),
    table="genius_user_title",
    columns=(
        integer("id", key=True),
        *each(text, "title abbreviation roles"),
        *each(integer, "type_id sort", default=0),
        *each(integer, "section_id pay_component_group_id"),
        boolean("is_active", default=True),
        boolean("is_unique_per_division", default=False),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
