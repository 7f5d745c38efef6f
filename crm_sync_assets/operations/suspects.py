"""What seems to differ: the source's list beside the stored rows, compared in the database.

The list goes into a temporary table, so memory holds one page of it, and the suspects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.operations.verified import Kind
from crm_sync_assets.warehouse import attempts, quarantine
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.deletions import key_array


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record that seems to differ. `stored` and `sent` are its modified moments here and there,
    `deleted` says that the stored row is marked.
    """

    key: Key
    stored: datetime | None
    sent: datetime | None
    kind: Kind
    deleted: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The list against the table. `there` and `here` count live records, `total` all suspects and
    `extra` those that are here only; `suspects` are the first of them, in key order.

    No suspects any more are `newer`, which changed after the moment up to which was compared, and
    `explained`, which are in quarantine.
    """

    there: int
    here: int
    newer: Counter[Kind]
    explained: Counter[Kind]
    total: int
    extra: int
    suspects: Sequence[Suspect]


class Listed:
    """The keys that the source lists, with their modified moments, in a temporary table."""

    def __init__(self, connection: Connection, entity: Entity) -> None:
        self._connection = connection
        self._entity = entity
        with connection.transaction():
            connection.execute("CREATE TEMP TABLE verify_there (key text[], modified timestamptz)")

    def add(self, records: Iterable[tuple[Sequence[str], datetime | None]]) -> None:
        """Note keys that are there, with their modified moments where those are known."""
        with (
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy("COPY verify_there FROM STDIN") as copy,
        ):
            for key, modified in records:
                copy.write_row((list(key), modified))

    def compared(self, through: datetime, *, most: int) -> Comparison:
        """The comparison up to this moment, with at most so many suspects. Once per list."""
        with self._connection.transaction():
            self._suspect(through)
            if self._entity.absent == "kept":
                # That the source does not list it any more is no difference, and nothing to mend.
                self._connection.execute("DELETE FROM verify_suspects WHERE kind = 'extra'")
            newer = self._dropped("DELETE FROM verify_suspects WHERE newer RETURNING kind")
            # A record in quarantine is not lost, and why it is not here is known.
            explained = self._dropped(
                "DELETE FROM verify_suspects AS s USING ingestion_quarantine AS q "
                "WHERE q.crm_source = %s AND q.sync_type = %s AND s.kind <> 'extra' "
                "AND (q.record_id = array_to_string(s.key, '/') OR (%s AND "
                "starts_with(q.record_id, array_to_string(s.key, '/') || %s))) RETURNING s.kind",
                (
                    self._entity.crm,
                    self._entity.sync_type,
                    bool(self._entity.parts),
                    quarantine.MARK,
                ),
            )
            (there,) = self._one("SELECT count(DISTINCT key) FROM verify_there")
            here = attempts.live_rows(self._connection, self._entity)
            total, extra = self._one(
                "SELECT count(*), count(*) FILTER (WHERE kind = 'extra') FROM verify_suspects"
            )
            suspects = [
                Suspect(tuple(key), *others)
                for key, *others in self._connection.execute(
                    "SELECT key, stored, sent, kind, deleted FROM verify_suspects "
                    "ORDER BY key LIMIT %s",
                    (most,),
                )
            ]
        return Comparison(there, here, newer, explained, total, extra, suspects)

    def _suspect(self, through: datetime) -> None:
        """All records that are not the same in both, into a temporary table."""
        entity = self._entity
        modified = (
            sql.SQL("h.{}").format(sql.Identifier(entity.modified.name))
            if (entity.modified)
            else sql.SQL("NULL::timestamptz")
        )
        self._connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE verify_suspects AS "
                "WITH there AS (SELECT key, max(modified) AS modified FROM verify_there "
                "GROUP BY key), "
                "here AS (SELECT {key} AS key, {modified} AS modified, deleted_at "
                "FROM {table} AS h) "
                "SELECT key, h.modified AS stored, t.modified AS sent, "
                "CASE WHEN t.key IS NULL THEN 'extra' "
                "WHEN h.key IS NULL OR h.deleted_at IS NOT NULL THEN 'missing' "
                "ELSE 'stale' END AS kind, h.deleted_at IS NOT NULL AS deleted, "
                "(CASE WHEN t.key IS NULL THEN h.modified ELSE t.modified END > {through}) "
                "IS TRUE AS newer "
                "FROM there AS t FULL JOIN here AS h USING (key) WHERE "
                "CASE WHEN t.key IS NULL THEN h.deleted_at IS NULL "
                "ELSE t.modified > {through} OR h.key IS NULL "
                "OR h.deleted_at IS NOT NULL OR h.modified < t.modified "
                "OR (h.modified IS NULL AND t.modified IS NOT NULL) END"
            ).format(
                key=key_array(entity, "h"),
                modified=modified,
                table=sql.Identifier(entity.table),
                through=sql.Literal(through),
            )
        )

    def _dropped(self, delete: LiteralString, values: Sequence[Any] = ()) -> Counter[Kind]:
        """How many suspects this deletes, by kind."""
        counting = sql.SQL("WITH dropped AS ({}) SELECT kind, count(*) FROM dropped GROUP BY 1")
        found = self._connection.execute(counting.format(sql.SQL(delete)), values)
        return Counter(dict(found.fetchall()))

    def _one(self, query: LiteralString) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row
