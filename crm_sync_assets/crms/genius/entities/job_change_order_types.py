"""Table `job_change_order_type`: kinds of change order.

No column says when a row changed.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.entity import Entity

JOB_CHANGE_ORDER_TYPES = Entity(
    "genius.job_change_order_types",
    about="Kinds of change order.",
    source=Table("job_change_order_type", modified=None),
    table="genius_job_change_order_type",
    columns=(
        integer("id", key=True),
        text("label"),
    ),
    tombstones="found",
)
