"""What only a complete read may do: swap a replacement in, mark what is gone, or refuse to.

All of it runs in the sync's last transaction; what is refused here leaves nothing behind.
"""

from __future__ import annotations

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import Refused
from crm_sync_assets.warehouse.attempts import SeenKeys, live_rows
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import (
    point_losers_to_survivors,
    soft_delete,
    soft_delete_absent,
)


def mark_absent(
    connection: Connection, entity: Entity, seen: sql.Composable, *, forced: bool
) -> Counts:
    """Mark live rows that a complete enumeration did not contain. Raises Refused for too many."""
    live = live_rows(connection, entity)
    gone = soft_delete_absent(connection, entity, seen)
    refuse_mass_deletion(entity, gone, live, forced=forced)
    return Counts(deleted=gone)


def mark_merged(connection: Connection, entity: Entity) -> Counts:
    return Counts(deleted=point_losers_to_survivors(connection, entity))


def mark_found(
    connection: Connection, entity: Entity, stored: Entity, keys: SeenKeys, *, forced: bool
) -> Counts:
    """Mark rows of `stored` that `entity`'s client found to be gone. Raises Refused for too many.

    Until now these counted as unchanged.
    """
    gone = keys.gone(connection)
    if not gone:
        return Counts()
    live = live_rows(connection, stored)
    marked, _ = soft_delete(connection, stored, gone)
    refuse_mass_deletion(entity, marked, live, forced=forced)
    return Counts(updated=marked, unchanged=-marked, deleted=marked)


def refuse_mass_deletion(entity: Entity, gone: int, live: int, *, forced: bool) -> None:
    share = entity.vanish_limit
    if gone > live * share and not forced:
        raise Refused(
            f"{entity}: {gone} of {live} live rows would be marked as deleted, more than "
            f"{share:.0%} at once; nothing was marked. If they are really gone, run it again "
            "with force"
        )


def refuse_mass_failure(entity: Entity, counts: Counts, share: float) -> None:
    """A handful of bad records makes a sync partial; most of them make it failed."""
    if counts.failed >= 10 and counts.failed > counts.processed * share:
        raise Refused(
            f"{entity}: {counts.failed} of {counts.processed} records could not be stored, more "
            f"than {share:.0%}. See `crm-sync quarantine list --crm {entity.crm} "
            f"--entity {entity.sync_type}`"
        )
