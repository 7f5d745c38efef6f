"""SyncHistory: what ran, how it ended, and from where the next delta starts.

One table, `ingestion_sync_history`. Everything here works on a connection it is given, so that a
batch's rows, its counts and its checkpoint share one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from crm_sync_assets.declarations.contract import Cursor
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import AlreadyRunning, FatalError, Fenced, Reason
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import redact
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.kinds import RESUMABLE, Kind

log = logger(__name__)

Status = Literal["running", "success", "partial", "failed"]

STALE_AFTER = timedelta(minutes=30)
"""A running row whose heartbeat is older than this belongs to a sync that hangs."""

HEARTBEAT_SECONDS = 10.0

DIED = "the process of this sync died; the next one resumes from its checkpoint"
HUNG = "no sign of life from this sync; it was stopped; the next one resumes from its checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where an interrupted sync stopped, and under which terms it may go on.

    `first_attempt` is the id of that attempt's history row, `started` its start by the source's
    clock: the resumed sync takes its watermark from there, its early pages are that
    old. `counts` are those of all attempts so far. `tracks_keys` says whether the keys read were
    written down. `made` is when its page was stored: an attempt that stores nothing hands it on as
    old as it is.
    """

    cursor: Cursor
    terms: str
    first_attempt: int
    started: datetime
    counts: Counts
    tracks_keys: bool = False
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, Any]:
        return {
            "cursor": dict(self.cursor),
            "terms": self.terms,
            "lineage": self.first_attempt,  # as older versions wrote and read it
            "started": self.started.isoformat(),
            "counts": asdict(self.counts),
            "tracks_keys": self.tracks_keys,
            "made": self.made.isoformat(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Checkpoint:
        return cls(
            stored["cursor"],
            stored["terms"],
            stored["lineage"],
            datetime.fromisoformat(stored["started"]),
            Counts(**stored["counts"]),
            stored.get("tracks_keys", False),
            datetime.fromisoformat(stored["made"]),
        )


@dataclass(frozen=True, slots=True)
class Past:
    """What history knows when a sync of an entity begins."""

    watermark: datetime | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    interrupted_id: int | None = None
    interrupted_at: datetime | None = None
    checkpoint: Checkpoint | None = None


def lock(connection: Connection, entity: Entity) -> None:
    """Take the entity's lock for this session. Raises AlreadyRunning, naming the holder.

    The lock dies with its session, so whoever gets it knows that rows still `running` belong to
    the dead; they are closed as failed here.
    """
    if not locks.try_take(connection, locks.entity(resource(entity))):
        connection.rollback()
        raise AlreadyRunning(_holder(connection, entity))
    for sync_id, run_id in connection.execute(
        "UPDATE ingestion_sync_history SET status = 'failed', end_time = clock_timestamp(), "
        "error_message = %s, reason = 'system' "
        "WHERE status = 'running' AND configuration ->> 'lock' = %s "
        "RETURNING id, run_id",
        (DIED, resource(entity)),
    ).fetchall():
        log.warning("%s: sync %s (run %s) had died; closed as failed", entity, sync_id, run_id)
    connection.commit()


def relock(connection: Connection, entity: Entity, *, patience_seconds: float = 15) -> None:
    """Take the lock again on a new session. Raises AlreadyRunning when another sync was faster.

    The server may need a moment to notice that the old session is gone.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        taken = locks.try_take(connection, locks.entity(resource(entity)))
        connection.commit()
        if taken:
            return
        if time.monotonic() > deadline:
            raise AlreadyRunning(_holder(connection, entity))
        time.sleep(0.2)


def unlock(connection: Connection, entity: Entity) -> None:
    locks.release(connection, locks.entity(resource(entity)))
    connection.commit()


def resource(entity: Entity) -> str:
    """What one sync at a time may write: an entity that only marks another's rows shares it."""
    return entity.tombstones_of or entity.name


def _holder(connection: Connection, entity: Entity) -> str:
    row = connection.execute(
        "SELECT id, run_id, start_time, sync_type FROM ingestion_sync_history "
        "WHERE status = 'running' AND configuration ->> 'lock' = %s "
        "ORDER BY start_time DESC LIMIT 1",
        (resource(entity),),
    ).fetchone()
    connection.rollback()
    if row is None:
        return f"{entity}: another sync of it is just starting or ending; try again in a moment"
    return (
        f"{entity}: a sync of it is running already (sync {row[0]} of {entity.crm}.{row[3]}, "
        f"run {row[1] or 'unknown'}, since {row[2]:%Y-%m-%d %H:%M:%S} UTC); "
        "wait for it to end, or terminate that run"
    )


def past(connection: Connection, entity: Entity) -> Past:
    """The newest complete sync's watermark and state, and a failed newest sync's checkpoint.

    Trials (dry runs, limited runs, replays) leave no trace here.
    """
    complete = connection.execute(
        "SELECT watermark, configuration -> 'source_state', configuration ->> 'fingerprint', "
        "configuration -> 'source_memory' "
        "FROM ingestion_sync_history WHERE crm_source = %s AND sync_type = %s "
        "AND status IN ('success', 'partial') AND watermark IS NOT NULL "
        "ORDER BY end_time DESC LIMIT 1",
        (entity.crm, entity.sync_type),
    ).fetchone()
    newest = connection.execute(
        "SELECT id, end_time, checkpoint FROM ingestion_sync_history "  # noqa: S608  constants
        f"WHERE crm_source = %s AND sync_type = %s AND {RESUMABLE} "
        "ORDER BY start_time DESC, id DESC LIMIT 1",
        (entity.crm, entity.sync_type),
    ).fetchone()
    watermark, state, fingerprint, memory = complete or (None, None, None, None)
    if newest is None or newest[2] is None:
        return Past(watermark, state or {}, memory or {}, fingerprint)
    checkpoint = Checkpoint.from_json(newest[2])
    return Past(
        watermark,
        state or {},
        memory or {},
        fingerprint,
        interrupted_id=newest[0],
        # The end of a sync that died is when that was noticed, which may be days later.
        interrupted_at=min(newest[1], checkpoint.made) if newest[1] else None,
        checkpoint=checkpoint,
    )


def insert(
    connection: Connection,
    entity: Entity,
    *,
    kind: Kind,
    run_id: str | None,
    configuration: Mapping[str, Any],
    endpoint: str | None = None,
    checkpoint: Checkpoint | None = None,
) -> int:
    """Open a running row; its id. Commits.

    A sync that resumes takes its checkpoint over, so that it is not lost with a second failure.
    """
    row = connection.execute(
        "INSERT INTO ingestion_sync_history (crm_source, sync_type, endpoint, start_time, status, "
        "kind, configuration, run_id, checkpoint, heartbeat) "
        "VALUES (%s, %s, %s, clock_timestamp(), 'running', %s, %s, %s, %s, clock_timestamp()) "
        "RETURNING id",
        (
            entity.crm,
            entity.sync_type,
            endpoint,
            kind,
            Jsonb(dict(configuration)),
            run_id,
            Jsonb(checkpoint.as_json()) if checkpoint else None,
        ),
    ).fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def record_progress(
    connection: Connection, sync_id: int, counts: Counts, checkpoint: Checkpoint | None
) -> None:
    """Write the counts and the checkpoint so far, in the transaction that stores their rows.

    Raises Fenced when the row is no longer running, which rolls that transaction back.
    """
    done = connection.execute(
        "UPDATE ingestion_sync_history SET records_processed = %s, records_created = %s, "
        "records_updated = %s, records_failed = %s, checkpoint = %s, "
        "heartbeat = clock_timestamp() WHERE id = %s AND status = 'running'",
        (*_told(counts), Jsonb(checkpoint.as_json()) if checkpoint else None, sync_id),
    )
    if done.rowcount != 1:
        raise Fenced(
            f"sync {sync_id} was declared dead while it was working; it stops without writing on"
        )


def has_stored(connection: Connection, sync_id: int, counts: Counts, before: Counts) -> bool:
    """Whether the row tells of the batch that makes these counts of those before, and lives.

    Not where it would tell the same of both: such a batch may be stored again."""
    row = connection.execute(
        "SELECT FROM ingestion_sync_history "
        "WHERE id = %s AND status = 'running' AND (records_processed, records_created, "
        "records_updated, records_failed) = (%s, %s, %s, %s)",
        (sync_id, *_told(counts)),
    ).fetchone()
    return row is not None and _told(counts) != _told(before)


def _told(counts: Counts) -> tuple[int, int, int, int]:
    """What a row says of its counts while it is running."""
    return counts.processed, counts.created, counts.updated, counts.failed


def is_complete(connection: Connection, sync_id: int) -> bool:
    """Whether the row is closed as complete, which only its own sync does."""
    row = connection.execute(
        "SELECT FROM ingestion_sync_history WHERE id = %s AND status IN ('success', 'partial')",
        (sync_id,),
    ).fetchone()
    return row is not None


def beat(connection: Connection, sync_id: int) -> None:
    """Say that the sync is alive although no batch is ready. Commits; raises Fenced."""
    done = connection.execute(
        "UPDATE ingestion_sync_history SET heartbeat = clock_timestamp() "
        "WHERE id = %s AND status = 'running'",
        (sync_id,),
    )
    connection.commit()
    if done.rowcount != 1:
        raise Fenced(f"sync {sync_id} was declared dead while it was waiting; it stops")


def close(
    connection: Connection,
    sync_id: int,
    status: Status,
    counts: Counts,
    *,
    watermark: datetime | None,
    metrics: Mapping[str, Any],
    extra_configuration: Mapping[str, Any],
) -> None:
    """Close a running row that completed, in the caller's transaction. Raises Fenced."""
    if not counts.add_up:
        raise FatalError(f"sync {sync_id}: the counts do not add up, so it may not end: {counts}")
    done = connection.execute(
        "UPDATE ingestion_sync_history SET status = %s, end_time = clock_timestamp(), "
        "records_processed = %s, records_created = %s, records_updated = %s, "
        "records_failed = %s, watermark = %s, checkpoint = NULL, performance_metrics = %s, "
        "configuration = configuration || %s, heartbeat = clock_timestamp() "
        "WHERE id = %s AND status = 'running'",
        (
            status,
            counts.processed,
            counts.created,
            counts.updated,
            counts.failed,
            watermark,
            Jsonb(dict(metrics)),
            Jsonb(dict(extra_configuration)),
            sync_id,
        ),
    )
    if done.rowcount != 1:
        raise Fenced(f"sync {sync_id} was declared dead before it could end; nothing was kept")


def close_failed(
    connection: Connection,
    sync_id: int,
    message: str,
    metrics: Mapping[str, Any] | None = None,
    *,
    reason: Reason,
    start_over: bool = False,
    kind: Kind | None = None,
) -> bool:
    """Close a row as failed, of another `kind` if that is given, unless it is closed. Commits.

    Its checkpoint stays for the next sync to resume from, unless that has to `start_over`.
    """
    done = connection.execute(
        "UPDATE ingestion_sync_history SET status = 'failed', end_time = clock_timestamp(), "
        "error_message = %s, reason = %s, performance_metrics = performance_metrics || %s, "
        "checkpoint = CASE WHEN %s THEN NULL ELSE checkpoint END, kind = coalesce(%s, kind) "
        "WHERE id = %s AND status = 'running'",
        (
            _storable(message)[:10_000],
            reason,
            Jsonb(dict(metrics or {})),
            start_over,
            kind,
            sync_id,
        ),
    )
    connection.commit()
    return done.rowcount == 1


def _storable(message: str) -> str:
    """A message without secrets, and without what a text column cannot hold."""
    return redact(message).replace("\x00", "").encode("utf-8", "replace").decode()


def close_failed_run(
    connection: Connection, run_id: str, crm: str, sync_type: str, message: str, *, reason: Reason
) -> bool:
    """Close the row a run left running for an entity, if it left one. Commits."""
    row = connection.execute(
        "SELECT id FROM ingestion_sync_history "
        "WHERE run_id = %s AND crm_source = %s AND sync_type = %s AND status = 'running'",
        (run_id, crm, sync_type),
    ).fetchone()
    connection.commit()
    return row is not None and close_failed(connection, row[0], message, reason=reason)


def reap(connection: Connection, *, stale_after: timedelta = STALE_AFTER) -> list[int]:
    """Close rows left running by the dead, and by those that hang; their ids. Commits.

    A row whose entity lock nobody holds is dead for certain. One whose lock is held but whose
    heartbeat stopped belongs to a process that hangs: its session is ended too, which frees the
    lock; fencing keeps the process from writing on.
    """
    reaped = []
    running = connection.execute(
        "SELECT id, crm_source, sync_type, run_id, configuration ->> 'lock', "
        "heartbeat < clock_timestamp() - %s "
        "FROM ingestion_sync_history WHERE status = 'running'",
        (stale_after,),
    ).fetchall()
    connection.commit()
    for sync_id, crm, sync_type, run_id, locked, stale in running:
        holder = locks.holder(connection, locks.entity(locked))
        if holder is not None and not stale:
            continue
        why = DIED if holder is None else HUNG
        if holder is not None:
            # First, and until it is gone: stopped within a batch, it has the row locked.
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", (holder,))
            connection.commit()
        if close_failed(connection, sync_id, why, reason="system"):
            log.warning("%s.%s: sync %s (run %s): %s", crm, sync_type, sync_id, run_id, why)
            reaped.append(sync_id)
    return reaped
