"""How long things are kept: the warehouse and Dagster pruned together, by hand or every night."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations.prune import Pruned, prune
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from crm_sync_assets.orchestration.prune_runs import PrunedRuns

UNSET = "CRM_SYNC_RETENTION_DAYS is not set, so nothing is pruned"


def prune_all(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    *,
    before: datetime,
    quarantine_before: datetime | None = None,
    now: datetime,
    dry_run: bool = False,
) -> "tuple[Pruned, PrunedRuns, bool]":
    """Prune Dagster's runs, then the history they no longer need; whether files were compacted.

    The order matters: a row goes only after its run, for the sensor mirrors what has no row.
    """
    # It knows Dagster's storages, which take long to import, and every code location loads this.
    from crm_sync_assets.orchestration.prune_runs import compact, prune_runs, remaining

    entities = registry.all_entities()
    with warehouse.connection() as connection:
        runs = prune_runs(
            instance, connection, list(entities.values()), before=before, dry_run=dry_run
        )
        pruned = prune(
            connection,
            entities,
            before=before,
            quarantine_before=quarantine_before,
            stays=lambda run_ids: remaining(instance, run_ids) - runs.gone,
            checkpoint_age=checkpoint_age,
            now=now,
            dry_run=dry_run,
        )
    return pruned, runs, bool(runs.gone) and not dry_run and compact(instance)


def checkpoint_age(entity: Entity) -> timedelta:
    """How old a checkpoint may be for the entity's next sync to follow it."""
    return timedelta(hours=settings_for(registry.crm(entity.crm), entity).checkpoint_hours)


@dg.op(description="Removes what is older than CRM_SYNC_RETENTION_DAYS and no longer needed.")
def prune_old(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    days = environment().retention_days
    if days is None:
        raise UsageError(f"{UNSET}: set it, 7 or more")
    now = datetime.now(UTC)
    pruned, runs, _ = prune_all(
        context.instance, warehouse.open(), before=now - timedelta(days=days), now=now
    )
    context.log.info("%d Dagster runs removed; %s", len(runs.gone), pruned)


@dg.job(
    name="prune_history",
    description="Old history, runs, events and logs that nothing needs any more are removed. "
    "The quarantine is left alone.",
    executor_def=dg.in_process_executor,
)
def prune_history() -> None:
    prune_old()


def build_schedule() -> dg.ScheduleDefinition:
    """Every night, switched on by CRM_SYNC_RETENTION_DAYS."""

    @dg.schedule(
        name="prune_history_nightly",
        job=prune_history,
        cron_schedule="23 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if environment().retention_days is not None
        else dg.DefaultScheduleStatus.STOPPED,
        description="Prunes what is older than CRM_SYNC_RETENTION_DAYS, every night.",
    )
    def prune_history_nightly() -> dg.RunRequest | dg.SkipReason:
        return dg.RunRequest() if environment().retention_days is not None else dg.SkipReason(UNSET)

    return prune_history_nightly
