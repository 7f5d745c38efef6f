"""What differs, stored and marked as any sync does it, in transactions of its own."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.engine.batch import Incoming, Inlet, Stored, failure_among
from crm_sync_assets.engine.session import Session
from crm_sync_assets.operations.second_look import Seen
from crm_sync_assets.rows.processor import Row
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import key_array
from crm_sync_assets.warehouse.loading import Table


class Repair:
    """`counts` are of the rows it stored, `deleted` of those it marked."""

    def __init__(self, session: Session, inlet: Inlet, client: Client) -> None:
        self._session = session
        self._inlet = inlet
        self._client = client
        self.counts = Counts()
        self.deleted = 0

    @property
    def _table(self) -> Table:
        return self._inlet.table

    def mended(self, seen: Seen) -> set[Key]:
        """Store and mark what differs, in one transaction; the keys that it worked for.

        A newer stored row wins here too, and then it worked only if that row is as it should be.
        """
        incoming = Incoming(
            [row for key in seen.findings for row in seen.rows.get(key, ())],
            seen.failures,
            [seen.tombstones[key] for key in seen.findings if key in seen.tombstones],
        )
        connection, entity = self._session.connection, self._inlet.entity
        failure_of = failure_among(
            entity, self._table, seen.records, lambda key: self._client.record_url(entity, key)
        )

        def transaction() -> tuple[Stored, set[Key]]:
            connection.execute(self._table.create_stage())
            stored = self._inlet.store(connection, incoming, failure_of, fresh_stage=False)
            kept = self._stored_well(incoming.rows) if incoming.rows else set()
            return stored, kept | {tombstone.key for tombstone in incoming.tombstones}

        stored, kept = self._session.committed(transaction, repeatable=False)
        self.counts += stored.counts
        self.deleted += stored.marked
        return kept

    def _stored_well(self, rows: Sequence[Row]) -> set[Key]:
        """The keys of those whose stored row is no older, and live or deleted as they are."""
        table, modified = self._table, self._inlet.entity.modified
        moment = sql.Identifier(modified.name) if modified else sql.SQL("NULL::timestamptz")
        keys = ["\x1f".join(table.key_of(row)) for row in rows]
        stored = {
            tuple(key): (at, gone)
            for key, at, gone in self._session.connection.execute(
                sql.SQL(
                    "SELECT {key}, {moment}, deleted_at IS NOT NULL FROM {table} AS t "
                    "WHERE {key} IN (SELECT string_to_array(k, E'\\x1f') "
                    "FROM unnest(%s::text[]) AS k)"
                ).format(key=key_array(table.entity, "t"), moment=moment, table=table.target),
                (keys,),
            )
        }
        well, ill = set[Key](), set[Key]()
        for row in rows:
            key = table.key_of(row)
            at, gone = stored.get(key, (None, None))
            sent = table.value_of(row, modified.name) if modified else None
            is_older = at is not None and sent is not None and at < sent
            is_live = table.value_of(row, "deleted_at") is None
            (well if gone == (not is_live) and not is_older else ill).add(key)
        return well - ill
