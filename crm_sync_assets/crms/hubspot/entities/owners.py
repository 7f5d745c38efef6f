"""Owners. https://developers.hubspot.com/docs/api-reference/crm-owners-v3/guide

`hubspot_owner_id` on other objects is this `id`, not `userId`. Archived owners have no `userId`;
`userIdIncludingInactive` keeps it. There is no search, so every sync reads all of them.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.declarations.columns import (
    boolean,
    camel,
    each,
    email,
    integer,
    json,
    object_id,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

OWNERS = Entity(
    "hubspot.owners",
    about="HubSpot users who can own records, those who have left included.",
    source=directory.OWNERS,
    table="hubspot_owner",
    columns=(
        object_id("id", key=True),
        email("email"),
        *each(text, "first_name last_name", spelled=camel, sensitive=True),
        text("type"),
        *each(integer, "user_id user_id_including_inactive", spelled=camel),
        *each(timestamp, "created_at updated_at", spelled=camel),
        json("teams"),
        boolean("archived", default=False),
    ),
    indexes=("email",),
)
