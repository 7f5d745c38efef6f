"""What webhooks told of: `ingestion_webhook_event`, one row per event, kept until it is old.

An event is pending until its record was read, done afterwards, failed when its record could not be
read too often, ignored where it is none of ours. Everything here works on a connection it is given.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from crm_sync_assets.declarations.parsing import MAX_DEPTH
from crm_sync_assets.declarations.webhooks import Event
from crm_sync_assets.errors import FatalError
from crm_sync_assets.keyring import VARIABLE
from crm_sync_assets.redaction import redact
from crm_sync_assets.rows.processor import cut
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL
from crm_sync_assets.warehouse.vault import Context, Vault, looks_encrypted

Status = Literal["pending", "done", "failed", "ignored"]
STATUSES: Final[tuple[Status, ...]] = ("pending", "done", "failed", "ignored")

MOST_ATTEMPTS: Final = 12
"""An event that failed so often by its own fault waits for a person; that takes some five hours."""

LONGEST_PAUSE: Final = timedelta(hours=1)
NOT_SYNCED: Final = "no such entity is synced here"
SEPARATOR: Final = "/"
"""Between the parts of a record's key."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as it is kept; `payload` is None where it was not asked for."""

    id: int
    source: str
    key: str
    type: str | None
    entity: str | None
    record: str | None
    happened: str
    occurred_at: datetime | None
    received_at: datetime
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    processed_at: datetime | None
    sync_id: int | None
    payload: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came, with some headers of its delivery."""

    source: str
    event: Event
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def status(self) -> Status:
        if self.event.unread:
            return "failed"
        return "pending" if self.event.entity else "ignored"


def add(connection: Connection, received: Sequence[Received], vault: Vault | None) -> int:
    """Keep these in one statement, in the caller's transaction; how many were new.

    In the order of their keys: two who add the same ones at once wait, and do not lock each other.
    """
    columns: list[list[Any]] = [[] for _ in range(10)]
    for one in sorted(received, key=lambda one: (one.source, one.event.key)):
        event = one.event
        values = (
            one.source,
            event.key,
            _clean(event.type, 100),
            event.entity,
            SEPARATOR.join(event.record) or None,
            event.happened,
            event.at,
            Jsonb({name: _clean(value, 200) for name, value in one.headers.items()}),
            _kept(vault, one.source, event),
            (one.status, event.why),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    *others, ends = columns
    others += [[status for status, _ in ends], [why and _clean(why, 500) for _, why in ends]]
    done = connection.execute(
        "INSERT INTO ingestion_webhook_event (source, event_key, event_type, entity, record_id, "
        "happened, occurred_at, headers, payload, status, error_message, processed_at) "
        "SELECT *, CASE WHEN s = 'pending' THEN NULL ELSE clock_timestamp() END FROM unnest("
        "%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], "
        "%s::timestamptz[], %s::jsonb[], %s::text[], %s::text[], %s::text[]) "
        "AS n(source, key, type, entity, record, happened, at, headers, payload, s, why) "
        "ON CONFLICT (source, event_key) DO NOTHING",
        others,
    )
    return done.rowcount


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of one entity is pending and due: how many events, and how many name a record."""

    source: str
    entity: str
    events: int
    named: int
    newest_at: datetime


_DUE: Final = "status = 'pending' AND coalesce(next_attempt_at <= clock_timestamp(), true)"


def waiting(connection: Connection) -> list[Waiting]:
    """By entity, the longest waiting first. Commits."""
    found = connection.execute(
        "SELECT source, entity, count(*), count(record_id), max(received_at) "  # noqa: S608
        f"FROM ingestion_webhook_event WHERE {_DUE} AND entity IS NOT NULL "
        "GROUP BY 1, 2 ORDER BY min(id)"
    ).fetchall()
    connection.commit()
    return [Waiting(*row) for row in found]


def pending(connection: Connection) -> int:
    """How many events have not come to an end, due or not. Commits."""
    found = connection.execute(
        "SELECT count(*) FROM ingestion_webhook_event WHERE status = 'pending'"
    ).fetchone()
    connection.commit()
    return int(found[0]) if found else 0


@dataclass(frozen=True, slots=True)
class Due:
    """One event whose record is to be read."""

    id: int
    record: tuple[str, ...]
    happened: str


