"""Google Sheets: any tab as a table. https://developers.google.com/workspace/sheets/api"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.gsheet.variables import VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the credentials that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.gsheet.client import GSheet

    return GSheet(environment, settings, database_url=shared.database_url)


def _skip(name: str, entity: str) -> Flag:
    about = f"Read nothing of {entity}; CRM_SYNC_GSHEET__EXCLUDE={entity} leaves it out for good."
    return Flag(name, about, bool, filters=True, entities=(entity,), skips=True)


CRM = Crm(
    "gsheet",
    title="Google Sheets",
    client=client,
    settings={
        # A sheet is read to its end before anything of it is passed on.
        "page_size": 5_000,
        "timeout_seconds": 180,
        # Of one user, which a service account is; a project may ask five times as often.
        # https://developers.google.com/workspace/sheets/api/limits
        "rate_windows": (("minute", 60, 60),),
    },
    minute=51,
    order=("marketing_leads", "marketing_spends"),
    owners=("team:data-engineering",),
    kinds=("googlesheets",),
    variables=VARIABLES,
    flags=(
        Flag(
            "test_connection",
            "Say which spreadsheets answer, and read nothing, as `crm-sync doctor gsheet` does.",
            bool,
            filters=True,
        ),
        Flag(
            "show_summary",
            "Say of each sheet how many rows and columns were read, and which nobody declared.",
            bool,
            is_pace=True,
        ),
        _skip("skip_leads", "marketing_leads"),
        _skip("skip_spends", "marketing_spends"),
    ),
)
