"""SalesRabbit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.salesrabbit.variables import VARIABLES
from crm_sync_assets.crms.salesrabbit.webhooks import WEBHOOKS
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the token that the environment has; UsageError names what is missing."""
    from crm_sync_assets.clients.rest.client import RestClient
    from crm_sync_assets.crms.salesrabbit.api import API

    return RestClient("salesrabbit", [API], environment, settings, database_url=shared.database_url)


CRM = Crm(
    "salesrabbit",
    title="SalesRabbit",
    client=client,
    settings={
        "page_size": 2_000,
        # Whether what changed at the moment that is asked for belongs to it, nobody says.
        "overlap_seconds": 600,
        # No limit is published: one request after the other, one a second.
        "rate_windows": (("second", 1, 1),),
    },
    minute=28,
    order=("users", "leads", "status_histories"),
    owners=("team:data-engineering",),
    kinds=("salesrabbit",),
    variables=VARIABLES,
    webhooks=WEBHOOKS,
    refers={"user_id": "users.id", "changed_by_user_id": "users.id", "lead_id": "leads.id"},
)
