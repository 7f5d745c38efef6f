"""What Dagster no longer needs: old runs with their events, check evaluations and compute logs.

The catalogue and the sensor stay true: the newest event of every asset, partition and check stays
with its run, and so does a materialization that SyncHistory has no row of yet.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import DagsterEventType
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import BACKFILL_ID_TAG

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.log import logger
from crm_sync_assets.orchestration.asset_checks import CHECKS
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.sensors import NAME, NEWEST_ROW
from crm_sync_assets.warehouse.connection import Connection

log = logger(__name__)

PAGE = 500

T = TypeVar("T")


@dataclass(slots=True)
class PrunedRuns:
    """The runs that went, or would go, and how many stay although they are old enough."""

    gone: set[str] = field(default_factory=set)
    kept: int = 0


def prune_runs(
    instance: dg.DagsterInstance,
    connection: Connection,
    entities: Sequence[Entity],
    *,
    before: datetime,
    dry_run: bool = False,
) -> PrunedRuns:
    """Remove finished runs that were last touched before `before` and are not needed.

    Each run is a transaction of its own, so that running ones are not held up.
    """
    old = list(_finished(instance, before))
    needed = needed_runs(instance, connection, entities, before=before)
    gone = [run_id for run_id in old if run_id not in needed]
    if not dry_run:
        for page in _pages(gone):
            _forget_checks(instance, page)
            for run_id in page:
                instance.delete_run(run_id)
                instance.compute_log_manager.delete_logs(prefix=[run_id])
                _remove_shard(instance, run_id)
    return PrunedRuns(set(gone), len(old) - len(gone))


def remaining(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> set[str]:
    """Which of these runs Dagster has."""
    return {
        run_id
        for page in _pages(sorted(set(run_ids)))
        for run_id in instance.get_run_ids(dg.RunsFilter(run_ids=page))
    }


def compact(instance: dg.DagsterInstance) -> bool:
    """Give what SQLite freed back to the disk; False where there is none, or it is in use."""
    if instance.get_runs_count(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        log.info("Dagster's SQLite files are not compacted while runs are in progress")
        return False
    events, runs = instance.event_log_storage, instance.run_storage
    done = False
    try:
        if isinstance(events, SqlEventLogStorage):
            with events.index_connection() as connection:
                done |= _vacuum(connection)
        if isinstance(runs, SqlRunStorage):
            with runs.connect() as connection:
                done |= _vacuum(connection)
    except sa.exc.OperationalError as error:
        log.info("Dagster's SQLite files are in use and were not compacted: %s", error.orig)
    return done


def _vacuum(connection: sa.Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    connection.exec_driver_sql("VACUUM")
    return True


def _finished(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    wanted = dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before, updated_before=before)
    cursor = None
    # Nothing is removed before all are listed: a cursor is a run that has to be there.
    while page := instance.get_run_ids(wanted, cursor=cursor, limit=PAGE):
        yield from page
        cursor = page[-1]


# What is needed


def needed_runs(
    instance: dg.DagsterInstance,
    connection: Connection,
    entities: Sequence[Entity],
    *,
    before: datetime,
) -> set[str]:
    """Runs that stay whatever their age."""
    found = {*_of_checks(instance, entities), *_of_open_backfills(instance)}
    for asset in instance.get_asset_records():
        entry = asset.asset_entry
        key = entry.asset_key
        latest = [
            entry.last_materialization_record,
            *instance.fetch_observations(key, limit=1).records,
        ]
        found |= {record.run_id for record in latest if record is not None}
        found |= {entry.last_run_id} if entry.last_run_id else set()
        found |= _of_partitions(instance, key)
    cursors = sensor_cursors(instance, connection)
    for entity in entities:
        found |= _not_mirrored(instance, connection, entity, cursors.get(entity.name), before)
    return found


def _of_partitions(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    """The newest materialization of each partition, and a newer try that did not get there."""
    newest = instance.get_latest_storage_id_by_partition(
        key, DagsterEventType.ASSET_MATERIALIZATION
    )
    found = set()
    for page in _pages(sorted(set(newest.values()))):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=page)
        records = instance.fetch_materializations(wanted, limit=len(page)).records
        found |= {record.run_id for record in records}
    tries = instance.event_log_storage
    failed = tries.get_latest_asset_partition_materialization_attempts_without_materializations(key)
    return found | {run_id for run_id, _ in failed.values()}


def _of_checks(instance: dg.DagsterInstance, entities: Sequence[Entity]) -> Iterator[str]:
    keys = [dg.AssetCheckKey(asset_key(entity), name) for entity in entities for name in CHECKS]
    for page in _pages(keys):
        found = instance.event_log_storage.get_asset_check_summary_records(page)
        for summary in found.values():
            for record in (
                summary.last_check_execution_record,
                summary.last_completed_check_execution_record,
            ):
                if record is not None:
                    yield record.run_id


def _of_open_backfills(instance: dg.DagsterInstance) -> Iterator[str]:
    open_ = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=open_)):
        yield from instance.get_run_ids(dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill.backfill_id}))


def sensor_cursors(instance: dg.DagsterInstance, connection: Connection) -> dict[str, int]:
    """How far the SyncHistory sensor has read, by entity; nothing if it will read all again."""
    cursors: list[dict[str, int]] = []
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        told = state.instigator_data
        if state.name == NAME and isinstance(told, SensorInstigatorData) and told.cursor:
            cursors.append(json.loads(told.cursor))
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM ingestion_sync_history")
    last = newest.fetchall()[0][0]
    connection.commit()
    if not cursors or any(last < cursor.get(NEWEST_ROW, 0) for cursor in cursors):
        return {}
    # Where the project was loaded under several names, the one that is furthest behind counts.
    names = set.intersection(*(set(cursor) for cursor in cursors))
    return {name: min(cursor[name] for cursor in cursors) for name in names}


def _not_mirrored(
    instance: dg.DagsterInstance,
    connection: Connection,
    entity: Entity,
    cursor: int | None,
    before: datetime,
) -> set[str]:
    """Runs with a materialization that the sensor has not read and SyncHistory has no row of."""
    found: set[str] = set()
    while True:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=asset_key(entity),
                after_storage_id=cursor,
                before_timestamp=before.timestamp(),
            ),
            limit=PAGE,
            ascending=True,
        ).records
        if not page:
            return found
        cursor = page[-1].storage_id
        run_ids = {record.run_id for record in page if record.run_id}
        rows = connection.execute(
            "SELECT DISTINCT run_id FROM ingestion_sync_history "
            "WHERE crm_source = %s AND sync_type = %s AND run_id = ANY(%s)",
            (entity.crm, entity.sync_type, list(run_ids)),
        ).fetchall()
        connection.commit()
        found |= run_ids - {row[0] for row in rows}


# What Dagster leaves behind when a run is deleted


def _forget_checks(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """The evaluations of these runs: they have a table of their own, which else only grows."""
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(
                    AssetCheckExecutionsTable.c.run_id.in_(run_ids)
                )
            )


def _remove_shard(instance: dg.DagsterInstance, run_id: str) -> None:
    """The run's own SQLite file, which Dagster empties but keeps at its size."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{storage.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)


def _pages(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), PAGE):
        yield list(items[start : start + PAGE])
