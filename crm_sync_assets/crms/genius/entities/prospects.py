"""Table `prospect`: people and households that could become customers.

An id of 0 is a row like any other. A third party's id is kept only where that party is HubSpot.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK, hubspot_id, third_party_of
from crm_sync_assets.declarations.columns import (
    each,
    email,
    integer,
    object_id,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

PROSPECTS = Entity(
    "genius.prospects",
    about="People and households that could become customers.",
    source=Table("prospect", joins=third_party_of("prospect")),
    table="genius_prospect",
    columns=(
        integer("id", key=True),
        *each(integer, "division_id add_user_id user_id year_built"),
        *each(
            text,
            """
            first_name last_name alt_first_name alt_last_name address1 address2
            """,
            sensitive=True,
        ),
        *each(text, "city county notes marketsharp_id leap_customer_id"),
        state("state"),
        zip_code("zip"),
        *each(phone, "phone1 phone2"),
        email("email"),
        object_id("hubspot_contact_id", at=hubspot_id),
        integer("is_address_valid", default=0),
        *each(timestamp, "add_date updated_at"),
    ),
    indexes=("division_id", "hubspot_contact_id", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
