"""Table `job_change_order_reason`: why a change order was made.

No column says when a row changed. Genius spells the key `Id`.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.columns import each, integer, text
from crm_sync_assets.declarations.entity import Entity

JOB_CHANGE_ORDER_REASONS = Entity(
    "genius.job_change_order_reasons",
    about="Why a change order was made.",
    source=Table("job_change_order_reason", modified=None),
    table="genius_job_change_order_reason",
    columns=(
        integer("id", key=True),
        *each(text, "label description"),
    ),
    tombstones="found",
)
