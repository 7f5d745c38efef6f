"""All that the dashboard shows, read in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crm_sync_assets.dashboard.days import Day, days
from crm_sync_assets.dashboard.quotas import Quota, quotas
from crm_sync_assets.dashboard.senders import Sender, told_by
from crm_sync_assets.dashboard.states import State, states
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.alert_rules import declared_settings, look
from crm_sync_assets.operations.baselines import named
from crm_sync_assets.operations.findings import EVERYTHING, Finding, shown
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.settings import SyncSettings, environment
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL

MOST_FAILURES = 50
MOST_REASONS = 500
SUMS_IN_MEMORY = "64MB"
"""By the default of 4 MB PostgreSQL sorts the rows of three months on disk to sum them up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A sync that failed; `error` is as alerts tell it, without what a source sent."""

    sync_id: int
    name: str
    started: datetime
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """So many records of an entity are in quarantine for one reason, which names no value."""

    name: str
    stage: str
    field: str
    reason: str
    records: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """`since` is the UTC midnight of the first of `days`."""

    now: datetime
    since: datetime
    states: Sequence[State]
    days: Sequence[Day]
    quotas: Sequence[Quota]
    findings: Sequence[Finding]
    failures: Sequence[Failure]
    set_aside: Sequence[SetAside]
    webhooks: Sequence[Sender] = ()


def read(
    connection: Connection,
    entities: Sequence[Entity],
    *,
    days_back: int,
    now: datetime,
    settings: Callable[[Entity], SyncSettings] = declared_settings,
) -> Board:
    """The board of these entities, from one snapshot of the database.

    Today counts as one of `days_back`.
    """
    connection.rollback()
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.execute(f"SET LOCAL work_mem = '{SUMS_IN_MEMORY}'")
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=days_back - 1)
    listed = named(entities)
    board = Board(
        now,
        since,
        states(connection, entities, now=now, settings=settings),
        days(connection, since, listed["crms"], listed["types"]),
        quotas(connection, _windows(entities), now),
        _findings(connection, entities, now, settings),
        _failures(connection, entities, since),
        _set_aside(connection, entities),
        told_by(connection, {entity.crm for entity in entities}, now),
    )
    connection.rollback()
    return board


def _windows(entities: Sequence[Entity]) -> dict[str, Sequence[tuple[str, int, float]]]:
    """By CRM; those of the tests' own entities are unknown to the registry."""
    known = set(registry.names())
    crms = dict.fromkeys(entity.crm for entity in entities if entity.crm in known)
    return {crm: settings_for(registry.crm(crm)).rate_windows for crm in crms}


def _findings(
    connection: Connection,
    entities: Sequence[Entity],
    now: datetime,
    settings: Callable[[Entity], SyncSettings],
) -> Sequence[Finding]:
    """What the alert rules find now, whether or not anybody has set up a channel to be told."""
    env = environment()
    found = look(
        connection,
        {entity.name: entity for entity in entities},
        silence=timedelta(hours=env.alert_silence_hours),
        limits=Limits.of(env),
        now=now,
        settings=settings,
    )
    crms = {entity.crm for entity in entities}
    return [
        one
        for one in found.findings
        if one.subject == EVERYTHING or one.subject.partition(".")[0] in crms
    ]


def _failures(connection: Connection, entities: Sequence[Entity], since: datetime) -> list[Failure]:
    rows = connection.execute(
        "SELECT id, crm_source || '.' || sync_type, start_time, coalesce(reason, 'other'), "  # noqa: S608
        "coalesce(error_message, '') FROM ingestion_sync_history "
        f"WHERE status = 'failed' AND {REAL} AND start_time >= %(since)s "
        "AND (crm_source, sync_type) IN "
        "(SELECT * FROM unnest(%(crms)s::text[], %(types)s::text[])) "
        "ORDER BY start_time DESC, id DESC LIMIT %(most)s",
        {**named(entities), "since": since, "most": MOST_FAILURES},
    ).fetchall()
    return [Failure(*(*row[:4], shown(row[4]))) for row in rows]


def _set_aside(connection: Connection, entities: Sequence[Entity]) -> list[SetAside]:
    """The most frequent first. Reasons that read the same once they are masked are one."""
    rows = connection.execute(
        "SELECT crm_source || '.' || sync_type, stage, coalesce(field, ''), reason, count(*), "
        "min(first_seen) FROM ingestion_quarantine WHERE (crm_source, sync_type) IN "
        "(SELECT * FROM unnest(%(crms)s::text[], %(types)s::text[])) "
        "GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT %(most)s",
        {**named(entities), "most": MOST_REASONS},
    ).fetchall()
    counts: Counter[tuple[str, str, str, str]] = Counter()
    since: dict[tuple[str, str, str, str], datetime] = {}
    for name, stage, field, reason, records, first in rows:
        key = (name, stage, field, shown(reason))
        counts[key] += records
        since[key] = min(first, since.get(key, first))
    return [SetAside(*key, records, since[key]) for key, records in counts.most_common()]
