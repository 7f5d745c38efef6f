"""Pipedrive. https://developers.pipedrive.com/docs/api/v1"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.pipedrive.variables import VARIABLES
from crm_sync_assets.crms.pipedrive.webhooks import WEBHOOKS
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.subscriptions import Desk

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the company the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.pipedrive.client import Pipedrive

    return Pipedrive(environment, settings, database_url=shared.database_url)


def desk(environment: Environment, settings: SyncSettings, shared: Shared) -> Desk:
    """The webhooks of the company that the environment names."""
    from crm_sync_assets.crms.pipedrive.subscriptions import PipedriveDesk

    return PipedriveDesk(environment, settings, shared)


CRM = Crm(
    "pipedrive",
    title="Pipedrive",
    client=client,
    settings={
        # A page costs the same whatever its size.
        "page_size": 500,
        # What changed is shown at once; who edits while a list is paged is met again.
        "lag_seconds": 0,
        "overlap_seconds": 600,
        # A Lite account of one seat, by API token: requests per 2 s, and the company's tokens per
        # day. Growth has twice the tokens, Premium 5 times, Ultimate 7 times, each times the seats.
        "rate_windows": (("burst", 20, 2), ("daily", 30_000, 86_400)),
    },
    minute=20,
    order=(
        "fields",
        "users",
        "pipelines",
        "stages",
        "organizations",
        "persons",
        "deals",
        "leads",
        "activities",
        "products",
        "notes",
    ),
    owners=("team:data-engineering",),
    kinds=("pipedrive",),
    variables=VARIABLES,
    refers={
        "owner_id": "users.id",
        "creator_user_id": "users.id",
        "creator_id": "users.id",
        "user_id": "users.id",
        "pipeline_id": "pipelines.id",
        "stage_id": "stages.id",
        "org_id": "organizations.id",
        "organization_id": "organizations.id",
        "person_id": "persons.id",
        "deal_id": "deals.id",
        "lead_id": "leads.id",
    },
    webhooks=WEBHOOKS,
    desk=desk,
)
