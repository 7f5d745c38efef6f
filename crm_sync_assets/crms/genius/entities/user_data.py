"""Table `user_data`: people who work with Genius.

`primary_user_id` comes from the association of accounts that belong to one person, which may
change while the user's own row does not; either counts as a change.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Join, Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    each,
    email,
    integer,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

USER_DATA = Entity(
    "genius.user_data",
    about="People who work with Genius.",
    source=Table(
        "user_data",
        joins=(
            Join(
                "users_userassociations",
                on=("id", "user_data.user_associations_id"),
                columns=(("primary_user_id", "primary_user_id"),),
                modified="updated_at",
            ),
        ),
    ),
    table="genius_userdata",
    columns=(
        integer("user_id", key=True),
        *each(
            integer,
            """
            division_id title_id manager_user_id add_user_id inactive_reason_id primary_user_id
            inactive_transfer_division_id
            """,
        ),
        *each(text, "first_name first_name_alt last_name inactive_reason_other", sensitive=True),
        *each(email, "email personal_email"),
        date("birth_date", sensitive=True),
        *each(integer, "gender_id marital_status_id", sensitive=True),
        text("time_zone_name", default=""),
        boolean("is_inactive", default=False),
        *each(timestamp, "hired_on start_date add_datetime inactive_on updated_at"),
    ),
    indexes=("division_id", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"title_id": "user_titles.id"},
)
