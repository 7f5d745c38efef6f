"""Companies. https://developers.hubspot.com/docs/api-reference/crm-companies-v3/guide"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import (
    decimal,
    each,
    id_list,
    integer,
    phone,
    state,
    text,
    timestamp,
    url,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

COMPANIES = Entity(
    "hubspot.companies",
    about="Companies: employers, landlords and businesses that buy.",
    source=Objects("companies"),
    table="hubspot_company",
    columns=(
        *ID,
        *each(text, "name domain industry lifecyclestage hubspot_owner_id city country"),
        text("address", sensitive=True),
        phone("phone"),
        url("website"),
        state("state"),
        zip_code("zip"),
        decimal("annualrevenue"),
        integer("numberofemployees"),
        *each(timestamp, "createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "domain"),
    merged_ids=MERGED,
)
