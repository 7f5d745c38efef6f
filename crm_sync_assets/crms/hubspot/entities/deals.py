"""Deals. https://developers.hubspot.com/docs/api-reference/crm-deals-v3/guide

HubSpot calls the name of a deal `dealname`; the table has always called it `deal_name`.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import decimal, each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.rules import deal_dates

DEALS = Entity(
    "hubspot.deals",
    about="Deals: what is being sold to whom, for how much, and in which stage it is.",
    source=Objects("deals"),
    table="hubspot_deal",
    columns=(
        *ID,
        text("deal_name", at="properties.dealname"),
        *each(text, "dealstage dealtype pipeline hubspot_owner_id division priority description"),
        decimal("amount"),
        text("deal_currency_code"),
        *each(timestamp, "closedate createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "dealstage", "pipeline", "hubspot_owner_id", "division"),
    rules=(deal_dates,),
    merged_ids=MERGED,
)
