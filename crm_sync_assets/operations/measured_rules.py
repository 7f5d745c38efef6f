"""Rules that look at what syncs took and brought, beside what they usually do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.baselines import named, paces
from crm_sync_assets.operations.findings import EVERYTHING, Finding, minute, shown
from crm_sync_assets.operations.owed import owed
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL

DAY = timedelta(days=1)

Settings = Callable[[Entity], SyncSettings]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a day may hold: answers 429 of one CRM, and the share of its syncs that fails.

    Of fewer than `failure_syncs` syncs no share is told: each failure has its own alert. So many
    deliveries of webhooks may be refused, less one.
    """

    rate_limit_hits: int
    failure_rate: float
    failure_syncs: int
    webhook_refusals: int = 10

    @classmethod
    def of(cls, environment: Environment) -> Limits:
        return cls(
            environment.alert_rate_limit_hits,
            environment.alert_failure_rate,
            environment.alert_failure_syncs,
            environment.alert_webhook_refusals,
        )


def measured(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    limits: Limits,
    now: datetime,
    settings: Settings,
) -> Iterator[Finding]:
    """What these rules find wrong now."""
    chosen = list(entities.values())
    yield from _failure_rate(connection, limits, now)
    yield from _throttled(connection, limits, now)
    yield from _unrepeated(connection, entities)
    yield from _slow(connection, chosen, now, settings)
    yield from _nothing(connection, chosen, settings)


def _failure_rate(connection: Connection, limits: Limits, now: datetime) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = 'failed'), "  # noqa: S608  constants
        "count(DISTINCT (crm_source, sync_type)) FILTER (WHERE status = 'failed'), "
        "min(start_time) FILTER (WHERE status = 'failed') FROM ingestion_sync_history "
        "WHERE status IN ('success', 'partial', 'failed') AND start_time > %s "
        f"AND {REAL} AND reason IS DISTINCT FROM 'cancelled'",
        (now - DAY,),
    ).fetchone()
    syncs, failed, entities, since = row or (0, 0, 0, None)
    if syncs < limits.failure_syncs or failed <= limits.failure_rate * syncs:
        return
    yield Finding(
        "failure_rate",
        EVERYTHING,
        since,
        f"{failed} of {syncs} syncs failed within a day ({failed / syncs:.0%}, of {entities} "
        f"{'entity' if entities == 1 else 'entities'}); {limits.failure_rate:.0%} may",
        "crm-sync history --since=24h --status failed",
        failed,
    )


def _throttled(connection: Connection, limits: Limits, now: datetime) -> Iterator[Finding]:
    """Verifications and trials ask the same source: they count too."""
    rows = connection.execute(
        "SELECT crm_source, hits, since FROM (SELECT crm_source, "
        "sum((performance_metrics ->> 'rate_limit_hits')::bigint)::bigint AS hits, "
        "min(start_time) FILTER (WHERE performance_metrics -> 'rate_limit_hits' > '0') AS since "
        "FROM ingestion_sync_history WHERE status IN ('success', 'partial', 'failed') "
        "AND start_time > %s GROUP BY crm_source) AS days WHERE hits >= %s",
        (now - DAY, limits.rate_limit_hits),
    ).fetchall()
    for crm, hits, since in rows:
        yield Finding(
            "throttled",
            crm,
            since,
            f"{hits} requests were answered with 429 within a day: others use the account's "
            "limits too, or they are lower than declared",
            f"lower CRM_SYNC_{crm.upper()}__RATE_WINDOWS, or raise "
            f"CRM_SYNC_{crm.upper()}__RATE_RESERVE",
            hits,
        )


def _unrepeated(connection: Connection, entities: Mapping[str, Entity]) -> Iterator[Finding]:
    for name, one in owed(connection, list(entities.values())).items():
        yield Finding(
            "unrepeated",
            name,
            one.failed_at,
            f"reading {one.span} again failed (sync {one.sync_id}), and only deltas ended well "
            f"since: {shown(one.error)}",
            one.command(entities[name]),
        )


def _slow(
    connection: Connection, entities: Sequence[Entity], now: datetime, settings: Settings
) -> Iterator[Finding]:
    found = paces(connection, entities, now)
    for entity in entities:
        pace = found.get(entity.name)
        if pace is None or pace.baseline_seconds is None:
            continue
        given = settings(entity)
        usual = pace.baseline_seconds
        if pace.seconds > max(given.slow_factor * usual, usual + given.slow_seconds):
            took = "is at it for" if pace.is_running else "took"
            yield Finding(
                "slow",
                entity.name,
                pace.started,
                f"its {pace.strategy} sync {took} {pace.seconds:,.0f} s, where {usual:,.0f} s "
                "are usual",
                f"crm-sync history --crm {entity.crm} --entity {entity.sync_type}",
                int(pace.seconds),
            )


_DELTAS = (
    "ingestion_sync_history WHERE crm_source = w.crm AND sync_type = w.type "
    f"AND {REAL} AND status IN ('success', 'partial') "
    "AND configuration ->> 'strategy' = 'incremental'"
)
# A day is as many deltas as the newest one's day holds, so that it is a day whatever the schedule
# and its jitter. It stays open until there are records: after a second empty day no day before it
# was all well any more.
_EMPTY_DAYS = f"""
SELECT w.crm || '.' || w.type, d.since, d.deltas
FROM unnest(%(crms)s::text[], %(types)s::text[], %(days)s::int[]) AS w(crm, type, days)
CROSS JOIN LATERAL (
    SELECT start_time FROM {_DELTAS} ORDER BY start_time DESC LIMIT 1
) AS newest
CROSS JOIN LATERAL (
    SELECT count(*) AS deltas, min(start_time) AS since, sum(records_processed) AS records
    FROM {_DELTAS} AND start_time > newest.start_time - %(day)s::interval
) AS d
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE deltas = d.deltas) AS days, min(records) AS least
    FROM (
        SELECT count(*) AS deltas, sum(records_processed) AS records
        FROM (
            SELECT records_processed, (row_number() OVER () - 1) / d.deltas AS day
            FROM (
                SELECT records_processed FROM {_DELTAS} AND start_time < d.since
                ORDER BY start_time DESC LIMIT w.days * d.deltas
            ) AS earlier
        ) AS numbered
        GROUP BY day
    ) AS by_day
) AS before
WHERE d.records = 0 AND (before.days >= w.days AND before.least > 0 OR EXISTS (
    SELECT FROM ingestion_alert WHERE rule = 'nothing' AND subject = w.crm || '.' || w.type
    AND closed_at IS NULL
))
"""  # noqa: S608  constants


def _nothing(
    connection: Connection, entities: Sequence[Entity], settings: Settings
) -> Iterator[Finding]:
    days = {entity.name: settings(entity).expected_days for entity in entities}
    asked = [entity for entity in entities if days[entity.name]]
    values: dict[str, Any] = {
        **named(asked),
        "days": [days[entity.name] for entity in asked],
        "day": DAY,
    }
    for name, since, deltas in connection.execute(_EMPTY_DAYS, values).fetchall():
        crm, _, sync_type = name.partition(".")
        yield Finding(
            "nothing",
            name,
            since,
            f"{deltas} {'delta' if deltas == 1 else 'deltas'} since {minute(since)} brought no "
            f"record, where each of the {days[name]} days before brought some",
            f"crm-sync verify {crm} {sync_type}",
            deltas,
        )
