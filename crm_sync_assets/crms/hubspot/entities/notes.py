"""Notes. https://developers.hubspot.com/docs/api-reference/crm-notes-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

NOTES = Entity(
    "hubspot.notes",
    about="Notes people left on records.",
    source=Objects("notes", created="hs_createdate"),
    table="hubspot_engagement_note",
    columns=(
        *ID,
        *each(text, "hs_note_body hs_attachment_ids hubspot_owner_id"),
        *each(timestamp, "hs_timestamp hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_timestamp"),
    merged_ids=MERGED,
)
