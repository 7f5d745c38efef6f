"""HubSpot. https://developers.hubspot.com/docs/api-reference/overview"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.hubspot.webhooks import (
    APP_ID,
    APP_TOKEN,
    DEVELOPER_KEY,
    SECRET,
    SIGNATURE,
    WEBHOOKS,
)
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.subscriptions import Desk
from crm_sync_assets.declarations.variables import Variable, optional

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the account the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.hubspot.client import HubSpot

    return HubSpot(environment, settings, database_url=shared.database_url)


def desk(environment: Environment, settings: SyncSettings, shared: Shared) -> Desk:
    """The subscriptions of the app that the environment names."""
    from crm_sync_assets.crms.hubspot.subscriptions import HubSpotDesk

    return HubSpotDesk(environment, settings, shared)


OBJECTS = (
    "divisions",
    "contacts",
    "appointments",
    "deals",
    "genius_users",
    "companies",
    "tickets",
    "products",
    "line_items",
)

ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks")

ASSOCIATIONS = (
    "associations_contact_appointment",
    "associations_contact_division",
    "associations_contact_deal",
    "associations_contact_company",
    "associations_deal_company",
    "associations_deal_line_item",
)

OBJECT_ID = "An object type id that differs between accounts."
ZIPCODES = "The zip codes: a CSV file in a GitHub repository. A private one needs a token."
GITHUB = "Where GitHub is."
OAUTH = "… or the three of an OAuth app."

VARIABLES = (
    Variable(
        "HUBSPOT_TOKEN", "A private app's token (or a service key) …", secret=True, way="token"
    ),
    Variable("HUBSPOT_CLIENT_ID", OAUTH, way="OAuth"),
    Variable("HUBSPOT_CLIENT_SECRET", OAUTH, secret=True, way="OAuth"),
    Variable("HUBSPOT_REFRESH_TOKEN", OAUTH, secret=True, way="OAuth"),
    optional("HUBSPOT_APPOINTMENTS_OBJECT_ID", OBJECT_ID, "0-421"),
    optional("HUBSPOT_DIVISIONS_OBJECT_ID", OBJECT_ID, "2-37778609"),
    optional("HUBSPOT_GENIUS_USERS_OBJECT_ID", OBJECT_ID, "2-42119425"),
    optional(
        "HUBSPOT_PIPELINE_OBJECTS",
        "The object types whose pipelines are read.",
        "deals,tickets,appointments",
    ),
    optional("HUBSPOT_API_VERSION", "The version of the API: v3, or a date.", "v3"),
    optional("HUBSPOT_BASE_URL", "Where HubSpot is.", "https://api.hubapi.com"),
    optional("ZIPCODES_OWNER", ZIPCODES, needed_by=("zipcodes",)),
    optional("ZIPCODES_REPO", ZIPCODES, "Zipcodes"),
    optional("ZIPCODES_BRANCH", ZIPCODES, "main"),
    optional("ZIPCODES_GITHUB_TOKEN", ZIPCODES, secret=True),
    optional("GITHUB_TOKEN", ZIPCODES, secret=True),
    optional("GITHUB_BASE_URL", GITHUB, "https://api.github.com"),
    optional("GITHUB_RAW_BASE_URL", GITHUB, "https://raw.githubusercontent.com"),
    SECRET,
    SIGNATURE,
    APP_ID,
    DEVELOPER_KEY,
    APP_TOKEN,
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
    order=(
        *("divisions", "contacts", "appointments", "deals", "zipcodes", "genius_users"),
        *("companies", "tickets", "owners", "pipelines", "pipeline_stages"),
        *("products", "line_items", *ENGAGEMENTS),
    ),
    groups={
        "crm": OBJECTS,
        "engagements": ENGAGEMENTS,
        "associations": ASSOCIATIONS,
        "reference": ("owners", "pipelines", "pipeline_stages", "zipcodes"),
    },
    owners=("team:data-engineering",),
    kinds=("hubspot",),
    calculates=True,
    variables=VARIABLES,
    refers={
        "hubspot_owner_id": "owners.id",
        "hs_product_id": "products.id",
        "hscontact_id": "contacts.id",
        "genius_appointment_id": "genius.appointments.id",
        "genius_prospect_id": "genius.prospects.id",
        "lead_salesrabbit_lead_id": "salesrabbit.leads.id",
    },
    webhooks=WEBHOOKS,
    desk=desk,
)
