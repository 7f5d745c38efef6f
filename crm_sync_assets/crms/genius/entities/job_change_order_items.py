"""Table `job_change_order_item`: lines of change orders."""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import decimal, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

JOB_CHANGE_ORDER_ITEMS = Entity(
    "genius.job_change_order_items",
    about="Lines of change orders.",
    source=Table("job_change_order_item"),
    table="genius_job_change_order_item",
    columns=(
        integer("id", key=True),
        integer("change_order_id"),
        text("description"),
        decimal("amount"),
        *each(timestamp, "created_at updated_at"),
    ),
    indexes=("change_order_id",),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
