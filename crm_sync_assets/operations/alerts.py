"""Who is told when syncs go wrong: one alert per incident, and a word when it is over.

Rules look at SyncHistory and find what is wrong now. An incident, a row of `ingestion_alert`, is
what a rule finds about one subject, from its first sign to its end; it stays untold until some
channel took it. A crash between a channel's answer and our note tells it twice, never not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.operations import channels
from crm_sync_assets.operations.channels import Channels
from crm_sync_assets.operations.health import not_suddenly_empty
from crm_sync_assets.redaction import one_line, redact
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of
from crm_sync_assets.warehouse.history import STALE_AFTER
from crm_sync_assets.warehouse.kinds import MIRRORED, REAL

log = logger(__name__)

EVERYTHING = "everything"
SETTLES = timedelta(hours=1)
"""After a silence everything is overdue for a while: the first syncs are given this long."""

MOST_SHOWN = 20
LOCK = "hashtextextended('crm_sync alerts', 0)"

RULES: Mapping[str, str] = {
    "failed": "the newest sync failed",
    "quarantine": "the newest sync was partial, and quarantine holds records",
    "overdue": "no complete sync within `fresh_hours`",
    "silence": "nothing was written to the history for `CRM_SYNC_ALERT_SILENCE_HOURS`",
    "empty": "a full read found nothing, and the one before it did",
    "stuck": "syncs succeed, and the watermark does not move",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds wrong now; `size` is how many records or attempts it is about."""

    rule: str
    subject: str
    since: datetime
    what: str
    advice: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """All findings, and the incidents of which nobody can say now whether they are over."""

    findings: Sequence[Finding]
    held: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of `ingestion_alert`."""

    id: int
    rule: str
    subject: str
    since: datetime
    what: str
    advice: str
    size: int
    opened_at: datetime
    told_at: datetime | None
    told_size: int | None
    closed_at: datetime | None
    recovery_told_at: datetime | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is open; `untold` counts messages no channel took. `skipped`: another one is at it."""

    open: Sequence[Incident]
    told: int = 0
    untold: int = 0
    skipped: bool = False


# The rules


