"""Calls. https://developers.hubspot.com/docs/api-reference/crm-calls-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, id_list, integer, phone, text, timestamp, url
from crm_sync_assets.declarations.entity import Entity

CALLS = Entity(
    "hubspot.calls",
    about="Phone calls logged in HubSpot.",
    source=Objects("calls", created="hs_createdate"),
    table="hubspot_engagement_call",
    columns=(
        *ID,
        *each(
            text, "hs_call_title hs_call_body hs_call_direction hs_call_disposition hs_call_status"
        ),
        *each(phone, "hs_call_from_number hs_call_to_number"),
        url("hs_call_recording_url"),
        integer("hs_call_duration", about="milliseconds"),
        text("hubspot_owner_id"),
        *each(timestamp, "hs_timestamp hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_timestamp"),
    merged_ids=MERGED,
)
