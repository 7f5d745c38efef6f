"""Table `appointment_outcome`: how an appointment can end.

`type_id` is a row of appointment_outcome_types.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

APPOINTMENT_OUTCOMES = Entity(
    "genius.appointment_outcomes",
    about="How an appointment can end.",
    source=Table("appointment_outcome"),
    table="genius_appointment_outcome",
    columns=(
        integer("id", key=True),
        integer("type_id", default=0),
        text("label"),
        boolean("is_active", default=True),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"type_id": "appointment_outcome_types.id"},
)
