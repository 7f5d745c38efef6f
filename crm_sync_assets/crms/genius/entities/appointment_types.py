"""Table `appointment_type`: kinds of appointment.

No column says when a row changed.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import boolean, integer, text
from crm_sync_assets.declarations.entity import Entity

APPOINTMENT_TYPES = Entity(
    "genius.appointment_types",
    about="Kinds of appointment.",
    source=Table("appointment_type", modified=None),
    table="genius_appointment_type",
    columns=(
        integer("id", key=True),
        text("label"),
        boolean("is_active", default=True),
    ),
    tombstones="found",
)
