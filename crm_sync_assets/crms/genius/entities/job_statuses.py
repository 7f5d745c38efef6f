"""Table `job_status`: stages a job goes through.

No column says when a row changed.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.entity import Entity

JOB_STATUSES = Entity(
    "genius.job_statuses",
    about="Stages a job goes through.",
    source=Table("job_status", modified=None),
    table="genius_job_status",
    columns=(
        integer("id", key=True),
        text("label"),
        integer("is_system", default=0),
    ),
    tombstones="found",
)
