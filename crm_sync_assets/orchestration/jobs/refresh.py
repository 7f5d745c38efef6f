"""The job `<crm>_refresh` and its nightly schedule: what a CRM calculates, read again."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.operations.refresh import Refreshed, refresh
from crm_sync_assets.orchestration.assets import asset_key
from crm_sync_assets.orchestration.jobs.verify import wanted
from crm_sync_assets.orchestration.resources import ClientResource, WarehouseResource


class RefreshConfig(dg.Config):
    """Which entities of the CRM to refresh."""

    entities: list[str] = Field([], description="Names of entities; none means all.")
    dry_run: bool = Field(False, description="Count what would change, store nothing.")


def build_refresh(crm: Crm, entities: tuple[Entity, ...]) -> dg.JobDefinition:
    """The job that refreshes them one after the other; one that fails stops no other.

    Each that has calculated values leaves an observation with its counts on its asset.
    """

    @dg.op(
        name=f"refresh_{crm.name}",
        required_resource_keys={crm.name, "warehouse"},
        pool=crm.name,
        out=dg.Out(dg.Nothing),
    )
    def reread(context: dg.OpExecutionContext, config: RefreshConfig) -> None:
        resource: ClientResource = getattr(context.resources, crm.name)
        warehouse: WarehouseResource = context.resources.warehouse
        client = resource.open()
        problems = []
        for entity in wanted(crm, entities, config.entities):
            try:
                found = refresh(
                    warehouse.open(),
                    entity,
                    client,
                    settings_for(crm, entity),
                    dry_run=config.dry_run,
                    run_id=context.run_id,
                )
            except SyncError as error:
                problems.append(str(error))
                continue
            if found is None:
                context.log.info(f"{entity}: skipped, nothing of it is calculated")
                continue
            context.log_event(dg.AssetObservation(asset_key(entity), metadata=observed(found)))
        if problems:
            raise FatalError("; ".join(problems))

    @dg.job(
        name=f"{crm.name}_refresh",
        description=f"Reads what {crm.title} calculates for every record, and stores what changed.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        reread()

    return job


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
