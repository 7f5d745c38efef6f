"""Users. https://apidocs.callrail.com/#users"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import listed
from crm_sync_assets.declarations.columns import boolean, each, email, json, text
from crm_sync_assets.declarations.entity import Entity

# No delta: the list cannot be asked for what changed, and a deleted user is told by nothing but
# the absence. Each is asked for by id before that is believed.
USERS = Entity(
    "callrail.users",
    about="People who work with CallRail.",
    source=listed(
        "/a/{account}/users.json", records="users", one=One("/a/{account}/users/{id}.json")
    ),
    table="callrail_user",
    columns=(
        text("id", key=True),
        *each(text, "first_name last_name", default="", sensitive=True),
        email("email", default=""),
        text("role"),
        json("permissions", at="companies", about="the companies that the user may see"),
        boolean("is_active", at="accepted", default=True),
    ),
    indexes=("email",),
)
