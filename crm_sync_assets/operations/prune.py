"""What the warehouse no longer needs: old history rows, quarantine entries, leftovers of attempts.

Nothing goes that a later sync or a person still needs. Work is done in short transactions, one
per batch, so that syncs may run meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import AlreadyRunning
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.history import Checkpoint
from crm_sync_assets.warehouse.kinds import REAL, RESUMABLE

log = logger(__name__)

BATCH = 1_000
KEYS_BATCH = 10_000

Stays = Callable[[list[str]], set[str]]
"""Which of these Dagster runs are still there once the pruning is done."""


@dataclass(slots=True)
class Pruned:
    """How much went, or would go in a dry run; `quarantine` is entries by entity."""

    history: int = 0
    history_kept: int = 0
    quarantine: dict[str, int] = field(default_factory=dict)
    keys: int = 0
    shadows: list[str] = field(default_factory=list)
    rate_budgets: int = 0
    alerts: int = 0
    webhook_events: int = 0


_NEWEST: LiteralString = (
    "SELECT DISTINCT ON (crm_source, sync_type) id FROM ingestion_sync_history "  # noqa: S608
    f"WHERE {RESUMABLE} "
    "ORDER BY crm_source, sync_type, start_time DESC, id DESC"
)
"""The rows whose checkpoint the next sync looks at."""

_NEEDED: tuple[LiteralString, ...] = (
    # The sensor takes a history that ends earlier than before for one that lost rows.
    "SELECT max(id) FROM ingestion_sync_history HAVING max(id) IS NOT NULL",
    # The watermark with its state, and what tells whether watermarks move.
    "SELECT id FROM (SELECT id, rank() OVER (PARTITION BY crm_source, sync_type "
    "ORDER BY end_time DESC) AS place FROM ingestion_sync_history "
    "WHERE status IN ('success', 'partial') AND watermark IS NOT NULL) AS c WHERE place <= 3",
    _NEWEST,
    # Per way of ending the newest, by its start and by its end, with trials and without.
    "SELECT DISTINCT ON (crm_source, sync_type, status) id FROM ingestion_sync_history "
    "ORDER BY crm_source, sync_type, status, start_time DESC, id DESC",
    "SELECT DISTINCT ON (crm_source, sync_type, status) id "  # noqa: S608  constants
    "FROM ingestion_sync_history "
    f"WHERE {REAL} ORDER BY crm_source, sync_type, status, start_time DESC, id DESC",
    "SELECT DISTINCT ON (crm_source, sync_type, status) id "  # noqa: S608  constants
    "FROM ingestion_sync_history "
    f"WHERE {REAL} ORDER BY crm_source, sync_type, status, end_time DESC, id DESC",
    # The full reads that the check `not_suddenly_empty` compares.
    "SELECT id FROM (SELECT id, rank() OVER (PARTITION BY crm_source, sync_type, "
    "records_processed > 0 ORDER BY end_time DESC) AS place FROM ingestion_sync_history "
    "WHERE watermark IS NOT NULL AND configuration ->> 'strategy' IN ('full', 'initial_full')) "
    "AS f WHERE place <= 3",
    # Attempts whose keys are still there: they would go with the row.
    "SELECT DISTINCT sync_id FROM ingestion_sync_keys",
)


def prune(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    before: datetime,
    quarantine_before: datetime | None = None,
    stays: Stays = lambda _: set(),
    checkpoint_age: Callable[[Entity], timedelta] = lambda _: timedelta.max,
    now: datetime,
    dry_run: bool = False,
) -> Pruned:
    """Remove what ended before `before` and is not needed; what went.

    `entities` are all that are declared, by name. `stays` tells which Dagster runs remain: the
    row of such a run does too, else the sensor would write it again. `checkpoint_age` is how old
    a checkpoint an entity's sync still follows. Raises AlreadyRunning next to another pruning.
    """
    connection.commit()
    done = Pruned()
    with locks.held(connection, locks.PRUNING) as alone:
        if not alone:
            raise AlreadyRunning("another `crm-sync history prune` is running; wait for it to end")
        live = _live_attempts(connection, entities, checkpoint_age, now)
        _leftovers(connection, live, done, dry_run)
        if quarantine_before is not None:
            _quarantine(connection, quarantine_before, done, dry_run)
        _history(connection, before, quarantine_before, live, stays, done, dry_run)
        done.rate_budgets = _rest(
            connection, "ingestion_rate_budget WHERE updated_at < %(before)s", before, dry_run
        )
        done.alerts = _rest(
            connection,
            "ingestion_alert WHERE closed_at < %(before)s AND recovery_told_at IS NOT NULL",
            before,
            dry_run,
        )
        done.webhook_events = _webhook_events(connection, before, dry_run)
    return done


def _live_attempts(
    connection: Connection,
    entities: Mapping[str, Entity],
    checkpoint_age: Callable[[Entity], timedelta],
    now: datetime,
) -> set[int]:
    """First attempts whose keys and shadows are in use, or that a next sync may still resume."""
    live: set[int] = set()
    rows = connection.execute(
        "SELECT id, crm_source || '.' || sync_type, status, end_time, checkpoint, "  # noqa: S608
        "configuration -> 'resumes' FROM ingestion_sync_history WHERE status = 'running' "
        f"OR id IN ({_NEWEST})"
    ).fetchall()
    connection.commit()
    for sync_id, name, status, ended, stored, resumes in rows:
        checkpoint = Checkpoint.from_json(stored) if stored else None
        if status == "running":
            live |= {sync_id, *([resumes] if resumes else [])}
        elif checkpoint is not None:
            interrupted = min(ended, checkpoint.made) if ended else checkpoint.made
            entity = entities.get(name)
            if entity is None or now - interrupted > checkpoint_age(entity):
                continue
        if checkpoint is not None:
            live.add(checkpoint.first_attempt)
    return live


def _leftovers(connection: Connection, live: set[int], done: Pruned, dry_run: bool) -> None:
    """Keys and shadow tables of attempts that nobody can resume any more."""
    for sync_id, count in connection.execute(
        "SELECT sync_id, count(*) FROM ingestion_sync_keys GROUP BY 1 ORDER BY 1"
    ).fetchall():
        if sync_id in live:
            continue
        done.keys += count
        while not dry_run:
            removed = connection.execute(
                "DELETE FROM ingestion_sync_keys WHERE ctid = ANY(ARRAY("
                "SELECT ctid FROM ingestion_sync_keys WHERE sync_id = %s LIMIT %s))",
                (sync_id, KEYS_BATCH),
            ).rowcount
            connection.commit()
            if not removed:
                break
    connection.commit()
    for first_attempt, name in connection.execute(
        "SELECT substring(relname FROM '^ingestion_shadow_([0-9]+)_')::bigint, relname "
        "FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) "
        "AND relname ~ '^ingestion_shadow_[0-9]+_' ORDER BY 2"
    ).fetchall():
        if first_attempt in live:
            continue
        done.shadows.append(name)
        if not dry_run:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
            connection.commit()
    connection.commit()


def _quarantine(connection: Connection, before: datetime, done: Pruned, dry_run: bool) -> None:
    """Entries not seen since: they were never stored, and then are only at the source."""
    gone: Counter[str] = Counter()
    last = 0
    while True:
        rows = connection.execute(
            "SELECT id, crm_source || '.' || sync_type FROM ingestion_quarantine "
            "WHERE last_seen < %s AND id > %s ORDER BY id LIMIT %s",
            (before, last, BATCH),
        ).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        names: dict[int, str] = {row[0]: row[1] for row in rows}
        ids = list(names)
        if not dry_run:
            ids = [
                row[0]
                for row in connection.execute(
                    "DELETE FROM ingestion_quarantine WHERE id = ANY(%s) AND last_seen < %s "
                    "RETURNING id",
                    (ids, before),
                )
            ]
        connection.commit()
        gone.update(names[each] for each in ids)
    connection.commit()
    done.quarantine = dict(sorted(gone.items()))


def _webhook_events(connection: Connection, before: datetime, dry_run: bool) -> int:
    """Events of which something became before then; what is pending stays."""
    old: LiteralString = "FROM ingestion_webhook_event WHERE status <> 'pending' "
    old += "AND coalesce(processed_at, received_at) < %s"
    if dry_run:
        found = connection.execute(f"SELECT count(*) {old}", (before,)).fetchone()
        connection.commit()
        return int(found[0]) if found else 0
    gone = 0
    while True:
        removed = connection.execute(
            "DELETE FROM ingestion_webhook_event "  # noqa: S608  a constant
            f"WHERE ctid = ANY(ARRAY(SELECT ctid {old} LIMIT %s))",
            (before, KEYS_BATCH),
        ).rowcount
        connection.commit()
        if not removed:
            return gone
        gone += removed


def _history(
    connection: Connection,
    before: datetime,
    quarantine_before: datetime | None,
    live: set[int],
    stays: Stays,
    done: Pruned,
    dry_run: bool,
) -> None:
    kept = live | _needed(connection, quarantine_before, dry_run)
    last = 0
    while True:
        rows = connection.execute(
            "SELECT id, run_id, kind FROM ingestion_sync_history "
            "WHERE status <> 'running' AND coalesce(end_time, start_time) < %s AND id > %s "
            "ORDER BY id LIMIT %s",
            (before, last, BATCH),
        ).fetchall()
        connection.commit()
        if not rows:
            return
        last = rows[-1][0]
        in_dagster = stays([row[1] for row in rows if row[1]])
        ids = [
            sync_id
            for sync_id, run_id, kind in rows
            if sync_id not in kept
            and run_id not in in_dagster
            # Dagster keeps events that belong to no run, and so does their row.
            and (run_id or kind != "mirrored")
        ]
        gone = len(ids)
        if ids and not dry_run:
            gone = connection.execute(
                "DELETE FROM ingestion_sync_history WHERE id = ANY(%s) AND status <> 'running'",
                (ids,),
            ).rowcount
            connection.commit()
        done.history += gone
        done.history_kept += len(rows) - gone


def _needed(connection: Connection, quarantine_before: datetime | None, dry_run: bool) -> set[int]:
    """Rows that stay whatever their age."""
    found: set[int] = set()
    for query in _NEEDED[:-1] if dry_run else _NEEDED:
        found |= {row[0] for row in connection.execute(query)}
    found |= {
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT sync_id FROM ingestion_quarantine WHERE sync_id IS NOT NULL "
            "AND NOT coalesce(last_seen < %s, false)",
            (quarantine_before,),
        )
    }
    connection.commit()
    return found


def _rest(connection: Connection, rows: LiteralString, before: datetime, dry_run: bool) -> int:
    values: dict[str, Any] = {"before": before}
    if dry_run:
        query: LiteralString = f"SELECT count(*) FROM {rows}"  # noqa: S608  constants
        found = connection.execute(query, values).fetchone()
        count = found[0] if found else 0
    else:
        count = connection.execute(f"DELETE FROM {rows}", values).rowcount  # noqa: S608
    connection.commit()
    return int(count)
