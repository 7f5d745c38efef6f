"""Table `job_change_order_status`: stages a change order goes through.

No column says when a row changed.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.entity import Entity

JOB_CHANGE_ORDER_STATUSES = Entity(
    "genius.job_change_order_statuses",
    about="Stages a change order goes through.",
    source=Table("job_change_order_status", modified=None),
    table="genius_job_change_order_status",
    columns=(
        integer("id", key=True),
        text("label"),
        integer("is_selectable", default=1),
    ),
    tombstones="found",
)
