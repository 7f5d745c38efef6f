"""Users.

The list cannot be asked for what changed, and answers any page with all of it. Who has left stays
in it, `active: false`.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.overlapping import Overlapping
from crm_sync_assets.crms.salesrabbit.sources import MOST, PAGE, SIZE, everything, listed
from crm_sync_assets.declarations.columns import (
    boolean,
    camel,
    date,
    each,
    email,
    integer,
    json,
    phone,
    text,
    timestamp,
    url,
)
from crm_sync_assets.declarations.entity import Entity

USERS = Entity(
    "salesrabbit.users",
    about="People who work with SalesRabbit, those who have left included.",
    source=listed(
        "/users", paging=Overlapping(PAGE, SIZE, MOST, more="meta.morePages", all_at_once=True)
    ),
    table="salesrabbit_user",
    columns=(
        integer("id", key=True),
        *each(text, "first_name last_name", spelled=camel, sensitive=True),
        email("email"),
        phone("phone"),
        boolean("active", default=True),
        date("hire_date", at="hireDate"),
        *each(text, "business_unit department role office team region", spelled=camel),
        *each(
            integer,
            "org_id supervisor_id recruiter_id cms_id lead_rep_cms_id",
            spelled=camel,
        ),
        url("photo_url"),
        json("external_ids", at="externalIds"),
        *each(timestamp, "date_created date_modified", spelled=camel),
        json("data", at=everything, default={}, sensitive=True, about="the whole record"),
    ),
    indexes=(
        "date_modified",
        "email",
        "active",
        "org_id",
        "supervisor_id",
        "department",
        "role",
    ),
)
