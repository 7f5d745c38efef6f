"""Groups: the divisions of a company. Those that are disabled are hidden unless asked for."""

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
    url,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

# No delta: the list cannot be asked for what changed.
GROUPS = Entity(
    "arrivy.groups",
    about="Divisions of the company, those that are disabled included.",
    source=listed("/groups", params={"get_disabled_groups": "true"}, one=One("/groups/{id}")),
    table="arrivy_group",
    columns=(
        text("id", key=True, about="a number of 16 digits at the source"),
        *each(text, "url_safe_id name emergency address_line_1 address_line_2 owner timezone"),
        *each(text, "image_id image_path created_by description complete_address city country"),
        state("state"),
        zip_code("zipcode"),
        email("email"),
        *each(phone, "phone mobile_number"),
        url("website"),
        *each(json, "exact_location social_links additional_addresses territory_ids extra_fields"),
        *each(boolean, "use_lat_lng_address is_address_geo_coded is_default", default=False),
        *each(boolean, "is_disabled is_implicit", default=False),
        *each(timestamp, "created updated"),
    ),
    indexes=("updated",),
)
