"""Arrivy: field service tasks and bookings. https://app.arrivy.com/developer-portal"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.arrivy.statuses import problem
from crm_sync_assets.crms.arrivy.variables import VARIABLES
from crm_sync_assets.crms.arrivy.webhooks import WEBHOOKS
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.declarations.pace import CONCURRENT_PAGES, HIGH_PERFORMANCE

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the account that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.arrivy.client import Arrivy

    return Arrivy(environment, settings, database_url=shared.database_url)


def _status(name: str, entity: str) -> Flag:
    about = f"Only {entity} of this status: a word such as confirmed, or one of Arrivy's types."
    return Flag(name, about, filters=True, entities=(entity,), check=problem)


CRM = Crm(
    "arrivy",
    title="Arrivy",
    client=client,
    settings={
        "page_size": 500,
        # A task changes without the list being asked for that: what was planned for the last weeks,
        # and all that is to come, is read again by each delta.
        "overlap_seconds": 45 * 86_400,
        # No limit is documented; others keep to between 30 and 120 a minute.
        "rate_windows": (("minute", 120, 60), ("hour", 3_600, 3_600)),
        "requests_at_once": 3,
    },
    minute=39,
    order=("groups", "entities", "statuses", "tasks", "bookings"),
    owners=("team:data-engineering",),
    kinds=("arrivy",),
    variables=VARIABLES,
    webhooks=WEBHOOKS,
    refers={"group_id": "groups.id", "status_id": "statuses.id", "booking_id": "bookings.id"},
    flags=(
        _status("booking_status", "bookings"),
        _status("task_status", "tasks"),
        HIGH_PERFORMANCE,
        CONCURRENT_PAGES,
    ),
)
