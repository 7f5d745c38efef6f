"""CallRail. https://apidocs.callrail.com"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.callrail.variables import VARIABLES
from crm_sync_assets.crms.callrail.webhooks import WEBHOOKS
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.declarations.subscriptions import Desk

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings

DAY = 86_400


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the key that the environment has; UsageError names what is missing."""
    from crm_sync_assets.clients.rest.client import RestClient
    from crm_sync_assets.crms.callrail.api import API

    return RestClient("callrail", [API], environment, settings, database_url=shared.database_url)


def desk(environment: Environment, settings: SyncSettings, shared: Shared) -> Desk:
    """The integrations of the companies that the key sees."""
    from crm_sync_assets.crms.callrail.subscriptions import CallRailDesk

    return CallRailDesk(environment, settings, shared)


CRM = Crm(
    "callrail",
    title="CallRail",
    client=client,
    settings={
        "page_size": 250,
        # Tags, notes, values and lead statuses change later, and no list can be asked for that.
        "overlap_seconds": 30 * DAY,
        # Of an account, for all its keys together.
        "rate_windows": (("hour", 1_000, 3_600), ("day", 10_000, DAY)),
    },
    minute=24,
    order=(
        "accounts",
        "companies",
        "trackers",
        "tags",
        "users",
        "calls",
        "form_submissions",
        "text_messages",
    ),
    owners=("team:data-engineering",),
    kinds=("callrail",),
    variables=VARIABLES,
    refers={"company_id": "companies.id"},
    webhooks=WEBHOOKS,
    desk=desk,
    flags=(
        Flag(
            "company_id",
            "Only what belongs to the company of this id.",
            filters=True,
            entities=("calls", "trackers"),
        ),
    ),
)
