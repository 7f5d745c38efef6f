"""Table `appointment_outcome_type`: groups of appointment outcomes.

There is an `updated_at`, but nobody has relied on it; a table this small is read whole.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

APPOINTMENT_OUTCOME_TYPES = Entity(
    "genius.appointment_outcome_types",
    about="Groups of appointment outcomes.",
    source=Table("appointment_outcome_type", modified=None),
    table="genius_appointment_outcome_type",
    columns=(
        integer("id", key=True),
        text("label"),
        integer("sort_idx"),
        boolean("is_active", default=True),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
)
