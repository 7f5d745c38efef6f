"""Run entities through Dagster in this process, so that every sync leaves the same trace.

A run started here is in the same instance, under the same job name and with the same rows in
SyncHistory as one started in the UI or by a schedule. Dagster is imported only by `launch`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for, unknown_overrides
from crm_sync_assets.declarations.strategy import choose
from crm_sync_assets.errors import Reason, SyncError, UsageError
from crm_sync_assets.warehouse.kinds import UNAVAILABLE

if TYPE_CHECKING:
    from dagster import DagsterInstance, ExecuteInProcessResult

    from crm_sync_assets.warehouse.connection import Warehouse

Ending = Literal["success", "partial", "failed", "unavailable"]


@dataclass(frozen=True, slots=True)
class Task:
    """One entity, and the flags it is synced with."""

    entity: Entity
    flags: Flags


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one entity's sync ended, as SyncHistory has it; `unavailable`: the account has it not.

    `sync_id` is None when there is no row: the sync was refused before it began, or the run was
    stopped before its turn; `error` says which. `is_usage` says that a flag or a setting is wrong,
    so that nothing was read. `doubts` are what its checks found that the sync itself does not say.
    """

    entity: Entity
    status: Ending
    sync_id: int | None = None
    strategy: str | None = None
    processed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    deleted: int = 0
    watermark: datetime | None = None
    seconds: float = 0.0
    per_second: float = 0.0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    is_usage: bool = False
    reason: Reason | None = None
    doubts: Sequence[str] = ()


class Cancelled(SyncError):
    """The run was interrupted; what was not finished is `failed: cancelled` in SyncHistory."""

    reason = "cancelled"

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        super().__init__("cancelled")
        self.outcomes = outcomes


def plan(crm: Crm, entities: Sequence[Entity], flags: Flags) -> list[Task]:
    """What each entity is synced with. Raises UsageError for what cannot be meant.

    A window of dates goes to the entities that can say what changed; the others of a group are
    read whole, as always. Where none of them can, the dates are refused.
    """
    flags.check()
    windowed = bool(flags.start_date or flags.end_date)
    some_track = any(entity.tracks_changes for entity in entities)
    tasks = []
    for entity in entities:
        theirs = flags.beside(entity, entities)
        theirs.check_for(entity)
        if windowed and some_track and not entity.tracks_changes:
            theirs = theirs.model_copy(update={"start_date": None, "end_date": None})
        try:
            choose(theirs, watermark=None, tracks_changes=entity.tracks_changes)
        except UsageError as error:
            raise UsageError(f"{entity}: {error}") from None
        settings_for(crm, entity)
        tasks.append(Task(entity, theirs))
    known = {entity.name: entity for entity in _all_of(crm)}
    mine = [line for line in unknown_overrides({crm.name: crm}, known) if _is_about(crm, line)]
    if mine:
        raise UsageError(mine[0])
    return tasks


def launch(
    crm: Crm,
    tasks: Sequence[Task],
    *,
    job: str | None,
    instance: DagsterInstance,
    warehouse: Warehouse,
) -> list[Outcome]:
    """Sync these entities in one Dagster run; an outcome for each, in their order.

    `job` names a job of the UI, None means chosen assets. An entity that fails stops no other.
    What was synced is checked in the same run.
    Raises Cancelled, with the outcomes, after SIGINT or SIGTERM.
    """
    from dagster._core.errors import DagsterExecutionInterruptedError
    from dagster._core.utils import make_new_run_id

    run_id = make_new_run_id()
    entities = [task.entity for task in tasks]
    result: ExecuteInProcessResult | None = None
    interrupted = False
    try:
        result = _execute(crm, tasks, job, instance, run_id)
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        interrupted = True
    refusals: dict[str, str] = {}
    misused: set[str] = set()
    if result is None or not result.success:
        _close_what_is_open(warehouse, entities, run_id)
        refusals, misused, cut_short = _refusals(instance, run_id)
        interrupted = interrupted or cut_short
    found = _outcomes(warehouse, entities, run_id)
    run = instance.get_run_by_id(run_id)
    interrupted = (
        interrupted
        or (run is not None and run.status.value in ("CANCELED", "CANCELING"))
        # Dagster may report an interrupted step as a failed one.
        or any(outcome.reason == "cancelled" for outcome in found.values())
    )
    missing = refusals.get("") or "the run ended without syncing it"
    if interrupted:
        missing = "cancelled before its turn"
    doubts = _doubts(result)
    outcomes = [
        replace(
            found.get(entity.name)
            or Outcome(entity, "failed", error=refusals.get(_step(entity)) or missing),
            is_usage=_step(entity) in misused,
            doubts=doubts.get(entity.name, []),
        )
        for entity in entities
    ]
    if interrupted:
        raise Cancelled(outcomes)
    return outcomes


