"""Bookings.

Neither the list's address nor its paging is documented: it is read whole, in pages or at once.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.arrivy.entities.shared import COMMON, INDEXES
from crm_sync_assets.crms.arrivy.sources import PERHAPS_PAGED, has_status, listed
from crm_sync_assets.declarations.columns import (
    boolean,
    decimal,
    each,
    integer,
    json,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

# No delta: nobody says whether the list can be asked for a window.
BOOKINGS = Entity(
    "arrivy.bookings",
    about="Jobs of several days, which tasks may belong to.",
    source=listed(
        "/bookings",
        paging=PERHAPS_PAGED,
        wanted=has_status("booking_status"),
        one=One("/bookings/{id}"),
    ),
    table="arrivy_booking",
    columns=(
        *COMMON,
        decimal("latitude", at="exact_location.lat", sensitive=True),
        decimal("longitude", at="exact_location.lng", sensitive=True),
        text("title", at="name"),
        *each(text, "description instructions complete_address team_member_ids status"),
        text("timezone", at="time_zone"),
        text("template_id", at="template"),
        *each(text, "group_id status_id task_type city country"),
        state("state"),
        *each(text, "address_line_1 address_line_2", sensitive=True),
        zip_code("zipcode"),
        *each(timestamp, "created_time updated_time actual_start_datetime actual_end_datetime"),
        integer("duration_estimate"),
        *each(boolean, "is_recurring is_all_day enable_time_window_display", default=False),
        boolean("is_address_geo_coded", default=False),
        *each(json, "exact_location assigned_team_members custom_fields notifications"),
    ),
    indexes=INDEXES,
)
