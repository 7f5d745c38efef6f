"""The job `<crm>_verify` and its weekly schedule: all of a CRM compared with its source."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import can_verify, verify
from crm_sync_assets.orchestration.assets import asset_key
from crm_sync_assets.orchestration.resources import ClientResource, WarehouseResource


class VerifyConfig(dg.Config):
    """Which entities of the CRM to compare with the source, and whether to mend them."""

    entities: list[str] = Field([], description="Names of entities; none means all.")
    repair: bool = Field(False, description="Read again exactly the records that differ.")


def build_verification(crm: Crm, entities: tuple[Entity, ...]) -> dg.JobDefinition:
    """The job that compares them one after the other; it fails where a sync missed something.

    Each leaves an observation on its asset: `verified_through`, the counts, what differs.
    """

    @dg.op(
        name=f"verify_{crm.name}",
        required_resource_keys={crm.name, "warehouse"},
        pool=crm.name,
        out=dg.Out(dg.Nothing),
    )
    def compare(context: dg.OpExecutionContext, config: VerifyConfig) -> None:
        resource: ClientResource = getattr(context.resources, crm.name)
        warehouse: WarehouseResource = context.resources.warehouse
        client = resource.open()
        problems = []
        for entity in wanted(crm, entities, config.entities):
            if not can_verify(entity, client):
                continue
            try:
                found = verify(
                    warehouse.open(),
                    entity,
                    client,
                    settings_for(crm, entity),
                    repair=config.repair,
                    run_id=context.run_id,
                )
            except SyncError as error:
                problems.append(str(error))
                continue
            context.log_event(
                dg.AssetObservation(asset_key(entity), metadata=observed(found)),
            )
            if found.status == "failed":
                problems.append(f"{entity}: {found.summary()}")
        if problems:
            raise FatalError("; ".join(problems))

    @dg.job(
        name=f"{crm.name}_verify",
        description=f"Compares every {crm.title} entity with the source, record by record.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        compare()

    return job


def build_verification_schedule(crm: Crm, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Sundays, half an hour after the CRM's delta, so that little has changed since."""
    return dg.ScheduleDefinition(
        name=f"{crm.name}_weekly_verification",
        job=job,
        cron_schedule=f"{(crm.minute + 30) % 60} 3 * * 0",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Compares {crm.title} with the warehouse every Sunday.",
    )


def wanted(crm: Crm, entities: tuple[Entity, ...], names: list[str]) -> list[Entity]:
    """The entities of these names, all for none. Raises UsageError with the nearest name."""
    chosen = [entity for entity in entities if not names or entity.sync_type in names]
    unknown = set(names) - {entity.sync_type for entity in chosen}
    if unknown:
        registry.entity(f"{crm.name}.{min(unknown)}")
    return chosen


def observed(found: Verification) -> dict[str, dg.MetadataValue]:
    """What the asset's page shows of a verification."""
    through = found.verified_through
    return {
        "verified_through": dg.MetadataValue.timestamp(through)
        if through
        else dg.MetadataValue.text("not verified"),
        "verification": dg.MetadataValue.text(found.summary()),
        "sync_id": dg.MetadataValue.int(found.sync_id),
        "findings": dg.MetadataValue.json(
            [{"kind": f.kind, "key": list(f.key), "repaired": f.repaired} for f in found.left[:100]]
        ),
    }
