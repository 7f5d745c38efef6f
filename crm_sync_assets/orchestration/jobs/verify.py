"""The job `<crm>_verify` and its weekly schedule: all of a CRM compared with its source."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import can_verify, verify
from crm_sync_assets.orchestration.jobs.each_entity import Chosen, Done, build_job_of_each
from crm_sync_assets.warehouse.connection import Warehouse


class VerifyConfig(Chosen):
    """Which entities of the CRM to compare with the source, and whether to mend them."""

    repair: bool = Field(False, description="Read again exactly the records that differ.")


def build_verification(crm: Crm, entities: tuple[Entity, ...]) -> dg.JobDefinition:
    """The job that compares them; it fails where a sync missed something.

    An observation has `verified_through`, the counts, what differs.
    """

    def compare(
        warehouse: Warehouse, entity: Entity, client: Client, config: VerifyConfig, run_id: str
    ) -> Done | None:
        if not can_verify(entity, client):
            return None
        found = verify(
            warehouse,
            entity,
            client,
            settings_for(crm, entity),
            repair=config.repair,
            run_id=run_id,
        )
        failed = found.status == "failed"
        return Done(observed(found), f"{entity}: {found.summary()}" if failed else None)

    return build_job_of_each(
        crm,
        entities,
        compare,
        verb="verify",
        description=f"Compares every {crm.title} entity with the source, record by record.",
        config_type=VerifyConfig,
    )


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
