"""Rules that look at SyncHistory and find what is wrong now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.findings import EVERYTHING, Finding, minute, shown
from crm_sync_assets.operations.health import not_suddenly_empty
from crm_sync_assets.operations.measured_rules import Limits, measured
from crm_sync_assets.operations.webhook_rules import look_at_webhooks
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.history import STALE_AFTER
from crm_sync_assets.warehouse.kinds import REAL, STARTED, TOLD, UNAVAILABLE

SETTLES = timedelta(hours=1)
"""After a silence everything is overdue for a while: the first syncs are given this long."""

RULES: Mapping[str, str] = {
    "failed": "the newest sync failed",
    "quarantine": "the newest sync was partial, and quarantine holds records",
    "overdue": "no complete sync within `fresh_hours`",
    "silence": "nothing was written to the history for `CRM_SYNC_ALERT_SILENCE_HOURS`",
    "empty": "a full read found nothing, and the one before it did",
    "stuck": "syncs succeed, and the watermark does not move",
    "unrepeated": "a full read, re-sweep or window failed, and only deltas ended well since",
    "slow": "the newest sync took `slow_factor` times its baseline, and `slow_seconds` longer",
    "nothing": "a day of deltas brought no record, and so did none of `expected_days` before",
    "throttled": "`CRM_SYNC_ALERT_RATE_LIMIT_HITS` answers 429 within a day",
    "failure_rate": "over `CRM_SYNC_ALERT_FAILURE_RATE` of a day's syncs failed",
    "webhook_silent": "no webhook for `webhook_silence_hours`, and syncs brought what they tell",
    "webhook_refused": "`CRM_SYNC_ALERT_WEBHOOK_REFUSALS` deliveries were not proven within a day",
    "webhook_failed": "events of webhooks were given up and wait for somebody",
    "webhook_pending": "events of webhooks wait for longer than `webhook_wait_hours`",
}


@dataclass(frozen=True, slots=True)
class Look:
    """All findings, and the incidents of which nobody can say now whether they are over."""

    findings: Sequence[Finding]
    held: frozenset[tuple[str, str]]


# The rules


def look(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    silence: timedelta,
    limits: Limits,
    now: datetime,
    settings: Callable[[Entity], SyncSettings],
) -> Look:
    """Everything that is wrong now. Trials and syncs that a person cancelled do not count."""
    findings = list(_silence(connection, silence, now))
    quiet = bool(findings) or _was_silent(connection, now)
    held: set[tuple[str, str]] = set()
    for name, entity in entities.items():
        past = _past(connection, entity)
        if past is None:
            continue
        failed = _failed(connection, entity, past)
        findings += filter(None, [failed])
        findings += filter(None, [_quarantine(connection, entity, past)])
        findings += filter(None, [_empty(connection, entity, past)])
        fresh = settings(entity)
        findings += filter(None, [_stuck(entity, past, timedelta(hours=fresh.fresh_hours))])
        overdue = _overdue(entity, past, fresh, now)
        if overdue and (quiet or failed or past.is_running):
            held.add(("overdue", name))
        elif overdue:
            findings.append(overdue)
    findings += measured(connection, entities, limits=limits, now=now, settings=settings)
    webhooks = look_at_webhooks(
        connection, entities, refusals=limits.webhook_refusals, now=now, settings=settings
    )
    return Look([*findings, *webhooks.findings], frozenset(held) | webhooks.held)


@dataclass(frozen=True, slots=True)
class _Past:
    """An entity's syncs that count: `ended` is the newest, `complete` the newest three."""

    status: str
    ended: datetime
    error: str
    reason: str
    first: datetime
    complete: Sequence[tuple[datetime, datetime, datetime, bool]]
    """(start_time, end_time, watermark, whether it was resumed), the newest first."""
    is_running: bool


_COUNTS = f"crm_source = %(crm)s AND sync_type = %(type)s AND {REAL}"
_HAS_ENDED = "status <> 'running' AND reason IS DISTINCT FROM 'cancelled'"
_ENDED = f"{_COUNTS} AND {_HAS_ENDED}"


def _past(connection: Connection, entity: Entity) -> _Past | None:
    """None for an entity that was never synced, or that the account has not."""
    values = _named(entity)
    newest = connection.execute(
        "SELECT status, end_time, coalesce(error_message, ''), "  # noqa: S608  constants
        "coalesce(reason, 'other'), kind FROM ingestion_sync_history "
        f"WHERE crm_source = %(crm)s AND sync_type = %(type)s AND {TOLD} AND {_HAS_ENDED} "
        "ORDER BY start_time DESC, id DESC LIMIT 1",
        values,
    ).fetchone()
    if newest is None or newest[4] == UNAVAILABLE:
        return None
    others = connection.execute(
        "SELECT (SELECT start_time FROM ingestion_sync_history "  # noqa: S608  constants
        f"WHERE {_COUNTS} ORDER BY start_time LIMIT 1), "
        f"EXISTS (SELECT FROM ingestion_sync_history WHERE {_COUNTS} AND status = 'running' "
        "AND coalesce(heartbeat, start_time) > clock_timestamp() - %(stale)s)",
        {**values, "stale": STALE_AFTER},
    ).fetchone()
    assert others is not None
    complete = connection.execute(
        "SELECT start_time, end_time, watermark, "  # noqa: S608
        "coalesce(configuration ->> 'resumes', '') <> '' FROM ingestion_sync_history "
        f"WHERE {_ENDED} AND status IN ('success', 'partial') AND watermark IS NOT NULL "
        "ORDER BY start_time DESC, id DESC LIMIT 3",
        values,
    ).fetchall()
    status, ended, error, reason, _ = newest
    return _Past(
        status,
        ended,
        error,
        reason,
        first=others[0],
        complete=[(row[0], row[1], row[2], row[3]) for row in complete],
        is_running=others[1],
    )


