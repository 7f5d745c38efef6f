"""The job `<crm>_refresh` and its nightly schedule: what a CRM calculates, read again."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.refresh import Refreshed, refresh
from crm_sync_assets.orchestration.jobs.each_entity import Chosen, Done, EachEntity
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse


class RefreshConfig(Chosen):
    """Which entities of the CRM to refresh."""

    dry_run: bool = Field(False, description="Count what would change, store nothing.")


def reread(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    settings: SyncSettings,
    config: RefreshConfig,
    run_id: str,
) -> Done | None:
    """Refresh one entity; None where it keeps nothing that is calculated."""
    found = refresh(warehouse, entity, client, settings, dry_run=config.dry_run, run_id=run_id)
    return Done(observed(found)) if found is not None else None


def observed(found: Refreshed) -> dict[str, dg.MetadataValue]:
    """What the asset's page shows of a refresh."""
    return {
        "refresh": dg.MetadataValue.text(found.summary()),
        "status": dg.MetadataValue.text(found.status),
        "sync_id": dg.MetadataValue.int(found.sync_id),
        "fields": dg.MetadataValue.json(list(found.names)),
    }


REFRESH = EachEntity(
    "refresh",
    reread,
    RefreshConfig,
    does="Reads what {crm} calculates for every record, and stores what changed.",
    schedule="refresh",
    cron="2 * * *",
    schedule_does="Refreshes what {crm} calculates, every night.",
)
