"""The job `<crm>_refresh` and its nightly schedule: what a CRM calculates, read again."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.refresh import Refreshed, refresh
from crm_sync_assets.orchestration.jobs.each_entity import Chosen, Done, build_job_of_each
from crm_sync_assets.warehouse.connection import Warehouse


class RefreshConfig(Chosen):
    """Which entities of the CRM to refresh."""

    dry_run: bool = Field(False, description="Count what would change, store nothing.")


def build_refresh(crm: Crm, entities: tuple[Entity, ...]) -> dg.JobDefinition:
    """The job that refreshes them; one that fails stops no other.

    Each that has calculated values leaves an observation with its counts.
    """

    def reread(
        warehouse: Warehouse, entity: Entity, client: Client, config: RefreshConfig, run_id: str
    ) -> Done | None:
        found = refresh(
            warehouse,
            entity,
            client,
            settings_for(crm, entity),
            dry_run=config.dry_run,
            run_id=run_id,
        )
        return Done(observed(found)) if found is not None else None

    return build_job_of_each(
        crm,
        entities,
        reread,
        verb="refresh",
        description=f"Reads what {crm.title} calculates for every record, and stores what changed.",
        config_type=RefreshConfig,
    )


def build_refresh_schedule(crm: Crm, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every night, half an hour after the CRM's delta, so that few records are newer there."""
    return dg.ScheduleDefinition(
        name=f"{crm.name}_refresh",
        job=job,
        cron_schedule=f"{(crm.minute + 30) % 60} 2 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Refreshes what {crm.title} calculates, every night.",
    )


def observed(found: Refreshed) -> dict[str, dg.MetadataValue]:
    """What the asset's page shows of a refresh."""
    return {
        "refresh": dg.MetadataValue.text(found.summary()),
        "status": dg.MetadataValue.text(found.status),
        "sync_id": dg.MetadataValue.int(found.sync_id),
        "fields": dg.MetadataValue.json(list(found.names)),
    }
