"""Table `quote`: what was offered to a prospect, and for how much.

0 stands for no row in most references; prospect 0 and service 0 exist.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK, ZERO
from crm_sync_assets.declarations.columns import (
    date,
    decimal,
    each,
    integer,
    reference,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

QUOTES = Entity(
    "genius.quotes",
    about="What was offered to a prospect, and for how much.",
    source=Table("quote"),
    table="genius_quote",
    columns=(
        integer("id", key=True),
        *each(integer, "prospect_id service_id"),
        *each(
            reference,
            """
            appointment_id job_id client_cid contract_file_id estimate_file_id add_user_id
            """,
        ),
        *each(text, "label description"),
        decimal("amount", default=ZERO),
        date("expire_date"),
        integer("status_id", default=1),
        *each(timestamp, "add_date updated_at"),
    ),
    indexes=("prospect_id", "appointment_id", "job_id"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
