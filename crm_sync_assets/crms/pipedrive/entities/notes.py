"""Notes. https://developers.pipedrive.com/docs/api/v1/Notes

A list of v1, by offset; it filters by `update_time`, so the delta can be trusted for what was
edited. A deleted note is listed with `active_flag` false, for thirty days at most, or not at all:
then a full read asks for it.
"""

from __future__ import annotations

from datetime import timedelta

from crm_sync_assets.crms.pipedrive.entities.shared import ID, IS_DELETED, TIMES
from crm_sync_assets.crms.pipedrive.sources import CHANGED_SINCE, v1
from crm_sync_assets.declarations.columns import boolean, each, integer, text
from crm_sync_assets.declarations.entity import Entity, Record, Resweep

PINNED = "deal lead person organization project task"


def is_inactive(record: Record) -> bool:
    """Whether it was deleted."""
    return record.get("active_flag") in (False, 0)


NOTES = Entity(
    "pipedrive.notes",
    about="Notes to deals, leads, people and organizations.",
    source=v1("notes", delta=CHANGED_SINCE, params={"sort": "id ASC"}, gone=is_inactive),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_note",
    columns=(
        ID,
        *each(text, "content lead_id"),
        *each(integer, "deal_id person_id org_id project_id task_id user_id last_update_user_id"),
        boolean("active_flag"),
        *(boolean(f"pinned_to_{what}_flag") for what in PINNED.split()),
        IS_DELETED,
        *TIMES,
    ),
    indexes=("update_time", "deal_id", "person_id", "org_id", "lead_id"),
    # Thirty, less a day for a sync that takes long.
    feed_keeps=timedelta(days=29),
)
