"""Keeps SyncHistory true whatever happens to a run.

Started with the daemon. It writes a row for a materialization that has none (reported from
outside, or lost), closes rows whose run or process is dead, and fails runs that died unnoticed.
"""

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from psycopg.types.json import Jsonb

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations import alerts, channels
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import environment
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Connection

NAME = "sync_history"
PAGE = 100
TICK_SECONDS = 30
"""Dagster ends a tick after 60 s; what is left waits for the next one."""

SILENT_FOR = timedelta(minutes=2)
"""A living process whose row was closed comes upon that sooner, and says so."""

NEWEST_ROW = "newest row"
COUNTED = {
    "records_processed": "records_processed_by_this_run",
    "records_created": "created_by_this_run",
    "records_updated": "updated_by_this_run",
    "records_failed": "failed_in_this_run",
}
"""Columns of SyncHistory, and the materialization's metadata they are mirrored from."""


def build_sensor(entities: Sequence[Entity]) -> dg.SensorDefinition:
    """The sensor over all entities; its cursor is the newest event seen of each asset."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mirrors materializations into SyncHistory, closes rows of dead runs, fails "
        "runs that died unnoticed.",
    )
    def sync_history(
        context: dg.SensorEvaluationContext, warehouse: WarehouseResource
    ) -> dg.SkipReason:
        cursors: dict[str, int] = json.loads(context.cursor or "{}")
        with TellingSafely(), warehouse.open().connection() as connection:
            closed = close_dead_runs(context.instance, connection)
            closed += len(history.reap(connection))
            fail_dead_runs(context.instance, connection)
            mirrored = mirror_all(context.instance, connection, entities, cursors)
        context.update_cursor(json.dumps(cursors))
        return dg.SkipReason(f"{mirrored} materializations mirrored, {closed} rows closed")

    return sync_history


def mirror_all(
    instance: dg.DagsterInstance,
    connection: Connection,
    entities: Sequence[Entity],
    cursors: dict[str, int],
) -> int:
    """Write rows for materializations that have none; how many. Moves `cursors` along.

    When SyncHistory has lost rows (restored from a backup, another database), everything is
    compared again.
    """
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM ingestion_sync_history")
    if newest.fetchall()[0][0] < cursors.get(NEWEST_ROW, 0):
        cursors.clear()
    deadline = time.monotonic() + TICK_SECONDS
    by_key = {asset_key(entity): entity for entity in entities}
    written = 0
    looked_at: set[tuple[str, str]] = set()
    # One query tells which assets have anything new.
    for asset in instance.get_asset_records(list(by_key)):
        entity = by_key[asset.asset_entry.asset_key]
        latest = asset.asset_entry.last_materialization_storage_id or 0
        while cursors.get(entity.name, 0) < latest and time.monotonic() < deadline:
            page = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=asset.asset_entry.asset_key, after_storage_id=cursors.get(entity.name)
                ),
                limit=PAGE,
                ascending=True,
            )
            for record in page.records:
                # A run over thousands of partitions has an event for each, and one sync.
                name = (entity.name, _name(record))
                if name not in looked_at:
                    looked_at.add(name)
                    written += mirror(connection, entity, record)
            cursors[entity.name] = page.records[-1].storage_id if page.records else latest
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM ingestion_sync_history")
    cursors[NEWEST_ROW] = newest.fetchall()[0][0]
    return written


def mirror(connection: Connection, entity: Entity, record: dg.EventLogRecord) -> bool:
    """Write a row for this materialization unless it has one; whether it did. Commits.

    Such a row never carries a watermark: nobody proved what was read.
    """
    told, name = _told(record), _name(record)
    values: dict[str, Any] = {
        "crm": entity.crm,
        "type": entity.sync_type,
        "at": record.timestamp,
        "status": "partial" if told.get("status") == "partial" else "success",
        "configuration": Jsonb({"mirrored_event": name}),
        "run": record.run_id or None,
        "sync": _count(told.get("sync_id")),
        "event": name,
        **{column: _count(told.get(source)) for column, source in COUNTED.items()},
    }
    done = connection.execute(
        "INSERT INTO ingestion_sync_history (crm_source, sync_type, endpoint, start_time, "
        "end_time, status, kind, configuration, run_id, records_processed, records_created, "
        "records_updated, records_failed) "
        "SELECT %(crm)s::text, %(type)s::text, 'mirrored', to_timestamp(%(at)s), "
        "to_timestamp(%(at)s), %(status)s, 'mirrored', %(configuration)s, %(run)s::text, "
        "%(records_processed)s, %(records_created)s, %(records_updated)s, %(records_failed)s "
        "WHERE NOT EXISTS (SELECT FROM ingestion_sync_history "
        "WHERE crm_source = %(crm)s::text AND sync_type = %(type)s::text "
        "AND (id = %(sync)s::bigint AND run_id = %(run)s::text "
        "OR configuration ->> 'mirrored_event' = %(event)s::text))",
        values,
    )
    connection.commit()
    return done.rowcount == 1


def _told(record: dg.EventLogRecord) -> dict[str, Any]:
    event = record.asset_materialization
    return {name: value.value for name, value in event.metadata.items()} if event else {}


def _name(record: dg.EventLogRecord) -> str:
    """What a row is mirrored from: the sync, which the events of all its partitions share.

    An event that names none stands for itself. A storage that was made anew counts from one again,
    so it is told by its time too.
    """
    sync_id = _count(_told(record).get("sync_id"))
    if sync_id and record.run_id:
        return f"sync {sync_id} of run {record.run_id}"
    return f"{record.storage_id} at {record.timestamp}"


def _count(told: object) -> int:
    """A number that metadata from anywhere may claim; 0 for anything that is none."""
    is_count = isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**31
    return told if is_count and isinstance(told, int) else 0


def close_dead_runs(instance: dg.DagsterInstance, connection: Connection) -> int:
    """Close running rows whose Dagster run has ended; how many. Commits."""
    closed = 0
    rows = connection.execute(
        "SELECT id, run_id FROM ingestion_sync_history "
        "WHERE status = 'running' AND run_id IS NOT NULL"
    ).fetchall()
    connection.commit()
    for sync_id, run_id in rows:
        run = instance.get_run_by_id(run_id)
        if run is not None and run.is_finished:
            closed += history.close_failed(
                connection,
                sync_id,
                f"its Dagster run ended as {run.status.value} while it was still running; "
                "the next sync resumes from its checkpoint",
                reason="cancelled" if run.status is dg.DagsterRunStatus.CANCELED else "system",
            )
    return closed


def fail_dead_runs(instance: dg.DagsterInstance, connection: Connection) -> list[str]:
    """Fail runs that are dead although Dagster takes them for running; their ids.

    Dagster notices a worker's death through its code server. When that died too, the run would
    keep its place in the pool for as long as a run may take.
    """
    failed = []
    rows = connection.execute(
        "SELECT run_id, max(end_time) FROM ingestion_sync_history WHERE status = 'failed' "
        "AND error_message = ANY(%s) AND run_id IS NOT NULL "
        "AND end_time > now() - interval '2 days' GROUP BY 1 HAVING max(end_time) <= now() - %s",
        ([history.DIED, history.HUNG], SILENT_FOR),
    ).fetchall()
    connection.commit()
    for run_id, closed_at in rows:
        run = instance.get_run_by_id(run_id)
        if run is None or run.status != dg.DagsterRunStatus.STARTED:
            continue
        newest = instance.get_records_for_run(run_id, limit=1, ascending=False).records
        if newest and newest[0].event_log_entry.timestamp > closed_at.timestamp():
            continue
        instance.report_run_failed(
            run, "its process died in the middle of a sync and has said nothing since"
        )
        failed.append(run_id)
    return failed


def build_alert_sensor(entities: Sequence[Entity]) -> dg.SensorDefinition:
    """The sensor that tells people; on by itself as soon as there is somebody to tell."""
    by_name = {entity.name: entity for entity in entities}

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING
        if channels.configured()
        else dg.DefaultSensorStatus.STOPPED,
        description="Tells the channels of CRM_SYNC_ALERT_URLS what goes wrong, once per incident, "
        "and pings CRM_SYNC_HEARTBEAT_URL.",
    )
    def alert(
        context: dg.SensorEvaluationContext,  # noqa: ARG001  Dagster hands it over
        warehouse: WarehouseResource,
    ) -> dg.SkipReason:
        done = alerts.watch(warehouse.open, environment(), by_name)
        if done.skipped:
            return dg.SkipReason("another evaluation is at it")
        return dg.SkipReason(
            f"{len(done.open)} open incidents, {done.told} told"
            + (f", {done.untold} found no channel" if done.untold else "")
        )

    return alert
