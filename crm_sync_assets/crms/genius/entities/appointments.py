"""Table `appointment`: visits to prospects: when, where, with whom, and how each ended.

`time` and `duration` are MySQL TIME, which may be negative or longer than a day. A length of time
stays what it is; a time of day that is none becomes NULL, and the row says so. A third party's id
is kept only where that party is HubSpot.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK, hubspot_id, third_party_of
from crm_sync_assets.declarations.columns import (
    date,
    each,
    email,
    integer,
    interval,
    object_id,
    state,
    text,
    time,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

APPOINTMENTS = Entity(
    "genius.appointments",
    about="Visits to prospects: when, where, with whom, and how each ended.",
    source=Table("appointment", joins=third_party_of("appointment")),
    table="genius_appointment",
    columns=(
        integer("id", key=True),
        *each(
            integer,
            """
            prospect_id prospect_source_id user_id type_id add_user_id confirm_user_id
            complete_outcome_id complete_user_id
            """,
        ),
        date("date"),
        time("time"),
        interval("duration"),
        *each(text, "address1 address2 confirm_with", sensitive=True),
        *each(text, "city notes marketsharp_id marketsharp_appt_type leap_estimate_id"),
        state("state"),
        zip_code("zip"),
        email("email"),
        *each(integer, "spouses_present is_complete marketing_task_id", default=0),
        object_id("hubspot_appointment_id", at=hubspot_id),
        *each(timestamp, "add_date assign_date confirm_date complete_date updated_at"),
    ),
    indexes=("prospect_id", "user_id", "date", "hubspot_appointment_id", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"type_id": "appointment_types.id", "complete_outcome_id": "appointment_outcomes.id"},
)
