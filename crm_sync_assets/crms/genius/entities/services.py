"""Table `service`: what is sold: the kinds of work a job can be.

An id of 0 is a row like any other.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

SERVICES = Entity(
    "genius.services",
    about="What is sold: the kinds of work a job can be.",
    source=Table("service"),
    table="genius_service",
    columns=(
        integer("id", key=True),
        text("label"),
        boolean("is_active", default=True),
        boolean("is_lead_required", default=False),
        integer("order_number", default=0),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
