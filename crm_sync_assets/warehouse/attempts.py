"""What the attempts of one sync leave behind until it ends: the keys they read, and the table
that a complete replacement is gathered in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from psycopg import sql

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.warehouse import schemas
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import (
    absent,
    key_array,
)
from crm_sync_assets.warehouse.folding import counts_of, failing, mending
from crm_sync_assets.warehouse.loading import Table

LONGEST_KEY = 2_000
"""Bytes. An index entry of PostgreSQL holds some 2,700."""


@dataclass(frozen=True, slots=True)
class SeenKeys:
    """The keys one sync has read in all its attempts, known by the first one's id."""

    first_attempt: int

    def add_staged(self, connection: Connection, table: Table) -> None:
        columns = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in table.entity.key
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO ingestion_sync_keys (sync_id, key) SELECT {}, ARRAY[{}] FROM {} "
                "ON CONFLICT DO NOTHING"
            ).format(sql.Literal(self.first_attempt), columns, table.stage)
        )

    def add_failed(
        self, connection: Connection, entity: Entity, failures: Sequence[Failure]
    ) -> None:
        """A record that failed was read all the same: its stored row has not vanished.

        One that does not say which it is leaves a key without parts, for any row may be its.
        """
        connection.cursor().executemany(
            "INSERT INTO ingestion_sync_keys (sync_id, key) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [
                (self.first_attempt, key)
                for failure in failures
                for key in (
                    _keys_named(failure.record_id, len(entity.key)) if failure.record_id else [[]]
                )
            ],
        )

    def count_failed(self, connection: Connection, failures: Sequence[Failure]) -> Counts:
        """Where several records make a row, it counts as failed once one of them does.

        What that changes in the counts. A record that does not say which it is counts by itself.
        """
        named = [
            failure.record_id
            for failure in failures
            if failure.record_id and len(failure.record_id.encode()) <= LONGEST_KEY
        ]
        nameless = len(failures) - len(named)
        found = connection.execute(failing(self.first_attempt), (named,)).fetchone()
        return counts_of(found) + Counts(processed=nameless, failed=nameless)

    def count_mended(self, connection: Connection, keys: Sequence[str]) -> Counts:
        """These rows have all by now that failed before; what that changes in the counts."""
        found = connection.execute(mending(self.first_attempt), (list(keys),)).fetchone()
        return counts_of(found)

    def add(self, connection: Connection, keys: Sequence[Key]) -> None:
        """These were read, or are as good as that: their rows have not vanished."""
        connection.cursor().executemany(
            "INSERT INTO ingestion_sync_keys (sync_id, key) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [(self.first_attempt, list(key)) for key in keys],
        )

    def has_nameless(self, connection: Connection) -> bool:
        """Whether a record was read of which nobody knows which one it is."""
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM ingestion_sync_keys WHERE sync_id = %s AND key = '{}')",
            (self.first_attempt,),
        ).fetchone()
        return bool(row and row[0])

    def add_gone(self, connection: Connection, tombstones: Sequence[Tombstone]) -> None:
        connection.cursor().executemany(
            "INSERT INTO ingestion_sync_keys (sync_id, key, gone, merged_into) "
            "VALUES (%s, %s, true, %s) ON CONFLICT DO NOTHING",
            [
                (self.first_attempt, list(tombstone.key), tombstone.merged_into)
                for tombstone in tombstones
            ],
        )

    def gone(self, connection: Connection) -> list[Tombstone]:
        return [
            Tombstone(tuple(key), merged_into=survivor)
            for key, survivor in connection.execute(
                "SELECT key, merged_into FROM ingestion_sync_keys WHERE sync_id = %s AND gone",
                (self.first_attempt,),
            )
        ]

    def query(self) -> sql.Composed:
        return sql.SQL("SELECT key FROM ingestion_sync_keys WHERE sync_id = {}").format(
            sql.Literal(self.first_attempt)
        )


