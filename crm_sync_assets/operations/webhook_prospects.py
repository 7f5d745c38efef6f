"""What a turn at an entity could do now, and what the others of its events wait for.

Both whoever takes the turn and the sensor that would start a run for it ask this: a run that can do
nothing is not started, and what waits has a reason that can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.webhooks import Happened, Webhooks
from crm_sync_assets.warehouse import history, locks, webhook_events
from crm_sync_assets.warehouse.connection import Connection

MOST: Final = 2_000
"""More different records than this are left to a delta, which reads them in larger pages."""

HAPPENED: Final[tuple[Happened, ...]] = get_args(Happened)


@dataclass(frozen=True, slots=True)
class Prospect:
    """`settled` events are done because a sync has read since what they told, `left` wait for one.

    `is_due`: some are to be read one by one, those that happened as in `only`, all if it is empty.
    `why` says what keeps even them waiting.
    """

    entity: Entity
    settled: int
    left: int
    only: Sequence[Happened]
    is_due: bool
    why: str | None = None


def prospect(connection: Connection, entity: Entity, webhooks: Webhooks) -> Prospect:
    """Settle what a sync has read since, and say what remains. Commits."""
    source, name, sees = entity.crm, entity.sync_type, webhooks.deltas_see
    settled = webhook_events.settle(connection, source, name, sees, named=False)
    records = webhook_events.records_due(connection, source, name, most=MOST + 1)
    if records > MOST and sees:
        settled += webhook_events.settle(connection, source, name, sees, named=True)
        records = webhook_events.records_due(connection, source, name, most=MOST + 1)
    is_burst = records > MOST and bool(sees)
    only = [happened for happened in HAPPENED if happened not in sees] if is_burst else []
    left = webhook_events.unread(
        connection, source, name, HAPPENED if not is_burst else sees, named=is_burst
    )
    is_due = bool(webhook_events.due(connection, source, name, limit=1, only=only))
    why = None
    if is_due and history.past(connection, entity).watermark is None:
        why = f"{entity}: it was never synced completely; do that first"
    connection.commit()
    return Prospect(entity, settled, left, only, is_due, why)


def busy(connection: Connection, entity: Entity) -> str | None:
    """Who keeps a turn from beginning now: whoever holds the entity's lock. Commits."""
    resource = history.resource(entity)
    if locks.holder(connection, locks.passing(resource)) is not None:
        return f"{entity}: another turn at it is under way"
    if locks.holder(connection, locks.entity(resource)) is not None:
        return f"{entity}: a sync of it is running"
    return None
