"""What appointments may come to."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, each, guid, text
from crm_sync_assets.declarations.entity import Entity

APPOINTMENT_RESULTS = Entity(
    "marketsharp.appointment_results",
    about="What appointments may come to.",
    source=undated("AppointmentResults"),
    table="marketsharp_appointment_result",
    columns=(
        guid("id", key=True),
        text("name"),
        *each(boolean, "presentation sold", default=False),
        boolean("is_active", at="isactive", default=True),
    ),
)
