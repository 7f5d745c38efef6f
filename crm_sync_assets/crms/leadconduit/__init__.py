"""LeadConduit, of ActiveProspect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.leadconduit.variables import VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the key that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.leadconduit.client import LeadConduit

    return LeadConduit(environment, settings, database_url=shared.database_url)


CRM = Crm(
    "leadconduit",
    title="LeadConduit",
    client=client,
    settings={
        "page_size": 1_000,
        # An event is recorded when all is done, and shows up later than its id says.
        "overlap_seconds": 7_200,
        # No limit is published.
        "rate_windows": (("minute", 60, 60),),
    },
    minute=32,
    owners=("team:data-engineering",),
    kinds=("leadconduit",),
    variables=VARIABLES,
    flags=(Flag("config", "Chooses nothing any more: the environment does."),),
)
