"""Owners. https://developers.hubspot.com/docs/api-reference/crm-owners-v3/guide

`hubspot_owner_id` on other objects is this `id`, not `userId`. Archived owners have no `userId`;
`userIdIncludingInactive` keeps it. There is no search, so every sync reads all of them.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.declarations.columns import (
    boolean,
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
        text("first_name", at="firstName", sensitive=True),
        text("last_name", at="lastName", sensitive=True),
        text("type"),
        integer("user_id", at="userId"),
        integer("user_id_including_inactive", at="userIdIncludingInactive"),
        timestamp("created_at", at="createdAt"),
        timestamp("updated_at", at="updatedAt"),
        json("teams"),
        boolean("archived", default=False),
    ),
    indexes=("email",),
)
