"""Table `job_change_order`: changes to a job after it was sold.

0 stands for no row in references to users and to the order that is adjusted.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK, ZERO
from crm_sync_assets.declarations.columns import (
    date,
    decimal,
    each,
    email,
    integer,
    reference,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

JOB_CHANGE_ORDERS = Entity(
    "genius.job_change_orders",
    about="Changes to a job after it was sold.",
    source=Table("job_change_order"),
    table="genius_job_change_order",
    columns=(
        integer("id", key=True),
        integer("job_id"),
        *each(text, "number envelope_id financing_note"),
        *each(integer, "status_id type_id", default=1),
        *each(
            reference,
            """
            adjustment_change_order_id add_user_id sold_user_id cancel_user_id reason_id
            """,
        ),
        date("effective_date"),
        decimal("total_amount"),
        *each(decimal, "total_contract_amount total_pre_change_orders_amount", default=ZERO),
        text("signer_name", sensitive=True),
        email("signer_email"),
        *each(timestamp, "add_date sold_date cancel_date updated_at"),
    ),
    indexes=("job_id", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
    refers={
        "type_id": "job_change_order_types.id",
        "status_id": "job_change_order_statuses.id",
        "reason_id": "job_change_order_reasons.id",
    },
)
