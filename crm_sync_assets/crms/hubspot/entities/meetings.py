"""Meetings. https://developers.hubspot.com/docs/api-reference/crm-meetings-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

MEETINGS = Entity(
    "hubspot.meetings",
    about="Meetings logged in HubSpot.",
    source=Objects("meetings", created="hs_createdate"),
    table="hubspot_engagement_meeting",
    columns=(
        *ID,
        *each(text, "hs_meeting_title hs_meeting_body hs_meeting_outcome hs_meeting_location"),
        text("hubspot_owner_id"),
        *each(timestamp, "hs_meeting_start_time hs_meeting_end_time"),
        *each(timestamp, "hs_timestamp hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_timestamp"),
    merged_ids=MERGED,
)
