"""How each entity is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.alert_rules import expected_every
from crm_sync_assets.operations.baselines import Pace, named, paces
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL, TOLD, UNAVAILABLE

Word = Literal["failed", "overdue", "partial", "fresh", "never synced"]
WORDS: tuple[Word, ...] = ("failed", "overdue", "partial", "fresh", "never synced")
"""From the worst on."""


@dataclass(frozen=True, slots=True)
class State:
    """An entity now; moments are aware, None where there was none.

    `complete_at` is the end of the newest complete sync. `verified_at` is the end of the newest
    verification, `verified_through` up to when that proved that nothing was missed. `rows` is
    PostgreSQL's estimate of the table, of rows marked deleted too, None without a table. Without
    a complete sync for longer than `expected_every` it is overdue, unless that is None.
    """

    entity: Entity
    status: str | None
    started: datetime | None
    is_running: bool
    complete_at: datetime | None
    watermark: datetime | None
    verified_at: datetime | None
    verified_through: datetime | None
    rows: int | None
    quarantined: int
    expected_every: timedelta | None
    pace: Pace | None

    def word(self, now: datetime) -> Word:
        if self.status is None:
            return "never synced"
        if self.status == "failed":
            return "failed"
        expected = self.expected_every
        if expected is not None and (self.complete_at is None or now - self.complete_at > expected):
            return "overdue"
        return "partial" if self.status == "partial" and self.quarantined else "fresh"


# The newest of one entity's rows that meet a condition: each is a step down an index.
_NEWEST = (
    "LEFT JOIN LATERAL (SELECT * FROM ingestion_sync_history WHERE crm_source = w.crm "
    "AND sync_type = w.type AND {} ORDER BY start_time DESC, id DESC LIMIT 1) AS {} ON true "
)
_HAS_ENDED = "status <> 'running' AND reason IS DISTINCT FROM 'cancelled'"
_ENDED = f"{REAL} AND {_HAS_ENDED}"
_STATES = (
    "SELECT w.crm || '.' || w.type, "  # noqa: S608
    f"CASE WHEN n.kind <> '{UNAVAILABLE}' THEN n.status END, n.start_time, EXISTS ("
    "SELECT FROM ingestion_sync_history AS r "
    "WHERE r.crm_source = w.crm AND r.sync_type = w.type AND r.status = 'running' "
    f"AND r.{REAL}), "
    "c.end_time, c.watermark, v.end_time, "
    "(v.performance_metrics ->> 'verified_through')::timestamptz, "
    "CASE WHEN t.reltuples >= 0 THEN t.reltuples::bigint ELSE "
    "pg_stat_get_live_tuples(t.oid) END, "
    "(SELECT count(*) FROM ingestion_quarantine AS q "
    "WHERE q.crm_source = w.crm AND q.sync_type = w.type) "
    'FROM unnest(%(crms)s::text[], %(types)s::text[], %(tables)s::text[]) AS w(crm, type, "table") '
    + _NEWEST.format(f"{TOLD} AND {_HAS_ENDED}", "n")
    + _NEWEST.format(
        f"{_ENDED} AND status IN ('success', 'partial') AND watermark IS NOT NULL", "c"
    )
    + _NEWEST.format("kind = 'verify' AND status <> 'running'", "v")
    + 'LEFT JOIN pg_class AS t ON t.oid = to_regclass(quote_ident(w."table"))'
)


def states(
    connection: Connection,
    entities: Sequence[Entity],
    *,
    now: datetime,
    settings: Callable[[Entity], SyncSettings],
) -> list[State]:
    """In the order of the entities."""
    found: dict[str, tuple[Any, ...]] = {
        name: tuple(values)
        for name, *values in connection.execute(
            _STATES, {**named(entities), "tables": [entity.table for entity in entities]}
        )
    }
    measured = paces(connection, entities, now)
    return [
        State(
            *(
                entity,
                *found[entity.name],
                expected_every(entity, settings(entity)),
                measured.get(entity.name),
            )
        )
        for entity in entities
    ]
