"""Salesforce. https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.salesforce.variables import OBJECTS, VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.settings import environment

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the org that the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.salesforce.client import Salesforce

    return Salesforce(environment, settings, database_url=shared.database_url)


def named() -> tuple[Entity, ...]:
    """The entities of other objects, which the environment names."""
    if not environment().get(OBJECTS.name):
        return ()
    from crm_sync_assets.crms.salesforce.objects import entities

    return entities()


CRM = Crm(
    "salesforce",
    title="Salesforce",
    client=client,
    settings={
        "page_size": 2_000,
        # A transaction's rows have the stamps of when they were written, and show when it ends.
        "lag_seconds": 300,
        "overlap_seconds": 300,
        # A query is ended after two minutes.
        "timeout_seconds": 150,
        # Each answer says how many of the org's requests are used, so there are no windows.
        "rate_reserve": 0.2,
    },
    minute=40,
    order=(
        "users",
        "campaigns",
        "accounts",
        "contacts",
        "leads",
        "opportunities",
        "cases",
        "tasks",
        "events",
    ),
    owners=("team:data-engineering",),
    kinds=("salesforce",),
    calculates=True,
    named=named,
    variables=VARIABLES,
    refers={
        "created_by_id": "users.id",
        "last_modified_by_id": "users.id",
        "manager_id": "users.id",
        "account_id": "accounts.id",
        "converted_account_id": "accounts.id",
        "contact_id": "contacts.id",
        "converted_contact_id": "contacts.id",
        "reports_to_id": "contacts.id",
        "converted_opportunity_id": "opportunities.id",
        "campaign_id": "campaigns.id",
    },
)
