"""Tasks. What is older than about a year is archived, and alive: only queryAll has it."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, date, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

TASKS = Entity(
    "salesforce.tasks",
    about="To-dos, calls and e-mails that were logged.",
    source=SObject("Task"),
    table="salesforce_task",
    columns=(
        ID,
        *each(text, "who_id what_id account_id owner_id", spelled=pascal),
        *each(text, "subject status priority description call_type task_subtype", spelled=pascal),
        date("activity_date", at="ActivityDate"),
        *each(boolean, "is_closed is_high_priority is_archived", spelled=pascal),
        integer("call_duration_in_seconds", at="CallDurationInSeconds"),
        timestamp("completed_date_time", at="CompletedDateTime"),
        *COMMON,
    ),
    indexes=("who_id", "what_id", "account_id", *INDEXES),
)
