"""Records that are gone without a word of it: so many of them are not believed.

Credentials that lost a right see nothing any more, and a source answers as if the records were not
there. One batch of events says little about that, and events may come one by one: what counts is
all that was asked for within an hour.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.warehouse import attempts
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.deletions import key_array

GONE_FROM: Final = 10
"""So many are looked at: are they too many?"""

WITHIN: Final = timedelta(hours=1)
MOST_OF_THOSE_ASKED: Final = 0.5

METRIC: Final = "webhook_gone"
"""In `performance_metrics` of a turn."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Stored records that the source has lost without a word; `why` they are not believed gone."""

    keys: frozenset[Key] = frozenset()
    why: str | None = None


def loss(
    connection: Connection, entity: Entity, sync_id: int, keys: Collection[Key], asked: int
) -> Loss:
    """What of these is lost: they are gone, and no event said so.

    `asked` is how many records this turn has asked for, with these. What is marked as deleted
    already is no news. Too many within an hour are not believed.
    """
    lost = _live(connection, entity, keys) if keys else frozenset()
    if not lost:
        return Loss()
    before, others = _within_the_hour(connection, entity, sync_id)
    total, asked = before + len(lost), others + asked
    if total >= GONE_FROM:
        live = attempts.live_rows(connection, entity)
        if total > asked * MOST_OF_THOSE_ASKED or total > entity.vanish_limit * live:
            return Loss(lost, _refusal(entity, total, asked, live))
    return Loss(lost)


def note(connection: Connection, sync_id: int, lost: int) -> None:
    """So many more were lost, believed or not; in the transaction that stores the others."""
    connection.execute(
        "UPDATE ingestion_sync_history SET performance_metrics = "
        "performance_metrics || jsonb_build_object(%(metric)s::text, "
        "coalesce((performance_metrics ->> %(metric)s)::bigint, 0) + %(lost)s) WHERE id = %(id)s",
        {"metric": METRIC, "lost": lost, "id": sync_id},
    )


def _refusal(entity: Entity, lost: int, asked: int, live: int) -> str:
    command = f"crm-sync {entity.crm} {entity.sync_type}"
    return (
        f"the source has lost {lost} of the {asked} records that webhooks named within an hour, "
        f"of {live} live rows, and no webhook said that they were deleted, so they were not "
        f"marked. Look whether the credentials may still read them (`crm-sync doctor {entity.crm}`"
        f"); if they are really gone, run `{command} --full`, with --force if that is refused too"
    )


def _live(connection: Connection, entity: Entity, keys: Collection[Key]) -> frozenset[Key]:
    rows = connection.execute(
        sql.SQL("SELECT {key} FROM {} AS t WHERE deleted_at IS NULL AND {joined} = ANY(%s)").format(
            sql.Identifier(entity.table),
            key=key_array(entity, "t"),
            joined=sql.SQL("array_to_string({}, E'\\x1f')").format(key_array(entity, "t")),
        ),
        (["\x1f".join(key) for key in keys],),
    ).fetchall()
    return frozenset(tuple(row[0]) for row in rows)


def _within_the_hour(connection: Connection, entity: Entity, sync_id: int) -> tuple[int, int]:
    """What was lost in all turns of the hour, with this one, and what the others asked for."""
    row = connection.execute(
        "SELECT coalesce(sum((performance_metrics ->> %(metric)s)::bigint), 0)::bigint, "
        "coalesce(sum(records_processed) FILTER (WHERE id <> %(id)s), 0)::bigint "
        "FROM ingestion_sync_history WHERE crm_source = %(crm)s AND sync_type = %(type)s "
        "AND kind = 'webhook' AND start_time > clock_timestamp() - %(within)s",
        {
            "metric": METRIC,
            "id": sync_id,
            "crm": entity.crm,
            "type": entity.sync_type,
            "within": WITHIN,
        },
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
