"""Genius users, a custom object: one record per person with a login in Genius.

Its type id belongs to one account: HUBSPOT_GENIUS_USERS_OBJECT_ID.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, email, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

GENIUS_USERS = Entity(
    "hubspot.genius_users",
    about="People with a login in Genius, as HubSpot knows them.",
    source=Objects("genius_users", created="hs_createdate"),
    table="hubspot_geniususer",
    columns=(
        *ID,
        text("name", sensitive=True),
        email("email"),
        *each(
            text,
            """
            arrivy_user_id division division_id job_title title_id user_account_type user_id
            user_status_inactive
            """,
        ),
        *each(timestamp, "hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "email", "user_id"),
    merged_ids=MERGED,
)
