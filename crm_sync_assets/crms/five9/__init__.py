"""Five9: contacts of a call center's domain.

https://documentation.five9.com/bundle/config-webservices-api-ref-guide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_sync_assets.crms.five9.variables import VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the user that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.five9.client import Five9

    return Five9(environment, settings, database_url=shared.database_url)


def _too_few(most: Any) -> str | None:
    return None if most > 0 else "give a number from 1 on"


CRM = Crm(
    "five9",
    title="Five9",
    client=client,
    settings={
        "page_size": 1_000,
        # The clock of the domain is declared, and not said by anybody: two days cover any zone.
        "overlap_seconds": 2 * 86_400,
        # A thousand contacts with fifty fields each.
        "timeout_seconds": 180,
        # What the tenant has of each kind of call its counters say. Beside them this keeps calls
        # as far apart as Five9's own samples do.
        "rate_windows": (("minute", 200, 60),),
        "rate_reserve": 0.2,
    },
    minute=27,
    owners=("team:data-engineering",),
    kinds=("five9",),
    variables=VARIABLES,
    flags=(
        Flag("list_name", "Only contacts that this list has dialed last.", filters=True),
        Flag(
            "max_records_per_list",
            "At most so many contacts of each list that has dialed them last.",
            int,
            filters=True,
            check=_too_few,
        ),
    ),
)
