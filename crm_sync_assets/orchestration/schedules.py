"""One job per CRM with all its entities, an hourly delta of it, and what is read again by night.

Schedules are off until switched on.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Cadence, Entity, Resweep
from crm_sync_assets.declarations.switches import is_in_all, lacking
from crm_sync_assets.orchestration.assets import asset_key
from crm_sync_assets.orchestration.partitions import present_of


def build_job(crm: Crm, entities: tuple[Entity, ...]) -> UnresolvedAssetJobDefinition:
    """The job `<crm>_all`: every entity that a run of the whole CRM takes, one run for all."""
    return dg.define_asset_job(
        f"{crm.name}_all",
        selection=dg.AssetSelection.assets(*(asset_key(e) for e in entities if is_in_all(crm, e))),
        description=f"A delta of every {crm.title} entity; one that fails stops no other.",
        executor_def=dg.in_process_executor,
    )


def build_schedule(
    crm: Crm, job: UnresolvedAssetJobDefinition, entities: tuple[Entity, ...]
) -> dg.ScheduleDefinition:
    """Hourly, at the CRM's own minute, so that the CRMs do not all start at once.

    A run is for the present partition, where an entity has partitions.
    """

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:  # noqa: ARG001
        return dg.RunRequest(partition_key=present_of(entities))

    return dg.ScheduleDefinition(
        name=f"{crm.name}_hourly_delta",
        job=job,
        execution_fn=request,
        cron_schedule=f"{crm.minute} * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"A delta of every {crm.title} entity at minute {crm.minute} of each hour.",
    )


def build_resweeps(crm: Crm, entities: tuple[Entity, ...]) -> Iterator[dg.ScheduleDefinition]:
    """The schedules `<crm>_weekly_resweep` and `<crm>_monthly_resweep`, where an entity wants one.

    By night, a quarter of an hour after the CRM's delta, so that they seldom meet.
    """
    minute = (crm.minute + 15) % 60
    crons: dict[Cadence, str] = {"weekly": f"{minute} 4 * * 0", "monthly": f"{minute} 5 1 * *"}
    readable = [entity for entity in entities if not lacking(crm, entity)]
    for cadence, cron in crons.items():
        swept = [(e, sweep) for e in readable for sweep in e.resweeps if sweep.cadence == cadence]
        if swept:
            yield _resweep(crm, cadence, cron, swept)


def _resweep(
    crm: Crm, cadence: Cadence, cron: str, swept: list[tuple[Entity, Resweep]]
) -> dg.ScheduleDefinition:
    def config(context: dg.ScheduleEvaluationContext) -> dict[str, Any]:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        return {
            "ops": {
                f"{entity.crm}__{entity.sync_type}": {
                    "config": {"start_date": f"{today - sweep.back:%Y-%m-%d}"}
                    if sweep.back
                    else {"full": True}
                }
                for entity, sweep in swept
            }
        }

    reads = ", ".join(
        f"{entity.sync_type} ({'whole' if sweep.back is None else f'{sweep.back.days} days back'})"
        for entity, sweep in swept
    )
    return dg.ScheduleDefinition(
        name=f"{crm.name}_{cadence}_resweep",
        target=dg.AssetSelection.assets(*(asset_key(entity) for entity, _ in swept)),
        run_config_fn=config,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Reads again what {crm.title} may have changed without saying so: {reads}.",
    )
