"""Tasks. https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

TASKS = Entity(
    "hubspot.tasks",
    about="Tasks: what is still to be done, by whom, until when.",
    source=Objects("tasks", created="hs_createdate"),
    table="hubspot_engagement_task",
    columns=(
        *ID,
        *each(text, "hs_task_subject hs_task_body hs_task_status hs_task_priority hs_task_type"),
        text("hubspot_owner_id"),
        *each(timestamp, "hs_timestamp hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_timestamp"),
    merged_ids=MERGED,
)
