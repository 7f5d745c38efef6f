"""Events of the calendar. What is older than about a year is archived: only queryAll has it."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, date, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

EVENTS = Entity(
    "salesforce.events",
    about="Appointments and meetings.",
    source=SObject("Event"),
    table="salesforce_event",
    columns=(
        ID,
        *each(text, "who_id what_id account_id owner_id recurrence_activity_id", spelled=pascal),
        *each(text, "subject location description show_as", spelled=pascal),
        date("activity_date", at="ActivityDate"),
        *each(timestamp, "activity_date_time start_date_time end_date_time", spelled=pascal),
        integer("duration_in_minutes", at="DurationInMinutes"),
        *each(boolean, "is_all_day_event is_private is_archived is_child", spelled=pascal),
        *each(boolean, "is_group_event is_recurrence", spelled=pascal),
        *COMMON,
    ),
    indexes=("who_id", "what_id", "account_id", *INDEXES),
)
