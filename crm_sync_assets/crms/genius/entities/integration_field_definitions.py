"""Table `integration_field_definition`.

No column says when a row changed. `integration_id` names a table that is not read.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import boolean, each, integer, text
from crm_sync_assets.declarations.entity import Entity

INTEGRATION_FIELD_DEFINITIONS = Entity(
    "genius.integration_field_definitions",
    about="Fields that integrations keep about users and divisions.",
    source=Table("integration_field_definition", modified=None),
    table="genius_integration_field_definition",
    columns=(
        integer("id", key=True),
        integer("integration_id"),
        *each(text, "label key_name hint input_type"),
        *each(boolean, "is_user is_division", default=False),
    ),
    tombstones="found",
)
