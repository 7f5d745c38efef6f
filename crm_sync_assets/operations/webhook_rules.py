"""Rules about webhooks: those that are not told, not proven, not read, or given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.operations.findings import Finding, minute, shown
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.history import STALE_AFTER
from crm_sync_assets.warehouse.kinds import REAL
from crm_sync_assets.warehouse.webhook_tallies import Heard, Receiver

Settings = Callable[[Entity], SyncSettings]
Senders = Mapping[str, Webhooks]

DAY: Final = timedelta(days=1)
LATE: Final = timedelta(minutes=30)
"""A sender may take so long to tell of a change: CallRail of a call for twenty minutes."""

TWICE: Final = 2
"""One sync that brings changes proves little: it may have filled a new column in old rows."""

QUIET: Final = timedelta(hours=6)
"""Refusals are over when there was none for so long."""

SHOWN: Final = timedelta(days=7)
"""What no read could mend, for it could not even be understood, is told of for so long."""


@dataclass(frozen=True, slots=True)
class WebhookLook:
    """All findings, and the incidents of which nobody can say now whether they are over."""

    findings: Sequence[Finding]
    held: frozenset[tuple[str, str]] = frozenset()


def declared(entity: Entity) -> SyncSettings:
    """The settings of an entity; of one that no CRM has, the defaults."""
    known = entity.crm in registry.names()
    return settings_for(registry.crm(entity.crm), entity) if known else SyncSettings()


def senders_of(entities: Mapping[str, Entity]) -> dict[str, Webhooks]:
    """The CRMs of these whose webhooks somebody has set a secret for."""
    known = set(registry.names())
    names = sorted({entity.crm for entity in entities.values()} & known)
    found = {name: registry.crm(name).webhooks for name in names}
    return {name: one for name, one in found.items() if one is not None and one.is_expected}


def look_at_webhooks(
    connection: Connection,
    entities: Mapping[str, Entity],
    *,
    refusals: int,
    now: datetime,
    settings: Settings = declared,
    senders: Senders | None = None,
) -> WebhookLook:
    """What is wrong with webhooks now; so many `refusals` of a CRM within a day are."""
    given = senders_of(entities) if senders is None else senders
    waiting = list(_waiting(connection, entities, now, settings))
    return WebhookLook(
        [
            *_silent(connection, entities, given, now, settings),
            *_refused(connection, refusals, now),
            *_failed(connection, now),
            *(finding for finding, is_held in waiting if not is_held),
        ],
        frozenset((one.rule, one.subject) for one, is_held in waiting if is_held),
    )


# Silent


@dataclass(frozen=True, slots=True)
class _Expected:
    """Of this entity nothing was told since then, of what its CRM tells when it `happened`."""

    entity: Entity
    since: datetime
    happened: frozenset[str]
    ever: bool


_CHANGES = f"""
SELECT w.name, count(*) FILTER (WHERE h.changes > 0), coalesce(sum(h.changes), 0)::bigint
FROM unnest(%(names)s::text[], %(crms)s::text[], %(types)s::text[], %(since)s::timestamptz[],
    %(strategies)s::text[], %(created)s::bool[], %(changed)s::bool[], %(deleted)s::bool[])
    AS w(name, crm, type, since, strategy, created, changed, deleted)
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.created THEN records_created ELSE 0 END
        + CASE WHEN w.changed THEN greatest(records_updated - d.deleted, 0) ELSE 0 END
        + CASE WHEN w.deleted THEN d.deleted ELSE 0 END AS changes
    FROM ingestion_sync_history AS s CROSS JOIN LATERAL (
        SELECT coalesce((performance_metrics ->> 'deleted')::bigint, 0) AS deleted
    ) AS d
    WHERE crm_source = w.crm AND sync_type = w.type AND {REAL}
    AND status IN ('success', 'partial') AND start_time > w.since
    AND end_time <= %(until)s AND configuration ->> 'strategy' = w.strategy
    -- What it brought has come about since the one before it began.
    AND EXISTS (
        SELECT FROM ingestion_sync_history AS before
        WHERE before.crm_source = w.crm AND before.sync_type = w.type
        AND before.status IN ('success', 'partial') AND before.watermark >= w.since
        AND before.start_time < s.start_time
    )
) AS h
GROUP BY 1
"""  # noqa: S608  constants


def _silent(
    connection: Connection,
    entities: Mapping[str, Entity],
    senders: Senders,
    now: datetime,
    settings: Settings,
) -> Iterator[Finding]:
    """Syncs found what webhooks should have told of, again and again, and none did.

    A CRM that has never told anything counts from when a receiver was set up for it, as one; else
    each entity that was told of from when it was last, for what was told before. Of others nobody
    may have asked to be told.
    """
    heard = webhook_tallies.heard(connection)
    receivers = webhook_tallies.receivers(connection)
    expected = [
        one
        for entity in entities.values()
        if entity.crm in senders
        and (one := _expected(entity, senders[entity.crm], heard, receivers)) is not None
        and (hours := settings(entity).webhook_silence_hours)
        and now - one.since > timedelta(hours=hours)
    ]
    brought = _brought(connection, expected, now) if expected else {}
    for crm, group in groupby(sorted(expected, key=_name), key=lambda one: one.entity.crm):
        broken = [one for one in group if brought.get(one.entity.name, (0, 0))[0] >= TWICE]
        up = _whether_up(receivers.get(crm), now)
        for one in broken if broken and broken[0].ever else broken[:1]:
            syncs, changes = brought[one.entity.name]
            said = f"nothing of {one.entity}" if one.ever else "nothing at all"
            of = "" if one.ever else f" of {one.entity}"
            yield Finding(
                "webhook_silent",
                one.entity.name if one.ever else crm,
                one.since,
                f"webhooks have told {said} since {minute(one.since)}, where {syncs} syncs{of} "
                f"brought {changes} changes that {crm} should have told of{up}: look at the "
                f"webhooks that {crm} has, and what it says of their deliveries",
                f"crm-sync doctor {crm}",
                changes,
            )


def _name(one: _Expected) -> str:
    return one.entity.name


def _expected(
    entity: Entity,
    webhooks: Webhooks,
    heard: Mapping[str, Sequence[Heard]],
    receivers: Mapping[str, Receiver],
) -> _Expected | None:
    announced = webhooks.announces.get(entity.sync_type, frozenset())
    told = heard.get(entity.crm, ())
    mine = next((one for one in told if one.entity == entity.sync_type), None)
    if mine is not None:
        happened = mine.happened & announced
        return _Expected(entity, mine.last, happened, ever=True) if happened else None
    receiver = receivers.get(entity.crm)
    if told or receiver is None or not announced:
        return None
    return _Expected(entity, receiver.since, announced, ever=False)


def _brought(
    connection: Connection, expected: Sequence[_Expected], now: datetime
) -> dict[str, tuple[int, int]]:
    """By entity, how many syncs brought such changes since, and how many."""
    rows = connection.execute(
        _CHANGES,
        {
            "names": [one.entity.name for one in expected],
            "crms": [one.entity.crm for one in expected],
            "types": [one.entity.sync_type for one in expected],
            "since": [one.since for one in expected],
            "strategies": [
                "incremental" if one.entity.tracks_changes else "full" for one in expected
            ],
            "created": ["created" in one.happened for one in expected],
            "changed": ["changed" in one.happened for one in expected],
            "deleted": ["deleted" in one.happened for one in expected],
            "until": now - LATE,
        },
    ).fetchall()
    return {name: (syncs, changes) for name, syncs, changes in rows}


def _whether_up(receiver: Receiver | None, now: datetime) -> str:
    if receiver is None:
        return "; no receiver was ever up for it"
    if now - receiver.seen > STALE_AFTER:
        return f"; no receiver has been up since {minute(receiver.seen)}"
    return ""


# Refused


def _refused(connection: Connection, refusals: int, now: datetime) -> Iterator[Finding]:
    found = webhook_tallies.refused(connection, now - DAY)
    for crm, group in groupby(found, key=lambda one: one.source):
        reasons = list(group)
        total = sum(one.deliveries for one in reasons)
        if total < refusals or now - max(one.last for one in reasons) > QUIET:
            continue
        told = ", ".join(f"{one.reason}: {one.deliveries}" for one in reasons)
        yield Finding(
            "webhook_refused",
            crm,
            min(one.first_hour for one in reasons),
            f"{total} deliveries to {crm}'s address were not proven within a day ({shown(told)}): "
            "was a secret changed on one side, or does somebody else send there?",
            f"crm-sync doctor {crm}",
            total,
        )


# Given up


def _failed(connection: Connection, now: datetime) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT source, entity, count(*), min(coalesce(processed_at, received_at)), "
        "(array_agg(error_message ORDER BY id DESC))[1] FROM ingestion_webhook_event "
        "WHERE status = 'failed' AND (entity IS NOT NULL OR received_at > %s) "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        (now - SHOWN,),
    ).fetchall()
    for crm, entity, count, since, why in rows:
        chosen = f"--crm {crm}" + (f" --entity {entity}" if entity else "")
        events = "1 event of webhooks" if count == 1 else f"{count} events of webhooks"
        advice = f"crm-sync webhooks list {chosen} --status failed"
        yield Finding(
            "webhook_failed",
            f"{crm}.{entity}" if entity else crm,
            since,
            f"{events} {'was' if count == 1 else 'were'} given up; the newest: {shown(why or '')}",
            f"{advice}; then crm-sync webhooks replay {chosen}" if entity else advice,
            count,
        )


# Waiting


def _waiting(
    connection: Connection, entities: Mapping[str, Entity], now: datetime, settings: Settings
) -> Iterator[tuple[Finding, bool]]:
    """Events that wait for too long, and whether a running sync is the reason."""
    rows = connection.execute(
        "SELECT e.*, EXISTS (SELECT FROM ingestion_sync_history WHERE crm_source = e.source "  # noqa: S608
        f"AND sync_type = e.entity AND {REAL} AND status = 'running' "
        "AND coalesce(heartbeat, start_time) > clock_timestamp() - %s) FROM ("
        "SELECT source, coalesce(entity, '') AS entity, count(*), "
        "min(coalesce(waiting_since, received_at)) AS since, count(next_attempt_at), "
        "(array_agg(error_message ORDER BY id) FILTER (WHERE next_attempt_at IS NOT NULL))[1] "
        "FROM ingestion_webhook_event WHERE status = 'pending' GROUP BY 1, 2) AS e ORDER BY 1, 2",
        (STALE_AFTER,),
    ).fetchall()
    for crm, name, count, since, tried, why, is_running in rows:
        entity = entities.get(f"{crm}.{name}")
        given = settings(entity) if entity is not None else SyncSettings()
        hours = given.webhook_wait_hours
        if not hours or now - since <= timedelta(hours=hours):
            continue
        events = "1 event of webhooks waits" if count == 1 else f"{count} events of webhooks wait"
        reason = (
            f"reading what {tried} of them named failed: {shown(why)}"
            if why
            else "nobody reads what they name: is the sensor `webhooks` on, or a receiver with "
            "--eager up, and do syncs run?"
        )
        finding = Finding(
            "webhook_pending",
            f"{crm}.{name}",
            since,
            f"{events} since {minute(since)}; {reason}",
            "crm-sync webhooks process",
            count,
        )
        yield finding, is_running