def look(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    silence: timedelta,
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
    connection.commit()
    return Look(findings, frozenset(held))


@dataclass(frozen=True, slots=True)
class _Past:
    """An entity's syncs that count: `ended` is the newest, `complete` the newest three."""

    status: str
    ended: datetime
    error: str
    first: datetime
    complete: Sequence[tuple[datetime, datetime, datetime, bool]]
    """(start_time, end_time, watermark, whether it was resumed), the newest first."""
    is_running: bool


_COUNTS = (
    f"crm_source = %(crm)s AND sync_type = %(type)s AND {REAL} "
    f"AND endpoint IS DISTINCT FROM '{MIRRORED}'"
)
_ENDED = (
    f"{_COUNTS} AND status <> 'running' "
    "AND NOT (status = 'failed' AND coalesce(error_message, '') LIKE 'cancelled%%')"
)


def _past(connection: Connection, entity: Entity) -> _Past | None:
    """None for an entity that was never synced."""
    values = _named(entity)
    newest = connection.execute(
        "SELECT status, end_time, coalesce(error_message, '') "  # noqa: S608  constants
        f"FROM ingestion_sync_history WHERE {_ENDED} ORDER BY start_time DESC, id DESC LIMIT 1",
        values,
    ).fetchone()
    if newest is None:
        return None
    others = connection.execute(
        "SELECT min(start_time), coalesce(bool_or(status = 'running' "  # noqa: S608
        "AND coalesce(heartbeat, start_time) > clock_timestamp() - %(stale)s), false) "
        f"FROM ingestion_sync_history WHERE {_COUNTS}",
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
    status, ended, error = newest
    return _Past(
        status,
        ended,
        error,
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
    reason, advice = reason_class(past.error), f"crm-sync doctor {entity.crm}"
    if reason == "quota":
        advice = f"crm-sync {entity.crm} {entity.sync_type} (it resumes where it stopped)"
    elif reason == "other":
        advice = f"crm-sync history --crm {entity.crm} --entity {entity.sync_type} --status failed"
    return Finding(
        "failed",
        entity.name,
        since,
        f"sync failed ({reason}): {shown(past.error)}",
        advice,
        times,
    )


def reason_class(error: str) -> str:
    """auth, scope, quota, system or other, by the words of a history row's error."""
    for name, words in _REASONS.items():
        if words.search(error):
            return name
    return "other"


_REASONS = {
    "quota": re.compile(r"\bdeferred until\b|answered 429"),
    "scope": re.compile(
        r"answered 403|missing scopes|may not be read|lets us read nothing|GRANT SELECT"
    ),
    "auth": re.compile(
        r"answered 401|token was refused|refuses the login|refresh the OAuth token|is not set: give"
    ),
    "system": re.compile(
        r"(?i)the warehouse|disk|out of memory|too many connections|read-only|process of this sync "
        r"died|no sign of life|its Dagster run ended|cannot be reached|failures in a row|time "
        r"budget for retries|no trusted TLS"
    ),
}


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


def _overdue(entity: Entity, past: _Past, settings: SyncSettings, now: datetime) -> Finding | None:
    """Removals and other syncs that no run of the whole CRM takes count once they have a time."""
    if not (entity.in_all or "fresh_hours" in settings.model_fields_set):
        return None
    last = max((end for _, end, *_ in past.complete), default=None)
    if now - (last or past.first) <= timedelta(hours=settings.fresh_hours):
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
        "SELECT greatest((SELECT max(end_time) FROM ingestion_sync_history), "
        "(SELECT max(coalesce(heartbeat, start_time)) FROM ingestion_sync_history "
        "WHERE status = 'running'))"
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


# Incidents

_COLUMNS = (
    "id, rule, subject, since, what, advice, size, opened_at, told_at, told_size, closed_at, "
    "recovery_told_at"
)


def incidents(connection: Connection, *, closed: bool = False, limit: int = 1000) -> list[Incident]:
    """The open ones, the oldest first; with `closed` the newest of all first."""
    which, order = ("true", "opened_at DESC, id DESC") if closed else ("closed_at IS NULL", "id")
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ingestion_alert WHERE {which} "  # noqa: S608  constants
        f"ORDER BY {order} LIMIT %s",
        (limit,),
    ).fetchall()
    connection.commit()
    return [Incident(*row) for row in rows]


def record(connection: Connection, found: Look, *, now: datetime) -> None:
    """Open, bring up to date and close incidents, in one transaction."""
    with connection.transaction():
        for finding in found.findings:
            connection.execute(
                "INSERT INTO ingestion_alert (rule, subject, since, what, advice, size, opened_at) "
                "VALUES (%(rule)s, %(subject)s, %(since)s, %(what)s, %(advice)s, %(size)s, "
                "%(now)s) "
                "ON CONFLICT (rule, subject) WHERE closed_at IS NULL DO UPDATE "
                "SET what = excluded.what, advice = excluded.advice, size = excluded.size "
                "WHERE (ingestion_alert.what, ingestion_alert.size) "
                "IS DISTINCT FROM (excluded.what, excluded.size)",
                {
                    "rule": finding.rule,
                    "subject": finding.subject,
                    "since": finding.since,
                    "what": finding.what,
                    "advice": finding.advice,
                    "size": finding.size,
                    "now": now,
                },
            )
        on = {(finding.rule, finding.subject) for finding in found.findings} | found.held
        over = [
            row[0]
            for row in connection.execute(
                "SELECT id, rule, subject FROM ingestion_alert WHERE closed_at IS NULL"
            )
            if (row[1], row[2]) not in on
        ]
        if over:
            connection.execute(
                "UPDATE ingestion_alert SET closed_at = %s WHERE id = ANY(%s)", (now, over)
            )


def tell(
    connection: Connection, targets: Channels, *, repeat: timedelta, now: datetime
) -> tuple[int, int]:
    """Send what is due, alerts and recoveries in a message each; (told, untold)."""
    if not targets:
        # Nobody to tell, then or later: who sets up channels is told what is open by then.
        connection.execute(
            "UPDATE ingestion_alert SET recovery_told_at = closed_at "
            "WHERE closed_at IS NOT NULL AND recovery_told_at IS NULL"
        )
        connection.commit()
        return 0, 0
    due = [
        one
        for one in incidents(connection)
        if one.told_at is None
        or now - one.told_at >= repeat
        or (one.rule == "quarantine" and one.size >= 2 * max(one.told_size or 0, 1))
    ]
    over = [
        Incident(*row)
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM ingestion_alert "  # noqa: S608  constants
            "WHERE closed_at IS NOT NULL AND recovery_told_at IS NULL ORDER BY id"
        )
    ]
    connection.commit()
    told = 0
    if due and targets.send(_title(due, "problem"), _text(due, _open_line)):
        connection.execute(
            "UPDATE ingestion_alert SET told_at = %s, told_size = size WHERE id = ANY(%s)",
            (now, [one.id for one in due]),
        )
        connection.commit()
        told += len(due)
    if over and targets.send(_title(over, "recovered"), _text(over, _over_line), is_good=True):
        connection.execute(
            "UPDATE ingestion_alert SET recovery_told_at = %s WHERE id = ANY(%s)",
            (now, [one.id for one in over]),
        )
        connection.commit()
        told += len(over)
    return told, len(due) + len(over) - told


def _title(these: Sequence[Incident], word: str) -> str:
    subject = these[0].subject if len(these) == 1 else f"{len(these)} subjects"
    return f"crm_sync {word}: {subject}"


def _text(these: Sequence[Incident], line: Callable[[Incident], str]) -> str:
    lines = [line(one) for one in these[:MOST_SHOWN]]
    if len(these) > MOST_SHOWN:
        lines.append(f"and {len(these) - MOST_SHOWN} more; see crm-sync alerts list")
    return "\n\n".join(lines)


def _open_line(one: Incident) -> str:
    still = "still, " if one.told_at else ""
    times = f", {one.size} times in a row" if one.rule == "failed" and one.size > 1 else ""
    return f"{one.subject}: {still}{one.what}\nsince {minute(one.since)}{times}\nnext: {one.advice}"


def _over_line(one: Incident) -> str:
    assert one.closed_at is not None
    unheard = "" if one.told_at else " (no channel took the alert when it began)"
    return (
        f"{one.subject}: over. It was: {one.what}\n"
        f"from {minute(one.since)} to {minute(one.closed_at)}{unheard}"
    )


def minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def shown(error: str) -> str:
    """A reason as a message may carry it: no secret, no personal value, nothing a source sent."""
    from crm_sync_assets.masking import masked

    text = re.sub(r"(not JSON|cannot be read \([^)]*\)): .*?(?=\. Check|; given|$)", r"\1", error)
    return masked(one_line(redact(text)), most=300)


# An evaluation


def evaluate(
    warehouse: Warehouse,
    targets: Channels,
    entities: Mapping[str, Entity],
    *,
    silence: timedelta,
    repeat: timedelta,
    settings: Callable[[Entity], SyncSettings],
    now: datetime | None = None,
) -> Evaluation:
    """Look, note, tell. Of two at once one does so, and the other says what is open."""
    now = now or datetime.now(UTC)
    with warehouse.connection() as connection:
        taken = connection.execute(f"SELECT pg_try_advisory_lock({LOCK})").fetchone()
        connection.commit()
        if taken != (True,):
            return Evaluation(incidents(connection), skipped=True)
        try:
            found = look(connection, entities, silence=silence, now=now, settings=settings)
            record(connection, found, now=now)
            told, untold = tell(connection, targets, repeat=repeat, now=now)
            return Evaluation(incidents(connection), told, untold)
        finally:
            if not connection.closed:
                connection.rollback()
                connection.execute(f"SELECT pg_advisory_unlock({LOCK})")
                connection.commit()


def watch(
    open_warehouse: Callable[[], Warehouse],
    environment: Environment,
    entities: Mapping[str, Entity],
    *,
    settings: Callable[[Entity], SyncSettings] | None = None,
) -> Evaluation:
    """An evaluation with the environment's channels, then the heartbeat.

    A warehouse that is down or full keeps no incidents: that one is remembered by a file in the
    state folder, told, and raised as FatalError. There is no heartbeat then, nor while a message
    finds nobody, so that an external service notices when all else is dead.
    """
    targets = channels.channels(environment)
    repeat = timedelta(hours=environment.alert_repeat_hours)
    try:
        evaluation = evaluate(
            open_warehouse(),
            targets,
            entities,
            silence=timedelta(hours=environment.alert_silence_hours),
            repeat=repeat,
            settings=settings or declared_settings,
        )
    except UsageError:
        raise
    except (FatalError, psycopg.Error) as error:
        said = message_of(error) if isinstance(error, psycopg.Error) else str(error)
        refusal = FatalError(f"the warehouse keeps alerts from being evaluated: {said}")
        Outage(environment).begin(targets, str(refusal), repeat)
        raise refusal from error
    delivered = Outage(environment).end(targets) and not evaluation.untold
    if delivered:
        channels.beat(environment)
    return evaluation


def declared_settings(entity: Entity) -> SyncSettings:
    return settings_for(registry.crm(entity.crm), entity)


@dataclass(frozen=True, slots=True)
class Outage:
    """The one incident that the warehouse cannot keep, its own: a file says that it was told."""

    environment: Environment
    name: str = field(default="warehouse_down")

    def begin(self, targets: Channels, reason: str, repeat: timedelta) -> None:
        marker = self.environment.home_folder / self.name
        try:
            told = datetime.fromtimestamp(marker.stat().st_mtime, UTC)
            if datetime.now(UTC) - told < repeat:
                return
        except FileNotFoundError:
            pass
        body = f"{shown(reason)}\nnext: crm-sync doctor"
        if targets and targets.send("crm_sync problem: the warehouse", body):
            try:
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
            except OSError as error:
                # Told every time is better than not at all.
                log.warning("alerts: %s cannot be written: %s", marker, error)

    def end(self, targets: Channels) -> bool:
        """False when the recovery found nobody; it is told with the next evaluation then."""
        marker = self.environment.home_folder / self.name
        if not marker.exists():
            return True
        body = "the warehouse answers again, and alerts are evaluated"
        if targets and not targets.send("crm_sync recovered: the warehouse", body, is_good=True):
            return False
        marker.unlink(missing_ok=True)
        return True
