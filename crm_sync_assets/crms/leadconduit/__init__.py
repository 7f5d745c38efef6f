"""LeadConduit, of ActiveProspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crm_sync_assets.crms.leadconduit.variables import VARIABLES
from crm_sync_assets.crms.leadconduit.webhooks import WEBHOOKS
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings

CONFIGS: Final = ("default", "development", "production", "testing")
"""What `config` chose from, when there was something to choose."""


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the key that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.leadconduit.client import LeadConduit

    return LeadConduit(environment, settings, database_url=shared.database_url)


def _problem(config: Any) -> str | None:
    if config is None or config in CONFIGS:
        return None
    return f"there were {', '.join(CONFIGS)}, and it chooses nothing any more: leave it out"


CRM = Crm(
    "leadconduit",
    title="LeadConduit",
    client=client,
    settings={
        "page_size": 1_000,
        # An event is recorded once all is done, and its id need not come after those that were
        # recorded before it.
        "overlap_seconds": 7_200,
        # Then an event is gone. Each says when; the account's plan decides.
        "keeps_days": 90,
        # No limit is published.
        "rate_windows": (("minute", 60, 60),),
    },
    minute=32,
    owners=("team:data-engineering",),
    kinds=("leadconduit",),
    variables=VARIABLES,
    webhooks=WEBHOOKS,
    flags=(
        Flag(
            "config",
            "Of old; chooses nothing any more: the environment does.",
            check=_problem,
            is_pace=True,
        ),
    ),
)
