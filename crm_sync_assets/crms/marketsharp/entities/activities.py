"""What was done, or is to be done, about a contact."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import boolean, each, guid, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

ACTIVITIES = Entity(
    "marketsharp.activities",
    about="What was done, or is to be done, about a contact.",
    source=dated("Activities"),
    table="marketsharp_activity",
    columns=(
        guid("id", key=True),
        *each(
            guid,
            "contact_id appointment_id assign_to_employee_id scheduled_by_employee_id inquiry_id",
            spelled=joined,
        ),
        *each(text, "name created_by type", spelled=joined),
        *each(timestamp, "completed_date due_date", spelled=joined),
        *each(integer, "reminder_minutes activity_result_id activity_reference_id", spelled=joined),
        text("notes", sensitive=True),
        boolean("reminder_dismissed", at="reminderdismissed", default=False),
        boolean("is_active", at="isactive", default=True),
        text("last_updated_by", at="lastupdatedby", default=""),
        *each(timestamp, "last_update created_date", spelled=joined),
    ),
    indexes=("last_update", "contact_id"),
    clock_steps_back=STEP_BACK,
)