def _named(entity: Entity) -> dict[str, Any]:
    return {"crm": entity.crm, "type": entity.sync_type}


def _failed(connection: Connection, entity: Entity, past: _Past) -> Finding | None:
    if past.status != "failed":
        return None
    row = connection.execute(
        "SELECT count(*), min(end_time) FROM ingestion_sync_history "  # noqa: S608  constants
        f"WHERE {_ENDED} AND status = 'failed' AND start_time > coalesce((SELECT max(start_time) "
        f"FROM ingestion_sync_history WHERE {_ENDED} AND status IN ('success', 'partial')), "
        "'-infinity')",
        _named(entity),
    ).fetchone()
    times, since = row if row and row[0] else (1, past.ended)
    reason, advice = past.reason, f"crm-sync doctor {entity.crm}"
    if reason == "quota":
        advice = f"crm-sync {entity.crm} {entity.sync_type} (it resumes where it stopped)"
    elif reason in ("data", "other"):
        advice = f"crm-sync history --crm {entity.crm} --entity {entity.sync_type} --status failed"
    return Finding(
        "failed",
        entity.name,
        since,
        f"sync failed ({reason}): {shown(past.error)}",
        advice,
        times,
    )


def _quarantine(connection: Connection, entity: Entity, past: _Past) -> Finding | None:
    """Found while the newest sync is partial; open until the quarantine is empty."""
    row = connection.execute(
        "SELECT count(*), min(first_seen), EXISTS (SELECT FROM ingestion_alert "
        "WHERE rule = 'quarantine' AND subject = %(name)s AND closed_at IS NULL) "
        "FROM ingestion_quarantine WHERE crm_source = %(crm)s AND sync_type = %(type)s",
        {**_named(entity), "name": entity.name},
    ).fetchone()
    count, since, is_open = row or (0, None, False)
    if not count or (past.status != "partial" and not is_open):
        return None
    return Finding(
        "quarantine",
        entity.name,
        since,
        f"{count} records could not be stored and are in quarantine",
        f"crm-sync quarantine list --crm {entity.crm} --entity {entity.sync_type}",
        count,
    )


def expected_every(entity: Entity, settings: SyncSettings) -> timedelta | None:
    """After how long without a complete sync the entity is overdue; None: nobody expects one.

    Removals and other syncs that no run of the whole CRM takes count once they have a time.
    """
    if not (entity.in_all or "fresh_hours" in settings.model_fields_set):
        return None
    return timedelta(hours=settings.fresh_hours)


def _overdue(entity: Entity, past: _Past, settings: SyncSettings, now: datetime) -> Finding | None:
    expected = expected_every(entity, settings)
    if expected is None:
        return None
    last = max((end for _, end, *_ in past.complete), default=None)
    if now - (last or past.first) <= expected:
        return None
    return Finding(
        "overdue",
        entity.name,
        last or past.first,
        f"no complete sync {f'since {minute(last)}' if last else 'ever'}, "
        f"expected every {settings.fresh_hours:g} hours",
        f"crm-sync {entity.crm} {entity.sync_type}",
    )


def _silence(connection: Connection, silence: timedelta, now: datetime) -> Iterator[Finding]:
    """The scheduler, the daemon or the machine they run on is dead: nobody writes any history."""
    row = connection.execute(
        "SELECT greatest("  # noqa: S608  constants
        f"(SELECT max(end_time) FROM ingestion_sync_history WHERE {STARTED}), "
        "(SELECT max(coalesce(heartbeat, start_time)) FROM ingestion_sync_history "
        f"WHERE status = 'running' AND {STARTED}))"
    ).fetchone()
    last = row[0] if row else None
    if last is not None and now - last > silence:
        yield Finding(
            "silence",
            EVERYTHING,
            last,
            f"nothing was synced since {minute(last)}: are the scheduler and Dagster's daemon up?",
            "crm-sync doctor",
        )


def _was_silent(connection: Connection, now: datetime) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM ingestion_alert WHERE rule = 'silence' "
        "AND coalesce(closed_at, %(now)s) > %(now)s::timestamptz - %(settles)s::interval)",
        {"now": now, "settles": SETTLES},
    ).fetchone()
    return bool(row and row[0])


def _empty(connection: Connection, entity: Entity, past: _Past) -> Finding | None:
    passed, finding = not_suddenly_empty(connection, entity)
    if passed:
        return None
    return Finding(
        "empty",
        entity.name,
        past.complete[0][1] if past.complete else past.ended,
        f"a full read found nothing: {finding}",
        f"crm-sync {entity.crm} {entity.sync_type} --full --dry-run",
    )


def _stuck(entity: Entity, past: _Past, fresh: timedelta) -> Finding | None:
    """A sync ends well and its watermark lies far back, or is the one of all the syncs before it.

    That of a resumed sync is as old as its first attempt, and rightly so.
    """
    if past.status == "failed" or not past.complete:
        return None
    start, _, watermark, resumed = past.complete[0]
    first, *_ = past.complete[-1]
    same = len(past.complete) == 3 and {mark for _, _, mark, _ in past.complete} == {watermark}
    behind = not resumed and start - watermark > fresh
    if not behind and not (same and start - first > timedelta(hours=1)):
        return None
    return Finding(
        "stuck",
        entity.name,
        watermark,
        f"its syncs end well, but the watermark stays at {minute(watermark)}",
        f"crm-sync history --crm {entity.crm} --entity {entity.sync_type}",
    )


def declared_settings(entity: Entity) -> SyncSettings:
    return settings_for(registry.crm(entity.crm), entity)