def due(
    connection: Connection,
    source: str,
    entity: str,
    *,
    limit: int,
    only: Collection[str] = (),
    tried: bool | None = None,
) -> list[Due]:
    """All that is due about at most so many records, those that wait longest. Commits.

    `only` events that happened so. Records that were `tried` could not be read before, because of
    this event or another one; None takes both. Whoever is about to read the records holds the
    entity's lock.
    """
    found = connection.execute(
        "WITH due AS (SELECT id, record_id, happened FROM ingestion_webhook_event "  # noqa: S608
        "WHERE source = %(source)s AND entity = %(entity)s AND record_id IS NOT NULL "
        f"AND {_DUE} AND (%(all)s OR happened = ANY(%(only)s))), "
        "tried AS (SELECT record_id FROM ingestion_webhook_event WHERE source = %(source)s "
        "AND entity = %(entity)s AND record_id IS NOT NULL "
        "AND status = 'pending' AND next_attempt_at IS NOT NULL "
        "UNION ALL SELECT record_id FROM ingestion_webhook_event WHERE source = %(source)s "
        "AND entity = %(entity)s AND record_id IS NOT NULL AND status = 'failed'), "
        "chosen AS (SELECT record_id FROM due WHERE %(tried)s::boolean IS NULL "
        "OR (record_id IN (SELECT record_id FROM tried)) = %(tried)s "
        "GROUP BY 1 ORDER BY min(id) LIMIT %(limit)s) "
        "SELECT id, record_id, happened FROM due JOIN chosen USING (record_id) ORDER BY id",
        {
            "source": source,
            "entity": entity,
            "all": not only,
            "only": list(only),
            "tried": tried,
            "limit": limit,
        },
    ).fetchall()
    connection.commit()
    return [
        Due(number, tuple(record.split(SEPARATOR)), happened) for number, record, happened in found
    ]


def records_due(connection: Connection, source: str, entity: str, *, most: int) -> int:
    """How many different records are named by events that are due, counted up to `most`. Commits.

    Of a burst it looks at as many events as it has to, and no more.
    """
    found = connection.execute(
        "SELECT count(*) FROM (SELECT DISTINCT record_id FROM ingestion_webhook_event "  # noqa: S608
        f"WHERE source = %s AND entity = %s AND record_id IS NOT NULL AND {_DUE} LIMIT %s) AS r",
        (source, entity, most),
    ).fetchone()
    connection.commit()
    return int(found[0]) if found else 0


def done(connection: Connection, ids: Sequence[int], sync_id: int) -> None:
    """Their records were read by this row of SyncHistory; in the caller's transaction."""
    connection.execute(
        "UPDATE ingestion_webhook_event SET status = 'done', processed_at = clock_timestamp(), "
        "sync_id = %s, error_message = NULL WHERE id = ANY(%s) AND status = 'pending'",
        (sync_id, list(ids)),
    )


def settle(
    connection: Connection, source: str, entity: str, seen: Collection[str], *, named: bool
) -> int:
    """What a complete sync has read since is done: how many. Commits.

    Such a sync began after the event had arrived, by the source's clock and by ours, for one of
    them may be ahead; and nothing that was told changed later than that. `seen` is what a delta
    sees; a read of everything sees all but what is gone.
    Without `named` only events that name no record: others are read one by one.
    """
    settled = connection.execute(
        "UPDATE ingestion_webhook_event AS e SET status = 'done', "  # noqa: S608  constants
        "processed_at = clock_timestamp(), sync_id = h.id, error_message = NULL "
        "FROM (SELECT id, watermark, start_time FROM ingestion_sync_history "
        f"WHERE crm_source = %(source)s AND sync_type = %(entity)s AND {REAL} "
        "AND status IN ('success', 'partial') "
        "AND watermark IS NOT NULL ORDER BY end_time DESC LIMIT 1) AS h "
        "WHERE e.source = %(source)s AND e.entity = %(entity)s AND e.status = 'pending' "
        "AND e.received_at <= least(h.watermark, h.start_time) AND e.happened = ANY(%(seen)s) "
        "AND (%(named)s OR e.record_id IS NULL)",
        {"source": source, "entity": entity, "seen": list(seen), "named": named},
    ).rowcount
    connection.commit()
    return settled


def unread(
    connection: Connection, source: str, entity: str, happened: Collection[str], *, named: bool
) -> int:
    """How many pending events wait for a delta: those that name no record, or all. Commits."""
    found = connection.execute(
        "SELECT count(*) FROM ingestion_webhook_event WHERE source = %s AND entity = %s "
        "AND status = 'pending' AND happened = ANY(%s) AND (%s OR record_id IS NULL)",
        (source, entity, list(happened), named),
    ).fetchone()
    connection.commit()
    return int(found[0]) if found else 0


def failed(connection: Connection, ids: Sequence[int], why: str) -> None:
    """They are to blame: another try later, or none any more; in the caller's transaction.

    The pause doubles from ten seconds on.
    """
    connection.execute(
        "UPDATE ingestion_webhook_event SET attempts = attempts + 1, "
        "status = CASE WHEN attempts + 1 >= %(most)s THEN 'failed' ELSE status END, "
        "processed_at = CASE WHEN attempts + 1 >= %(most)s THEN clock_timestamp() END, "
        "next_attempt_at = clock_timestamp() + "
        "least(interval '10 seconds' * 2 ^ least(attempts, 20), %(longest)s), "
        "error_message = %(why)s WHERE id = ANY(%(ids)s) AND status = 'pending'",
        {
            "ids": list(ids),
            "most": MOST_ATTEMPTS,
            "longest": LONGEST_PAUSE,
            "why": _clean(redact(why), 2_000),
        },
    )


