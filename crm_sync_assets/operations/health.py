"""Is everything synced, and does the history itself keep its own rules?

What is looked at: the last day's syncs and the newest sync of every entity, and all rows of
SyncHistory against the contract that they follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.owed import owed
from crm_sync_assets.operations.webhook_rules import look_at_webhooks
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.history import STALE_AFTER
from crm_sync_assets.warehouse.kinds import REAL, TOLD, UNAVAILABLE, WIDE

WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Crm:
    """One CRM's last day; `records_failed` of `records_processed` went to quarantine."""

    crm: str
    syncs: int
    success: int
    partial: int
    failed: int
    running: int
    records_processed: int
    records_failed: int
    quarantined_now: int

    @property
    def success_rate(self) -> float | None:
        """The share of ended syncs that were a full success; None where none ended."""
        ended = self.success + self.partial + self.failed
        return self.success / ended if ended else None

    @property
    def failure_rate(self) -> float | None:
        """The share of records that could not be stored; None where there were none."""
        return self.records_failed / self.records_processed if self.records_processed else None


@dataclass(frozen=True, slots=True)
class State:
    """One entity: its newest ended sync, and its newest one that was complete."""

    entity: str
    newest_status: str | None
    newest_end: datetime | None
    newest_error: str | None
    newest_reason: str | None
    last_success: datetime | None
    watermark: datetime | None
    quarantined: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something off; `sync_ids` are at most five of the rows concerned, `rows` is how many."""

    what: str
    sync_ids: tuple[int, ...] = ()
    rows: int = 0

    def __str__(self) -> str:
        if not self.rows:
            return self.what
        shown = ", ".join(map(str, self.sync_ids)) + (" …" if self.rows > 5 else "")
        return f"{self.what} ({self.rows} rows: {shown})"


@dataclass(frozen=True, slots=True)
class Report:
    crms: Sequence[Crm]
    entities: Sequence[State]
    problems: Sequence[Problem] = field(default_factory=tuple)

    @property
    def healthy(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "crms": [
                {**asdict(c), "success_rate": c.success_rate, "failure_rate": c.failure_rate}
                for c in self.crms
            ],
            "entities": [asdict(state) for state in self.entities],
            "problems": [asdict(problem) for problem in self.problems],
        }


def examine(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    crm: str | None,
    now: datetime,
    refusals: int = 10,
) -> Report:
    """The report on one CRM, or on all. Trials (dry runs, limited runs, replays) do not count.

    `entities` are all that are to be synced, by name; `now` is an aware moment. So many `refusals`
    of a CRM's webhooks within a day are a problem.
    """
    crms = _crms(connection, crm, now - WINDOW)
    states = _states(connection, entities, crm)
    problems = [
        *_overdue(entities, states, now),
        *_owed(connection, entities, crm),
        *_violations(connection, entities, crm),
        *_of_webhooks(connection, entities, crm, refusals, now),
    ]
    if not any(state.newest_status for state in states):
        problems.append(Problem("nothing was ever synced" + (f" from {crm}" if crm else "")))
    return Report(crms, states, problems)


def _crms(connection: Connection, crm: str | None, since: datetime) -> list[Crm]:
    rows = connection.execute(
        "SELECT crm_source, count(*), "  # noqa: S608  a constant of this module
        "count(*) FILTER (WHERE status = 'success'), "
        "count(*) FILTER (WHERE status = 'partial'), count(*) FILTER (WHERE status = 'failed'), "
        "count(*) FILTER (WHERE status = 'running'), coalesce(sum(records_processed), 0)::bigint, "
        "coalesce(sum(records_failed), 0)::bigint, "
        "(SELECT count(*) FROM ingestion_quarantine q WHERE q.crm_source = h.crm_source) "
        "FROM ingestion_sync_history h WHERE start_time >= %(since)s "
        f"AND (%(crm)s::text IS NULL OR crm_source = %(crm)s) AND {REAL} "
        "GROUP BY crm_source ORDER BY crm_source",
        {"since": since, "crm": crm},
    ).fetchall()
    return [Crm(*row) for row in rows]


def _states(connection: Connection, entities: Mapping[str, Entity], crm: str | None) -> list[State]:
    found: dict[str, tuple[Any, ...]] = {
        row[0]: row[1:]
        for row in connection.execute(
            "WITH ended AS (SELECT *, crm_source || '.' || sync_type AS name "  # noqa: S608
            "FROM ingestion_sync_history WHERE status <> 'running' "
            f"AND {TOLD}), "
            "newest AS (SELECT DISTINCT ON (name) name, status, end_time, error_message, reason, "
            "kind FROM ended "
            "ORDER BY name, start_time DESC, id DESC), "
            "complete AS (SELECT DISTINCT ON (name) name, watermark FROM ended "
            "WHERE watermark IS NOT NULL ORDER BY name, end_time DESC) "
            "SELECT n.name, n.status, n.end_time, n.error_message, n.reason, "
            "(SELECT max(end_time) FROM ended e WHERE e.name = n.name AND e.status = 'success'), "
            "c.watermark FROM newest n LEFT JOIN complete c USING (name) "
            f"WHERE n.kind <> '{UNAVAILABLE}'"
        )
    }
    kept = {
        row[0]: row[1]
        for row in connection.execute(
            "SELECT crm_source || '.' || sync_type, count(*) FROM ingestion_quarantine GROUP BY 1"
        )
    }
    nothing: tuple[Any, ...] = (None, None, None, None, None, None)
    return [
        State(name, *(*found.get(name, nothing), kept.get(name, 0)))
        for name, entity in entities.items()
        if crm is None or entity.crm == crm
    ]


def _overdue(
    entities: Mapping[str, Entity], states: Sequence[State], now: datetime
) -> list[Problem]:
    problems = []
    for state in states:
        if state.newest_status == "failed":
            why = f" ({state.newest_reason})" if state.newest_reason else ""
            problems.append(
                Problem(f"{state.entity}: its newest sync failed{why}: {state.newest_error}")
            )
        elif state.newest_status == "partial" and state.quarantined:
            problems.append(
                Problem(
                    f"{state.entity}: {state.quarantined} records are in quarantine; see "
                    "`crm-sync quarantine list`"
                )
            )
        elif (
            entities[state.entity].in_all
            and state.newest_status is not None
            and (state.last_success is None or now - state.last_success > WINDOW)
        ):
            since = f"{state.last_success:%Y-%m-%d %H:%M}" if state.last_success else "ever"
            problems.append(Problem(f"{state.entity}: no successful sync since {since}"))
    return problems


def _owed(connection: Connection, entities: Mapping[str, Entity], crm: str | None) -> list[Problem]:
    chosen = [entity for entity in entities.values() if crm is None or entity.crm == crm]
    return [
        Problem(
            f"{name}: sync {one.sync_id}, which was to read {one.span}, failed, and only deltas "
            f"ended well since; repeat it: `{one.command(entities[name])}`"
        )
        for name, one in owed(connection, chosen).items()
    ]


def _of_webhooks(
    connection: Connection,
    entities: Mapping[str, Entity],
    crm: str | None,
    refusals: int,
    now: datetime,
) -> list[Problem]:
    found = look_at_webhooks(connection, entities, refusals=refusals, now=now).findings
    return [
        Problem(f"{one.subject}: {one.what}; next: {one.advice}")
        for one in found
        if crm is None or one.subject.partition(".")[0] == crm
    ]


_RULES: Mapping[str, str] = {
    "a status that is none of running, success, partial, failed": (
        "status NOT IN ('running', 'success', 'partial', 'failed')"
    ),
    "end_time is set although the sync is running": "status = 'running' AND end_time IS NOT NULL",
    "end_time is missing although the sync has ended": ("status <> 'running' AND end_time IS NULL"),
    "it ended before it started": "end_time < start_time",
    "a success with failed records": "status = 'success' AND records_failed > 0",
    "a partial sync without failed records": "status = 'partial' AND records_failed = 0",
    "a failed sync that does not say why": (
        "status = 'failed' AND coalesce(error_message, '') = ''"
    ),
    "performance metrics are missing": (
        "status IN ('success', 'partial') AND kind <> 'mirrored' "
        "AND NOT performance_metrics ?& "
        "ARRAY['duration_seconds', 'records_per_second', 'success_rate', 'unchanged']"
    ),
    "processed is not created + updated + unchanged + failed": (
        "status IN ('success', 'partial') AND kind <> 'mirrored' "
        "AND records_processed <> records_created + records_updated + records_failed "
        "+ coalesce((performance_metrics ->> 'unchanged')::bigint, 0)"
    ),
    "a negative count": (
        "least(records_processed, records_created, records_updated, records_failed) < 0"
    ),
    "a watermark on a sync that may not move it": (
        "watermark IS NOT NULL AND (status NOT IN ('success', 'partial') "
        f"OR NOT ({REAL}) "
        "OR configuration ->> 'until' IS NOT NULL)"
    ),
}


def _violations(
    connection: Connection, entities: Mapping[str, Entity], crm: str | None
) -> list[Problem]:
    """Rows of the history that break its contract."""
    chosen = "(%(crm)s::text IS NULL OR crm_source = %(crm)s)"
    values: dict[str, Any] = {
        "crm": crm,
        "names": [*entities, *registry.all_entities()],
        "stale": STALE_AFTER,
    }
    rules = {
        **_RULES,
        "no such entity is declared": "crm_source || '.' || sync_type <> ALL(%(names)s)",
        f"running, but without a sign of life for {STALE_AFTER.seconds // 60} minutes": (
            "status = 'running' AND coalesce(heartbeat, start_time) < clock_timestamp() - %(stale)s"
        ),
        "running, but no process holds its lock: it died": (
            f"status = 'running' AND configuration ? 'lock' AND NOT {locks.ENTITY_IS_HELD}"
        ),
        "more than one sync of an entity is running": (
            "status = 'running' AND EXISTS (SELECT FROM ingestion_sync_history o "
            "WHERE o.status = 'running' AND o.id <> h.id AND o.crm_source = h.crm_source "
            "AND o.sync_type = h.sync_type)"
        ),
    }
    problems = []
    for what, broken in rules.items():
        rows = connection.execute(
            "SELECT id, count(*) OVER () FROM ingestion_sync_history h "  # noqa: S608
            f"WHERE {chosen} AND ({broken}) ORDER BY id DESC LIMIT 5",
            values,
        ).fetchall()
        if rows:
            problems.append(Problem(what, tuple(row[0] for row in rows), rows[0][1]))
    connection.rollback()
    return problems


def not_suddenly_empty(connection: Connection, entity: Entity) -> tuple[bool, str]:
    """Two full reads are compared; a delta of nothing is an ordinary day."""
    return is_not_suddenly_empty(*last_full_reads(connection, entity))


def is_not_suddenly_empty(newest: int, before: int) -> tuple[bool, str]:
    return bool(newest or not before), f"{newest} records in the last full read, {before} before"


def last_full_reads(connection: Connection, entity: Entity) -> tuple[int, int]:
    """How many records the last full read had, and the one before it; 0 for none.

    One in which the source only said that its state is still the one before does not count.
    """
    counts = [
        row[0]
        for row in connection.execute(
            "SELECT records_processed FROM (SELECT records_processed, start_time, id, "  # noqa: S608
            "configuration -> 'source_state' AS state, lead(configuration -> 'source_state') "
            "OVER (ORDER BY start_time DESC, id DESC) AS state_before "
            f"FROM ingestion_sync_history WHERE crm_source = %s AND sync_type = %s AND {WIDE} "
            "AND watermark IS NOT NULL "
            "AND configuration ->> 'strategy' IN ('full', 'initial_full')) AS reads "
            "WHERE records_processed > 0 OR (state = state_before) IS NOT TRUE "
            "ORDER BY start_time DESC, id DESC LIMIT 2",
            (entity.crm, entity.sync_type),
        )
    ]
    newest, before = [*counts, 0, 0][:2]
    return newest, before
