"""Activities. https://developers.pipedrive.com/docs/api/v1/Activities

The list has those of all users, done or not, and filters by `update_time`: the delta can be trusted
for what was edited. No list shows what was deleted: a full read asks for what it did not meet.
"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.crms.pipedrive.entities.shared import COMMON, ID
from crm_sync_assets.crms.pipedrive.sources import v2
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    each,
    integer,
    json,
    text,
    time,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity, Record, Resweep
from crm_sync_assets.declarations.parsing import interval


def duration_seconds(record: Record) -> Any:
    """Of 00:30:00; what is no duration is left to the column to refuse."""
    given = record.get("duration")
    try:
        length = interval(given)
    except ValueError:
        return given
    return None if length is None else int(length.total_seconds())


ACTIVITIES = Entity(
    "pipedrive.activities",
    about="Calls, meetings, tasks: what is to be done or was.",
    source=v2("activities"),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_activity",
    columns=(
        ID,
        *each(text, "subject type note public_description"),
        *each(text, "conference_meeting_client conference_meeting_url conference_meeting_id"),
        text("lead_id"),
        *each(integer, "owner_id creator_user_id deal_id person_id org_id project_id"),
        date("due_date"),
        time("due_time", about="in UTC"),
        integer("duration_seconds", at=duration_seconds),
        integer("priority"),
        *each(boolean, "busy done"),
        timestamp("marked_as_done_time"),
        *each(json, "location participants"),
        json("attendees", about="only where the account's list has them: they are not asked for"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id", "deal_id", "person_id", "org_id", "lead_id"),
)