@dataclass(frozen=True, slots=True)
class Shadow:
    """The table that a complete replacement is gathered in, until it is swapped in."""

    first_attempt: int
    entity: Entity

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(f"ingestion_shadow_{self.first_attempt}_{self.entity.table}"[:63])

    def create(self, connection: Connection) -> None:
        connection.execute(
            sql.SQL("CREATE TABLE {}.{} (LIKE {} INCLUDING ALL)").format(
                sql.Identifier(schemas.of_internals(connection)),
                self.identifier,
                sql.Identifier(self.entity.table),
            )
        )

    def swap_in(self, connection: Connection, table: Table, counts: Counts) -> Counts:
        """Make the table's rows what the shadow holds, in one statement; the sync's counts.

        Readers see the old rows until the commit, and the new ones after it.
        """
        if table.entity.parts:
            found = connection.execute(
                table.counting(self.identifier, table.target, self.first_attempt, settles=True)
            ).fetchone()
            settled = counts_of(found)
            return replace(
                counts,
                created=settled.created,
                updated=settled.updated,
                unchanged=settled.unchanged,
            )
        found = connection.execute(table.upsert(self.identifier, table.target)).fetchone()
        rows = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(self.identifier)
        ).fetchone()
        created, updated = found or (0, 0)
        stored = rows[0] if rows else 0
        return Counts(
            processed=stored + counts.failed,
            created=created,
            updated=updated,
            unchanged=stored - created - updated,
            failed=counts.failed,
            deleted=counts.deleted,
            warnings=counts.warnings,
        )


def _keys_named(record_id: str, parts: int) -> Iterator[list[str]]:
    """The keys of so many parts that are written `a/b`, should a part hold a slash itself.

    None for what is too long to be the key of a stored row.
    """
    if not record_id or len(record_id.encode()) > LONGEST_KEY:
        return
    pieces = record_id.split("/")
    for cuts in combinations(range(1, len(pieces)), parts - 1):
        bounds = pairwise((0, *cuts, len(pieces)))
        yield ["/".join(pieces[start:end]) for start, end in bounds]


def forget_attempts(connection: Connection, entity: Entity, *, but: Collection[int] = ()) -> None:
    """Drop the keys and shadows that attempts of this entity left behind, `but` of these."""
    connection.execute(
        "DELETE FROM ingestion_sync_keys WHERE sync_id IN (SELECT id FROM ingestion_sync_history "
        "WHERE crm_source = %s AND sync_type = %s) AND sync_id <> ALL (%s)",
        (entity.crm, entity.sync_type, list(but)),
    )
    if entity.tombstones_of:
        return
    for name in shadows(connection, entity, but=but):
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def shadows(connection: Connection, entity: Entity, *, but: Collection[int] = ()) -> list[str]:
    """Names of the shadow tables that replacements of this entity's table, `but` of these,
    have left behind."""
    found = connection.execute(
        "SELECT substring(relname FROM '^ingestion_shadow_([0-9]+)_')::bigint, relname "
        "FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) "
        "AND relname ~ '^ingestion_shadow_[0-9]+_'"
    ).fetchall()
    return [
        name
        for first_attempt, name in found
        if first_attempt not in but
        and name == Shadow(first_attempt, entity).identifier.as_string(connection).strip('"')
    ]


def live_rows(connection: Connection, entity: Entity) -> int:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE deleted_at IS NULL").format(
            sql.Identifier(entity.table)
        )
    ).fetchone()
    return int(row[0]) if row else 0


def has_live_rows(connection: Connection, entity: Entity) -> bool:
    row = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE deleted_at IS NULL)").format(
            sql.Identifier(entity.table)
        )
    ).fetchone()
    return bool(row and row[0])


def absent_rows(connection: Connection, entity: Entity, seen: sql.Composable) -> int:
    """How many live rows have a key that is not in `seen`, a query giving one text[] column."""
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {} AS t WHERE {}").format(
            sql.Identifier(entity.table), absent(entity, seen)
        )
    ).fetchone()
    return int(row[0]) if row else 0


def absent_keys(
    connection: Connection, entity: Entity, seen: sql.Composable, *, after: Key, limit: int
) -> list[Key]:
    """The keys of such rows in the database's own order, up to `limit` of them after a key."""
    query = sql.SQL(
        "SELECT {key} FROM {table} AS t WHERE {absent} AND {key} > %s ORDER BY 1 LIMIT %s"
    )
    found = connection.execute(
        query.format(
            key=key_array(entity, "t"),
            table=sql.Identifier(entity.table),
            absent=absent(entity, seen),
        ),
        (list(after), limit),
    ).fetchall()
    return [tuple(key) for (key,) in found]
