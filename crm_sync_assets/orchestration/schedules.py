"""One job per CRM with all its entities, and an hourly delta of it, off until switched on."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.orchestration.assets import asset_key


def build_job(crm: Crm, entities: tuple[Entity, ...]) -> UnresolvedAssetJobDefinition:
    """The job `<crm>_all`: every entity that a run of the whole CRM takes, one run for all."""
    return dg.define_asset_job(
        f"{crm.name}_all",
        selection=dg.AssetSelection.assets(*(asset_key(e) for e in entities if e.in_all)),
        description=f"A delta of every {crm.title} entity; one that fails stops no other.",
        executor_def=dg.in_process_executor,
    )


def build_schedule(crm: Crm, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Hourly, at the CRM's own minute, so that the CRMs do not all start at once."""
    return dg.ScheduleDefinition(
        name=f"{crm.name}_hourly_delta",
        job=job,
        cron_schedule=f"{crm.minute} * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"A delta of every {crm.title} entity at minute {crm.minute} of each hour.",
    )
