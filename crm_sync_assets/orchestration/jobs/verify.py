"""The job `<crm>_verify` and its weekly schedule: all of a CRM compared with its source."""

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import can_verify, verify
from crm_sync_assets.orchestration.jobs.each_entity import Chosen, Done, EachEntity
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse


class VerifyConfig(Chosen):
    """Which entities of the CRM to compare with the source, and whether to mend them."""

    repair: bool = Field(False, description="Read again exactly the records that differ.")


def compare(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    settings: SyncSettings,
    config: VerifyConfig,
    run_id: str,
) -> Done | None:
    """Verify one entity; None where there is nothing to compare it with.

    It is a problem where a sync missed something.
    """
    if not can_verify(entity, client):
        return None
    found = verify(warehouse, entity, client, settings, repair=config.repair, run_id=run_id)
    failed = found.status == "failed"
    return Done(observed(found), f"{entity}: {found.summary()}" if failed else None)


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


VERIFY = EachEntity(
    "verify",
    compare,
    VerifyConfig,
    does="Compares every {crm} entity with the source, record by record.",
    schedule="weekly_verification",
    cron="3 * * 0",
    schedule_does="Compares {crm} with the warehouse every Sunday.",
)