def _execute(
    crm: Crm, tasks: Sequence[Task], job: str | None, instance: DagsterInstance, run_id: str
) -> ExecuteInProcessResult:
    with warnings.catch_warnings():
        # Dagster announces which of its parameters are in beta, and what it itself does the old
        # way; neither is about anything this project does.
        warnings.filterwarnings("ignore", module="dagster")
        import dagster as dg

        from crm_sync_assets.orchestration.asset_checks import build_checks
        from crm_sync_assets.orchestration.assets import assets_of, resources_of
        from crm_sync_assets.orchestration.keys import asset_key
        from crm_sync_assets.orchestration.partitions import run_partitions
        from crm_sync_assets.orchestration.schedules import build_job

        entities = tuple(task.entity for task in tasks)
        key, tags = run_partitions((task.entity, task.flags) for task in tasks)
        definitions = dg.Definitions(
            assets=assets_of(crm, entities),
            asset_checks=[build_checks(crm, entity) for entity in entities],
            jobs=[build_job(crm, entities)] if job else [],
            resources=resources_of((crm,)),
            executor=dg.in_process_executor,
        )
        chosen = (
            definitions.resolve_job_def(job)
            if job
            else definitions.resolve_implicit_global_asset_job_def()
        )
        return chosen.execute_in_process(
            run_config={
                "ops": {
                    _step(task.entity): {
                        "config": task.flags.model_dump(mode="json", exclude_defaults=True)
                    }
                    for task in tasks
                },
                # Dagster prints every event of a run to standard error; the run's log keeps them.
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=instance,
            run_id=run_id,
            # A run of a job names the job; one of chosen assets names them.
            asset_selection=None if job else [asset_key(entity) for entity in entities],
            partition_key=key,
            tags={
                "crm_sync/started_by": "command line",
                "crm_sync/command": command(crm, tasks, whole=job is not None),
                **tags,
            },
            raise_on_error=False,
        )


def _doubts(result: ExecuteInProcessResult | None) -> dict[str, list[str]]:
    """By entity, the checks that do not pass. How the sync ended its outcome tells already."""
    found: dict[str, list[str]] = {}
    for one in result.get_asset_check_evaluations() if result else ():
        if not one.passed and one.check_name not in ("last_sync", "failure_rate"):
            name = ".".join(one.asset_key.path)
            found.setdefault(name, []).append(f"{one.check_name}: {one.description}")
    return found


def command(crm: Crm, tasks: Sequence[Task], *, whole: bool) -> str:
    """The command line that such a run is started by, at most 200 characters of it."""
    given = {
        name: value
        for task in tasks
        for name, value in task.flags.model_dump(mode="json", exclude_defaults=True).items()
    }
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in given.items()
    ]
    names = ["all"] if whole else [task.entity.sync_type for task in tasks]
    said = " ".join(["crm-sync", crm.name, *names, *flags])
    return said if len(said) <= 200 else f"{said[:199]}…"


def _close_what_is_open(warehouse: Warehouse, entities: Sequence[Entity], run_id: str) -> None:
    """Whatever kept a sync from its end, this process will not go on with it."""
    from crm_sync_assets.orchestration.hooks import abandon_run
    from crm_sync_assets.told import failure_message, reason_of
    from crm_sync_assets.warehouse import history

    stopped = KeyboardInterrupt()
    abandon_run(run_id, stopped)
    with warehouse.connection() as connection:
        for entity in entities:
            history.close_failed_run(
                connection,
                run_id,
                entity.crm,
                entity.sync_type,
                failure_message(stopped),
                reason=reason_of(stopped),
            )


def _step(entity: Entity) -> str:
    return f"{entity.crm}__{entity.sync_type}"


def _outcomes(warehouse: Warehouse, entities: Sequence[Entity], run_id: str) -> dict[str, Outcome]:
    """The rows this run wrote, by the name of their entity."""
    by_name = {entity.name: entity for entity in entities}
    with warehouse.connection() as connection:
        rows = connection.execute(
            "SELECT id, crm_source || '.' || sync_type, status, records_processed, "
            "records_created, records_updated, records_failed, watermark, performance_metrics, "
            "configuration ->> 'strategy', error_message, reason, kind FROM ingestion_sync_history "
            "WHERE run_id = %s ORDER BY id",
            (run_id,),
        ).fetchall()
    outcomes = {}
    for row in rows:
        sync_id, name, status, processed, created, updated, failed, mark, *others = row
        metrics, how, why, reason, kind = others
        if kind == UNAVAILABLE:
            status = "unavailable"
        unfinished = status == "running"
        outcomes[name] = Outcome(
            by_name[name],
            "failed" if unfinished else status,
            sync_id,
            how,
            processed,
            created,
            updated,
            metrics.get("unchanged", 0),
            failed,
            metrics.get("deleted", 0),
            mark,
            metrics.get("duration_seconds", 0.0),
            metrics.get("records_per_second", 0.0),
            metrics,
            f"its history row is still {status}" if unfinished else why,
            reason=reason,
        )
    return outcomes


def _refusals(instance: DagsterInstance, run_id: str) -> tuple[dict[str, str], set[str], bool]:
    """Why steps failed, by step: the only trace of a sync that never opened a history row.

    Under the empty name: why the run itself failed, if it did. Then the steps for which a flag or
    a setting was wrong, and whether the run was interrupted.
    """
    from dagster import DagsterEventType

    from crm_sync_assets.orchestration.failing import USAGE, WHY

    reasons: dict[str, str] = {}
    misused: set[str] = set()
    interrupted = False
    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        name = event.step_key or ""
        told = event.step_failure_data.user_failure_data if name else None
        error = event.step_failure_data.error if name else event.job_failure_data.error
        interrupted = interrupted or (error is not None and "Interrupt" in str(error.cls_name))
        if told is not None:
            reasons[name] = str(told.metadata[WHY].value)
            if told.metadata[USAGE].value:
                misused.add(name)
        elif error is not None:
            while error.cause is not None:
                error = error.cause
            reasons[name] = error.message.strip()
    return reasons, misused, interrupted


def _all_of(crm: Crm) -> tuple[Entity, ...]:
    from crm_sync_assets.declarations import registry

    return registry.entities(crm.name)


def _is_about(crm: Crm, problem: str) -> bool:
    return problem.upper().startswith(f"CRM_SYNC_{crm.name.upper()}__")
