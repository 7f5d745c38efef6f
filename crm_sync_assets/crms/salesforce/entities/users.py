"""Users. None is ever deleted: one that left is not active."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import CUSTOM, ID, INDEXES, STAMPS
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, each, email, text, timestamp
from crm_sync_assets.declarations.entity import Entity

USERS = Entity(
    "salesforce.users",
    about="Who works with Salesforce, and owns its records.",
    source=SObject("User"),
    table="salesforce_user",
    columns=(
        ID,
        text("username", at="Username"),
        *each(text, "first_name last_name name", spelled=pascal, sensitive=True),
        email("email", at="Email"),
        *each(text, "title department user_type time_zone_sid_key", spelled=pascal),
        *each(text, "locale_sid_key profile_id user_role_id manager_id", spelled=pascal),
        boolean("is_active", at="IsActive"),
        timestamp("last_login_date", at="LastLoginDate"),
        *STAMPS,
        CUSTOM,
    ),
    indexes=("email", *INDEXES),
    # One that is not shown any more is hidden from us.
    absent="kept",
)
