"""Soft deletes: rows marked as deleted or merged, never removed."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.warehouse.connection import Connection


def key_array(entity: Entity, alias: str) -> sql.Composed:
    """SQL for a row's key as text[]: what `ingestion_sync_keys` holds."""
    return sql.SQL("ARRAY[{}]").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(alias, column.name)) for column in entity.key
        )
    )


def soft_delete(
    connection: Connection, entity: Entity, tombstones: Sequence[Tombstone]
) -> tuple[int, int]:
    """Mark rows as deleted inside the caller's transaction; (newly marked, already or unknown).

    `entity` is the one whose table holds the rows. A row merged away also names its survivor.
    """
    if not tombstones:
        return 0, 0
    merged = sql.SQL(", merged_into = coalesce(d.merged_into, t.merged_into)")
    query = sql.SQL(
        "UPDATE {table} AS t SET deleted_at = coalesce(t.deleted_at, d.deleted_at, now()), "
        "sync_updated_at = now(){archived}{merged} "
        "FROM (SELECT string_to_array(k, E'\\x1f') AS key, at AS deleted_at, m AS merged_into "
        "FROM unnest(%s::text[], %s::timestamptz[], %s::text[]) AS d(k, at, m)) AS d "
        "WHERE {key} = d.key AND (t.deleted_at IS NULL{or_merged})"
    ).format(
        table=sql.Identifier(entity.table),
        archived=_archived(entity),
        merged=merged if entity.merges else sql.SQL(""),
        key=key_array(entity, "t"),
        or_merged=sql.SQL(
            " OR (d.merged_into IS DISTINCT FROM t.merged_into AND d.merged_into IS NOT NULL)"
        )
        if entity.merges
        else sql.SQL(""),
    )
    columns = (
        ["\x1f".join(t.key) for t in tombstones],
        [t.deleted_at for t in tombstones],
        [t.merged_into for t in tombstones],
    )
    marked = connection.execute(query, columns).rowcount
    return marked, len(tombstones) - marked


def remove_gathered(
    connection: Connection, entity: Entity, table: sql.Identifier, tombstones: Sequence[Tombstone]
) -> None:
    """Remove from a shadow table what was gathered there and is gone: it must not be swapped in."""
    if tombstones:
        query = sql.SQL("DELETE FROM {} AS t WHERE {} = ANY (%s)").format(
            table, sql.SQL("array_to_string({}, E'\\x1f')").format(key_array(entity, "t"))
        )
        connection.execute(query, (["\x1f".join(t.key) for t in tombstones],))


FLAGS = ("archived", "is_deleted")
"""Columns of the source's own that say what `deleted_at` says, and follow it."""


def _archived(entity: Entity) -> sql.Composable:
    flags = [column.name for column in entity.columns if column.name in FLAGS]
    return sql.SQL("").join(sql.SQL(", {} = true").format(sql.Identifier(name)) for name in flags)


def soft_delete_absent(connection: Connection, entity: Entity, seen: sql.Composable) -> int:
    """Mark live rows whose key is not in `seen` (a query giving one text[] column) as deleted."""
    query = sql.SQL(
        "UPDATE {table} AS t SET deleted_at = now(), sync_updated_at = now(){archived} "
        "WHERE {absent}"
    ).format(
        table=sql.Identifier(entity.table), archived=_archived(entity), absent=absent(entity, seen)
    )
    return connection.execute(query).rowcount


def absent(entity: Entity, seen: sql.Composable) -> sql.Composed:
    """Of the table as `t`: live rows whose key is not in `seen`, a query of one text[] column."""
    return sql.SQL(
        "t.deleted_at IS NULL AND NOT EXISTS "
        "(SELECT FROM ({seen}) AS seen(key) WHERE seen.key = {key})"
    ).format(seen=seen, key=key_array(entity, "t"))


def point_losers_to_survivors(connection: Connection, entity: Entity) -> int:
    """Mark rows that a surviving record names in its merged ids; how many changed.

    A loser named by several survivors (a chain of merges) goes to the one still alive.
    """
    if entity.merges_told:
        return _follow_chains(connection, entity)
    if not entity.merged_ids:
        return 0
    (key,) = entity.key
    query = sql.SQL(
        "WITH claims AS ("
        "SELECT DISTINCT ON (m.id) m.id, s.{key} AS survivor FROM {table} AS s, "
        "jsonb_array_elements_text(s.{merged}) AS m(id) "
        "WHERE s.{merged} IS NOT NULL AND m.id <> s.{key} "
        "ORDER BY m.id, (s.deleted_at IS NULL) DESC, s.{modified} DESC NULLS LAST, s.{key} DESC) "
        "UPDATE {table} AS t SET merged_into = claims.survivor, "
        "deleted_at = coalesce(t.deleted_at, now()), sync_updated_at = now(){archived} "
        "FROM claims WHERE t.{key} = claims.id AND t.merged_into IS DISTINCT FROM claims.survivor"
    ).format(
        key=sql.Identifier(key.name),
        table=sql.Identifier(entity.table),
        merged=sql.Identifier(entity.merged_ids),
        modified=sql.Identifier(entity.modified.name if entity.modified else key.name),
        archived=_archived(entity),
    )
    return connection.execute(query).rowcount


LONGEST_CHAIN = 100
"""Merges of one record after another; no more are followed, in case they run in a circle."""


def _follow_chains(connection: Connection, entity: Entity) -> int:
    """Point rows whose survivor was merged away itself to where that went; how many changed."""
    (key,) = entity.key
    query = sql.SQL(
        "UPDATE {table} AS t SET merged_into = s.merged_into, sync_updated_at = now() "
        "FROM {table} AS s WHERE t.merged_into = s.{key} AND s.merged_into IS NOT NULL "
        "AND s.merged_into <> t.{key}"
    ).format(table=sql.Identifier(entity.table), key=sql.Identifier(key.name))
    changed = 0
    for _ in range(LONGEST_CHAIN):
        now = connection.execute(query).rowcount
        changed += now
        if not now:
            break
    return changed
