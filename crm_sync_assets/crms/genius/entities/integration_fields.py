"""Table `integration_field`: what integrations keep about users and divisions.

`definition_id` is a row of integration_field_definitions.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

INTEGRATION_FIELDS = Entity(
    "genius.integration_fields",
    about="What integrations keep about users and divisions.",
    source=Table("integration_field"),
    table="genius_integration_field",
    columns=(
        integer("id", key=True),
        *each(integer, "definition_id user_id division_id"),
        text("field_value"),
        *each(timestamp, "created_at updated_at"),
    ),
    indexes=("user_id", "division_id"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={"definition_id": "integration_field_definitions.id"},
)
