"""What receivers of webhooks have heard and refused, in rows of which there are few.

`ingestion_webhook_heard` has a row for each sort of event, `ingestion_webhook_refusal` one for each
reason and hour, `ingestion_webhook_receiver` one for each CRM that a receiver is set up for. A
receiver adds to them now and then what it has counted meanwhile: no delivery costs a statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crm_sync_assets.warehouse.connection import Connection

KEPT: Final = timedelta(days=7)
"""For so long refusals are kept: there are as many rows as there are reasons and hours."""

FORGOTTEN: Final = timedelta(days=1)
"""A receiver that comes back after so long begins anew: nothing could have told it anything."""


@dataclass(frozen=True, slots=True)
class Sort:
    """Events of one CRM that are alike; `entity` is empty for those about none of ours."""

    source: str
    entity: str
    happened: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Deliveries of one CRM that were not proven for one reason."""

    source: str
    reason: str


@dataclass(slots=True)
class Span:
    """How many there were from the first to the last of them."""

    count: int
    first: datetime
    last: datetime

    def grow(self, count: int, first: datetime, last: datetime) -> None:
        self.count += count
        self.first, self.last = min(self.first, first), max(self.last, last)


def add_heard(connection: Connection, heard: Mapping[Sort, Span]) -> None:
    """In the caller's transaction, and in the order of the keys: two who add lock nobody."""
    ordered = sorted(heard, key=lambda one: (one.source, one.entity, one.happened))
    connection.execute(
        "INSERT INTO ingestion_webhook_heard AS h (source, entity, happened, first_at, last_at, "
        "events) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], "
        "%s::timestamptz[], %s::bigint[]) ON CONFLICT (source, entity, happened) DO UPDATE SET "
        "first_at = least(h.first_at, excluded.first_at), "
        "last_at = greatest(h.last_at, excluded.last_at), events = h.events + excluded.events",
        (
            [one.source for one in ordered],
            [one.entity for one in ordered],
            [one.happened for one in ordered],
            [heard[one].first for one in ordered],
            [heard[one].last for one in ordered],
            [heard[one].count for one in ordered],
        ),
    )


def add_refused(connection: Connection, refused: Mapping[Refusal, Span]) -> None:
    """In the caller's transaction, under the hour of each one's last; old ones go."""
    ordered = sorted(refused, key=lambda one: (one.source, one.reason))
    connection.execute(
        "INSERT INTO ingestion_webhook_refusal AS r (source, reason, hour, deliveries, last_at) "
        "SELECT source, reason, date_trunc('hour', last, 'UTC'), deliveries, last "
        "FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[]) "
        "AS n(source, reason, deliveries, last) ON CONFLICT (source, reason, hour) DO UPDATE SET "
        "deliveries = r.deliveries + excluded.deliveries, "
        "last_at = greatest(r.last_at, excluded.last_at)",
        (
            [one.source for one in ordered],
            [one.reason for one in ordered],
            [refused[one].count for one in ordered],
            [refused[one].last for one in ordered],
        ),
    )
    connection.execute(
        "DELETE FROM ingestion_webhook_refusal WHERE hour < clock_timestamp() - %s", (KEPT,)
    )


def is_up(connection: Connection, sources: Collection[str], at: datetime) -> None:
    """A receiver is there for these, in the caller's transaction."""
    connection.execute(
        "INSERT INTO ingestion_webhook_receiver AS r (source, since, seen_at) "
        "SELECT source, %(at)s, %(at)s FROM unnest(%(sources)s::text[]) AS n(source) "
        "ON CONFLICT (source) DO UPDATE SET seen_at = greatest(r.seen_at, excluded.seen_at), "
        "since = CASE WHEN r.seen_at < excluded.seen_at - %(forgotten)s "
        "THEN excluded.seen_at ELSE r.since END",
        {"sources": sorted(sources), "at": at, "forgotten": FORGOTTEN},
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """What one CRM told of one entity: which happenings, and when it was last."""

    entity: str
    happened: frozenset[str]
    last: datetime


def heard(connection: Connection) -> dict[str, list[Heard]]:
    """By CRM."""
    found: dict[str, list[Heard]] = {}
    for source, entity, happened, last in connection.execute(
        "SELECT source, entity, array_agg(happened), max(last_at) FROM ingestion_webhook_heard "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall():
        found.setdefault(source, []).append(Heard(entity, frozenset(happened), last))
    return found


@dataclass(frozen=True, slots=True)
class Receiver:
    """Since when a receiver is set up for a CRM, and its last sign of life."""

    since: datetime
    seen: datetime


def receivers(connection: Connection) -> dict[str, Receiver]:
    """By CRM."""
    rows = connection.execute("SELECT source, since, seen_at FROM ingestion_webhook_receiver")
    return {source: Receiver(since, seen) for source, since, seen in rows.fetchall()}


@dataclass(frozen=True, slots=True)
class Refused:
    """How many deliveries of a CRM were refused for one reason."""

    source: str
    reason: str
    deliveries: int
    first_hour: datetime
    last: datetime


def refused(connection: Connection, since: datetime) -> list[Refused]:
    """By CRM and reason, the most frequent first; those of the hours since then."""
    rows = connection.execute(
        "SELECT source, reason, sum(deliveries)::bigint, min(hour), max(last_at) "
        "FROM ingestion_webhook_refusal WHERE hour > %s GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2",
        (since,),
    ).fetchall()
    return [Refused(*row) for row in rows]
