"""One job per CRM with all its entities, its delta, its full read, and what is read again by night.

Schedules are off until switched on, one by one in the UI or all by CRM_SYNC_SCHEDULES.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from dagster._utils.schedules import is_valid_cron_schedule

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Cadence, Entity, Resweep
from crm_sync_assets.declarations.switches import is_in_all, lacking
from crm_sync_assets.declarations.timetable import NEVER, Timing, cron_of, variable_of
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.config import block_name
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.partitions import everything, partitions_of, present_of
from crm_sync_assets.settings import environment


def build_job(crm: Crm, entities: tuple[Entity, ...]) -> UnresolvedAssetJobDefinition:
    """The job `<crm>_all`: every entity that a run of the whole CRM takes, one run for all."""
    return dg.define_asset_job(
        f"{crm.name}_all",
        selection=dg.AssetSelection.assets(*(asset_key(e) for e in entities if is_in_all(crm, e))),
        description=f"A delta of every {crm.title} entity; one that fails stops no other.",
        executor_def=dg.in_process_executor,
    )


def is_on() -> dg.DefaultScheduleStatus:
    """What a schedule is until somebody switches it in the UI."""
    on = environment().schedules
    return dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED


def build_schedules(
    crm: Crm, job: UnresolvedAssetJobDefinition, entities: tuple[Entity, ...]
) -> Iterator[dg.ScheduleDefinition]:
    """The schedules `<crm>_hourly_delta` and `<crm>_weekly_full`, unless they are to be never.

    A delta is for the present partition, a full read for all of them. Each CRM has its own minute,
    so that they do not all start at once. Raises UsageError for a cron that is none.
    """
    dated = [e for e in entities if e.tracks_changes and is_in_all(crm, e)]

    def delta(_: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=present_of(dated))

    if cron := _cron(crm, "schedule"):
        yield dg.ScheduleDefinition(
            name=f"{crm.name}_hourly_delta",
            job=job,
            execution_fn=delta,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=is_on(),
            description=f"A delta of every {crm.title} entity.",
        )

    def full(_: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        partitioned = partitions_of(dated[0])
        assert partitioned is not None
        config = {"resources": {block_name(crm): {"config": {"full": True}}}}
        return dg.RunRequest(run_config=config, tags=everything(partitioned))

    if dated and (cron := _cron(crm, "full_schedule")):
        yield dg.ScheduleDefinition(
            name=f"{crm.name}_weekly_full",
            target=dg.AssetSelection.assets(*map(asset_key, dated)),
            execution_fn=full,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=is_on(),
            description=f"Reads all of {crm.title} again: what no delta was told of is found. What "
            "cannot say what changed is read whole by each delta.",
        )


def _cron(crm: Crm, timing: Timing) -> str | None:
    cron = cron_of(crm, timing)
    if cron is not None and not is_valid_cron_schedule(cron):
        raise UsageError(
            f"{variable_of(crm, timing)} is '{cron}', which is no cron schedule: write five fields "
            f"in UTC, like '{crm.minute} * * * *', or {NEVER}"
        )
    return cron


def build_resweeps(crm: Crm, entities: tuple[Entity, ...]) -> Iterator[dg.ScheduleDefinition]:
    """The schedules `<crm>_daily_resweep`, weekly and monthly, where an entity wants one.

    By night, a quarter of an hour after the CRM's delta, so that they seldom meet.
    """
    minute = (crm.minute + 15) % 60
    crons: dict[Cadence, str] = {
        "daily": f"{minute} 3 * * *",
        "weekly": f"{minute} 4 * * 0",
        "monthly": f"{minute} 5 1 * *",
    }
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
        default_status=is_on(),
        description=f"Reads again what {crm.title} may have changed without saying so: {reads}.",
    )
