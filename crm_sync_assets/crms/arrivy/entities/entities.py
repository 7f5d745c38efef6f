"""Entities: the members of crews, and others that tasks are assigned to.

One that is disabled stays in the list, and says so.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.arrivy.sources import listed
from crm_sync_assets.declarations.columns import (
    boolean,
    each,
    email,
    json,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

# No delta: the list cannot be asked for what changed.
ENTITIES = Entity(
    "arrivy.entities",
    about="Crew members and others that tasks are assigned to, those that are disabled included.",
    source=listed("/entities", one=One("/entities/{id}")),
    table="arrivy_entity",
    columns=(
        text("id", key=True, about="a number of 16 digits at the source"),
        *each(text, "name username", sensitive=True),
        *each(text, "external_id url_safe_id created_by_user updated_by_user okta_user_id"),
        *each(text, "address_line_1 address_line_2 complete_address", sensitive=True),
        *each(text, "type external_type city country image_id image_path color user_type"),
        *each(text, "invite_status group_id owner template_id created_by updated_by details"),
        state("state"),
        zip_code("zipcode"),
        email("email"),
        phone("phone"),
        *each(boolean, "is_active can_turnoff_location is_included_in_billing", default=True),
        *each(boolean, "is_disabled is_default is_address_geo_coded", default=False),
        *each(boolean, "use_lat_lng_address allow_login_in_kiosk_mode_only", default=False),
        boolean("can_view_customers_of_all_groups", default=False),
        boolean("is_status_priority_notifications_disabled", default=False),
        boolean("force_stop_billing", default=False),
        *each(json, "additional_group_ids can_manage_resources can_manage_crews"),
        *each(json, "can_manage_entities skill_ids skill_details extra_fields visible_bookings"),
        *each(json, "visible_routing_forms notifications allow_status_notifications"),
        *each(json, "permission_groups template_extra_fields email_invitation"),
        json("exact_location", sensitive=True),
        json("last_reading", at="lastreading", sensitive=True, about="where they were seen last"),
        *each(timestamp, "joined_datetime created updated"),
    ),
    indexes=("updated", "group_id"),
)
