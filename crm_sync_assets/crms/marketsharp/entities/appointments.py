"""Appointments with contacts, and what came of them."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import boolean, each, guid, text, timestamp
from crm_sync_assets.declarations.entity import Entity

APPOINTMENTS = Entity(
    "marketsharp.appointments",
    about="Appointments with contacts, and what came of them.",
    source=dated("Appointments"),
    table="marketsharp_appointment",
    columns=(
        guid("id", key=True),
        *each(
            guid,
            "inquiry_id salesperson1_id salesperson2_id set_by_id result_id last_update_by "
            "created_by",
            spelled=joined,
        ),
        *each(timestamp, "appointment_date set_date issued_date created_date", spelled=joined),
        text("type"),
        *each(text, "note result_reason subject", spelled=joined, sensitive=True),
        boolean("is_active", at="isactive", default=True),
        timestamp("last_update", at="lastupdate"),
    ),
    indexes=("last_update", "inquiry_id", "appointment_date"),
    clock_steps_back=STEP_BACK,
)
