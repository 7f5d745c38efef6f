"""Addresses of contacts.

The schema spells one property `coounty`.
"""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import Either, joined
from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import boolean, decimal, each, guid, state, text, zip_code
from crm_sync_assets.declarations.entity import Entity

ADDRESSES = Entity(
    "marketsharp.addresses",
    about="Addresses of contacts.",
    source=undated("Addresses"),
    table="marketsharp_address",
    columns=(
        guid("id", key=True),
        guid("contact_id", at="contactid"),
        *each(text, "line1 line2", sensitive=True),
        text("county", at=Either(("coounty", "county"))),
        *each(text, "city country"),
        state("state"),
        zip_code("zip"),
        *each(text, "zip4 dpbc2 carrier_route cass bar_code", spelled=joined),
        *each(decimal, "latitude longitude", sensitive=True),
        boolean("is_active", at="isactive", default=True),
    ),
    indexes=("contact_id",),
)
