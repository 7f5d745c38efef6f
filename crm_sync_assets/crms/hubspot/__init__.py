"""HubSpot. https://developers.hubspot.com/docs/api-reference/overview"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings) -> Client:
    """A client for the account the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.hubspot.client import HubSpot

    return HubSpot(environment, settings, database_url=environment.warehouse_url)


OTHERS = (
    "companies",
    "tickets",
    "owners",
    "pipelines",
    "pipeline_stages",
    "products",
    "line_items",
    "calls",
    "emails",
    "meetings",
    "notes",
    "tasks",
)

ASSOCIATIONS = (
    "associations_contact_appointment",
    "associations_contact_division",
    "associations_contact_deal",
    "associations_contact_company",
    "associations_deal_company",
    "associations_deal_line_item",
)

CRM = Crm(
    "hubspot",
    title="HubSpot",
    client=client,
    settings={
        "page_size": 100,
        # The search index lags by "a few moments", no bound given; ten minutes have been enough.
        "lag_seconds": 600,
        # A Professional account. Search is counted per second and account, on its own.
        "rate_windows": (("burst", 190, 10), ("search", 5, 1), ("daily", 650_000, 86_400)),
    },
    minute=0,
    order=("divisions", "contacts", "appointments", "deals", "zipcodes", "genius_users", *OTHERS),
    groups={"associations": ASSOCIATIONS},
    owners=("team:data-engineering",),
    kinds=("hubspot",),
    calculates=True,
)
