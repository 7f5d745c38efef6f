"""Users. https://developers.pipedrive.com/docs/api/v1/Users

One answer has all of them, those who have left included; it cannot be asked for what changed. A
login changes a user and not `modified`, so it orders no versions either.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.delta import Everything
from crm_sync_assets.clients.rest.paging import Whole
from crm_sync_assets.crms.pipedrive.entities.shared import ID, IS_DELETED
from crm_sync_assets.crms.pipedrive.sources import PAGE, v1
from crm_sync_assets.declarations.columns import (
    boolean,
    each,
    email,
    integer,
    json,
    phone,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

USERS = Entity(
    "pipedrive.users",
    about="Users of the company, those who have left included.",
    source=v1(
        "users", paging=Whole(), delta=Everything(), modified=None, page=f"{PAGE}settings/users"
    ),
    table="pipedrive_user",
    columns=(
        ID,
        text("name", sensitive=True),
        email("email"),
        phone("phone"),
        *each(text, "locale default_currency timezone_name timezone_offset icon_url"),
        *each(integer, "lang role_id"),
        *each(boolean, "activated active_flag has_created_company"),
        *each(timestamp, "last_login created modified"),
        json("access"),
        IS_DELETED,
    ),
)
