"""How long an entity's newest sync took, beside those of its kind before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL, WIDE

SYNCS = 20
"""The baseline is the median of so many syncs of the same strategy, the newest that ended well."""
LEAST_SYNCS = 5
"""Of fewer there is no baseline."""


@dataclass(frozen=True, slots=True)
class Pace:
    """An entity's newest sync that has not failed; without a baseline, there is None."""

    strategy: str
    started: datetime
    is_running: bool
    seconds: float
    baseline_seconds: float | None


_OF_ENTITY = f"crm_source = w.crm AND sync_type = w.type AND {REAL}"
_SECONDS = "extract(epoch FROM end_time - start_time)::float8"
# Full reads are few among deltas, and have an index of their own.
_BEFORE = (
    "(SELECT " + _SECONDS + " AS seconds FROM ingestion_sync_history "  # noqa: S608  constants
    f"WHERE {_OF_ENTITY} AND {{}} AND status IN ('success', 'partial') "
    "AND configuration ->> 'strategy' = n.strategy AND start_time < n.start_time "
    "ORDER BY start_time DESC LIMIT %(syncs)s)"
)
_PACES = (
    "SELECT w.crm || '.' || w.type, coalesce(n.strategy, ''), n.start_time, n.running, "  # noqa: S608
    "coalesce(n.seconds, extract(epoch FROM %(now)s - n.start_time)::float8), "
    "CASE WHEN b.syncs >= %(least)s THEN b.seconds END "
    "FROM unnest(%(crms)s::text[], %(types)s::text[]) AS w(crm, type) "
    "CROSS JOIN LATERAL (SELECT configuration ->> 'strategy' AS strategy, start_time, "
    f"status = 'running' AS running, {_SECONDS} AS seconds FROM ingestion_sync_history "
    f"WHERE {_OF_ENTITY} AND status <> 'failed' ORDER BY start_time DESC, id DESC LIMIT 1) AS n "
    "CROSS JOIN LATERAL (SELECT count(*) AS syncs, "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY past.seconds) AS seconds FROM ("
    + _BEFORE.format("n.strategy = 'incremental'")
    + " UNION ALL "
    + _BEFORE.format(f"n.strategy <> 'incremental' AND {WIDE}")
    + ") AS past) AS b"
)


def paces(connection: Connection, entities: Sequence[Entity], now: datetime) -> dict[str, Pace]:
    """By name, of the entities that have such a sync. One that runs has taken the time so far."""
    values = {**named(entities), "now": now, "least": LEAST_SYNCS, "syncs": SYNCS}
    return {name: Pace(*rest) for name, *rest in connection.execute(_PACES, values)}


def named(entities: Sequence[Entity]) -> dict[str, list[str]]:
    """The entities as two lists that a query unnests."""
    return {
        "crms": [entity.crm for entity in entities],
        "types": [entity.sync_type for entity in entities],
    }