def postponed(
    connection: Connection, ids: Sequence[int], why: str, *, until: datetime | None = None
) -> None:
    """They are not to blame: another try later, however often; in the caller's transaction.

    At `until` where the source named the moment; else after as long as they have waited already.
    """
    connection.execute(
        "UPDATE ingestion_webhook_event SET "
        "next_attempt_at = coalesce(%(until)s::timestamptz, clock_timestamp() + least("
        "greatest(clock_timestamp() - coalesce(waiting_since, received_at), "
        "interval '10 seconds'), %(longest)s)), "
        "error_message = %(why)s WHERE id = ANY(%(ids)s) AND status = 'pending'",
        {
            "ids": list(ids),
            "longest": LONGEST_PAUSE,
            "until": until,
            "why": _clean(redact(why), 2_000),
        },
    )


def ignore(connection: Connection, source: str, entity: str, why: str) -> int:
    """Nothing is to be read for what is pending of this entity; how many events. Commits."""
    ignored = connection.execute(
        "UPDATE ingestion_webhook_event SET status = 'ignored', error_message = %s, "
        "processed_at = clock_timestamp() "
        "WHERE source = %s AND entity = %s AND status = 'pending'",
        (why, source, entity),
    ).rowcount
    connection.commit()
    return ignored


def again(
    connection: Connection,
    *,
    source: str | None = None,
    entity: str | None = None,
    number: int | None = None,
) -> int:
    """Failed events, or the one of this number whatever became of it, are pending again; how many.

    Only those that are about an entity: the others have nothing to be read. Commits.
    """
    found = connection.execute(
        "UPDATE ingestion_webhook_event SET status = 'pending', attempts = 0, "
        "next_attempt_at = NULL, processed_at = NULL, sync_id = NULL, "
        "waiting_since = clock_timestamp() "
        "WHERE entity IS NOT NULL AND (status = 'failed' OR id = %(number)s) "
        "AND (%(source)s::text IS NULL OR source = %(source)s) "
        "AND (%(entity)s::text IS NULL OR entity = %(entity)s) "
        "AND (%(number)s::bigint IS NULL OR id = %(number)s)",
        {"source": source, "entity": entity, "number": number},
    ).rowcount
    connection.commit()
    return found


_COLUMNS: Final = (
    "id, source, event_key, event_type, entity, record_id, happened, occurred_at, received_at, "
    "status, attempts, next_attempt_at, error_message, processed_at, sync_id"
)


def listed(
    connection: Connection,
    *,
    source: str | None = None,
    entity: str | None = None,
    status: str | None = None,
    number: int | None = None,
    limit: int = 20,
) -> list[Stored]:
    """The newest first, without what was sent. Commits."""
    rows = _found(connection, "", source, entity, status, number, limit)
    return [Stored(*row) for row in rows]


def shown(
    connection: Connection,
    vault: Vault | None,
    *,
    source: str | None = None,
    entity: str | None = None,
    status: str | None = None,
    number: int | None = None,
    limit: int = 5,
) -> list[Stored]:
    """The newest first, with what was sent. Raises FatalError where that needs a key. Commits."""
    rows = _found(connection, ", payload", source, entity, status, number, limit)
    return [Stored(*(*row[:-1], _opened(vault, row[1], row[2], row[-1]))) for row in rows]


def _found(
    connection: Connection,
    more: Literal["", ", payload"],
    source: str | None,
    entity: str | None,
    status: str | None,
    number: int | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    rows = connection.execute(
        f"SELECT {_COLUMNS}{more} FROM ingestion_webhook_event "  # noqa: S608  constants
        "WHERE (%(source)s::text IS NULL OR source = %(source)s) "
        "AND (%(entity)s::text IS NULL OR entity = %(entity)s) "
        "AND (%(status)s::text IS NULL OR status = %(status)s) "
        "AND (%(number)s::bigint IS NULL OR id = %(number)s) "
        "ORDER BY id DESC LIMIT %(limit)s",
        {
            "source": source,
            "entity": entity,
            "status": status,
            "number": number,
            "limit": limit,
        },
    ).fetchall()
    connection.commit()
    return rows


def context(source: str, key: str) -> Context:
    """Where an encrypted payload lives."""
    return ("ingestion_webhook_event", source, key)


def _kept(vault: Vault | None, source: str, event: Event) -> str:
    """ASCII JSON: what PostgreSQL's text cannot hold is kept as an escape."""
    payload = json.dumps(cut(event.payload, MAX_DEPTH + 2), default=str)
    return payload if vault is None else vault.encrypt(context(source, event.key), payload)


def _opened(vault: Vault | None, source: str, key: str, payload: str) -> Any:
    if looks_encrypted(payload):
        if vault is None:
            raise FatalError(f"what webhooks sent is encrypted: set {VARIABLE}")
        payload = vault.decrypt(context(source, key), payload, "text")
    return json.loads(payload)


def _clean(text: str, most: int) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]
