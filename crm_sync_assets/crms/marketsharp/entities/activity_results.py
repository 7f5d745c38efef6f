"""What activities may come to."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import boolean, each, guid, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

ACTIVITY_RESULTS = Entity(
    "marketsharp.activity_results",
    about="What activities may come to.",
    source=dated("ActivityResults"),
    table="marketsharp_activity_result",
    columns=(
        integer("id", key=True),
        integer("company_id", at="companyid"),
        *each(text, "name created_by", spelled=joined, default=""),
        *each(
            boolean,
            "email_success email_failure confirmed count_as_appt_confirmed "
            "count_as_appt_created count_as_contacted",
            spelled=joined,
            default=False,
        ),
        boolean("is_active", at="isactive", default=True),
        guid("last_update_by", at="lastupdateby"),
        *each(timestamp, "last_update created_date", spelled=joined),
    ),
    indexes=("last_update",),
    clock_steps_back=STEP_BACK,
)
