"""SalesPro, of Leap: tables of its data lake by Amazon Athena, and two lists as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.crms.salespro.variables import TABLES, VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.errors import UsageError

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings

FILES = ("offices", "users")


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for what the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.salespro.client import SalesPro

    return SalesPro(environment, settings, database_url=shared.database_url)


def _not_there(place: str) -> str | None:
    """Raises UsageError for an address that may hold a secret, and does not quote it: what is given
    as a flag is kept in the history."""
    from crm_sync_assets.clients.csvfiles.places import is_address, origin_of

    if is_address(place):
        origin_of(place, "path")
        if "?" in place:
            raise UsageError(
                "path has a query, which may be a signature, and flags are kept in the history: "
                "set SALESPRO_OFFICES_CSV or SALESPRO_USERS_CSV to this address instead"
            )
        return None
    if Path(place).expanduser().exists():
        return None
    return "there is no such file or folder, and it is no address"


CRM = Crm(
    "salespro",
    title="SalesPro",
    client=client,
    settings={
        # Rows of a page of results; its header takes the place of one.
        "page_size": 999,
        # The vendor writes its files some time after the moment that their rows bear.
        "overlap_seconds": 600,
        # Of an account in a region, by operation; bursts may be four times as large.
        # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
        "rate_windows": (("start", 20, 1), ("get", 100, 1)),
        "prefetch_pages": 4,
    },
    minute=57,
    order=(*TABLES, *FILES),
    groups={"tables": TABLES, "files": FILES},
    owners=("team:data-engineering",),
    kinds=("athena", "csv"),
    variables=VARIABLES,
    refers={
        "customer_id": "customers.customer_id",
        "estimate_id": "estimates.estimate_id",
        "office_id": "offices.office_id",
        "selected_office": "offices.office_id",
        "sales_rep_id": "users.user_object_id",
        "user_id": "users.user_object_id",
    },
    flags=(
        Flag(
            "path",
            "Read this file, folder or address (without a query) in the place of the one that the "
            "environment names.",
            entities=FILES,
            check=_not_there,
        ),
    ),
)
