"""Table `appointment_to_service`: which services an appointment is about.

The key is the pair. Zero dates occur in both timestamps.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, timestamp
from crm_sync_assets.declarations.entity import Entity

APPOINTMENT_SERVICES = Entity(
    "genius.appointment_services",
    about="Which services an appointment is about.",
    source=Table("appointment_to_service"),
    table="genius_appointment_service",
    columns=(
        integer("appointment_id", key=True),
        integer("service_id", key=True),
        *each(timestamp, "created_at updated_at"),
    ),
    indexes=("service_id",),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
