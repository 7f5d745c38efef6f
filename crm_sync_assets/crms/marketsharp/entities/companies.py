"""The companies that use MarketSharp.

An id is a number, or a GUID in text: then the number is the key, to which the `company_id` of other
tables refers.
"""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import each, email, integer, phone, text, url
from crm_sync_assets.declarations.entity import Entity

COMPANIES = Entity(
    "marketsharp.companies",
    about="The companies that use MarketSharp.",
    source=undated("Companies"),
    table="marketsharp_company",
    columns=(
        integer("id", key=True, about="its number, where its id is none"),
        integer("number"),
        *each(
            text,
            "name address_city address_state contact_title time_zone address_zip",
            spelled=joined,
        ),
        *each(
            text, "owner address_line1 address_line2 contact_name", spelled=joined, sensitive=True
        ),
        *each(phone, "phone fax"),
        email("email"),
        url("website"),
    ),
)
