"""What a read of everything did not contain, asked for by key before it is believed.

A list may lie: a page comes back empty, one record short, or with one record twice in place of
another. So after the last page, and before anything is marked as gone:

- keys that the client knows from another place than its list (`Provable.overlooked`) and that were
  not read are asked for;
- live rows that were not read are asked for, unless they are so many that marking them would be
  refused anyway.

What is there is stored as a page's records are. What the source says it does not have stays absent.
A key that it says nothing about proves nothing, and the sync fails. A sync that is interrupted here
resumes after its last page, and does this again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from crm_sync_assets.declarations.contract import Client, Page, Provable, Read, Usage, Verifiable
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.engine.fetch import Prefetch
from crm_sync_assets.engine.refusals import refuse_mass_deletion
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import keys_of, outline_of
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.warehouse import attempts, history
from crm_sync_assets.warehouse.attempts import SeenKeys
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.deletions import key_array

log = logger(__name__)

AT_ONCE = 1_000
"""Keys asked for, and stored, at a time."""

LISTED_AT_ONCE = 20_000
"""Keys of absent rows in memory at a time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sync has read so far: its keys, and the rows of `table` where keys are not kept."""

    keys: SeenKeys
    table: sql.Identifier | None

    def unseen(self, connection: Connection, entity: Entity, keys: Sequence[Key]) -> list[Key]:
        """Those of the keys that were not read."""
        parts = range(1, len(entity.key) + 1)
        conditions = [
            sql.SQL("NOT EXISTS (SELECT FROM ingestion_sync_keys AS s WHERE s.sync_id = {} AND "
                    "s.key = u.key)").format(sql.Literal(self.keys.first_attempt))
        ]  # fmt: skip
        if self.table is not None:
            # Compared in the columns' own types, so that the index on them is used.
            equal = sql.SQL(" AND ").join(
                sql.SQL("t.{} = u.key[{}]::{}").format(
                    sql.Identifier(column.name), sql.Literal(part), sql.SQL(column.sql)
                )
                for part, column in zip(parts, entity.key, strict=True)
            )
            conditions.append(
                sql.SQL("NOT EXISTS (SELECT FROM {} AS t WHERE t.deleted_at IS NULL AND {})")
                .format(self.table, equal)
            )  # fmt: skip
        query = sql.SQL(
            "SELECT key FROM (SELECT string_to_array(k, E'\\x1f') AS key "
            "FROM unnest(%s::text[]) AS k) AS u WHERE {}"
        ).format(sql.SQL(" AND ").join(conditions))
        with connection.transaction():
            found = connection.execute(query, (["\x1f".join(key) for key in keys],)).fetchall()
        return [tuple(key) for (key,) in found]

    def query(self, entity: Entity) -> sql.Composed:
        """All keys read, as one text[] column."""
        if self.table is None:
            return self.keys.query()
        rows = sql.SQL("SELECT {} FROM {} AS s").format(key_array(entity, "s"), self.table)
        return sql.SQL("{} UNION ALL {}").format(rows, self.keys.query())


@dataclass(frozen=True, slots=True)
class Completeness:
    """The last questions of one read of everything.

    `read` has the cursor of its last page. `connection` is the sync's, whichever it is by then;
    `store` stores pages as a batch, `beat` is called while answers are waited for.
    """

    client: Client
    read: Read
    usage: Usage
    seen: Seen
    connection: Callable[[], Connection]
    store: Callable[[Sequence[Page]], None]
    beat: Callable[[], None]

    @property
    def _entity(self) -> Entity:
        return self.read.entity

    def find_overlooked(self) -> None:
        """Ask for what the source names in another place than its list, and was not read."""
        client = self.client
        if not isinstance(client, Provable) or not isinstance(client, Verifiable):
            return
        processor = Processor(outline_of(self._entity), validate=False)
        found: dict[Key, None] = {}
        for page in self._taken(client.overlooked(self.read, self.usage)):
            keys = keys_of(processor, processor.process(page.records))
            if keys:
                unseen = self.seen.unseen(self.connection(), self._entity, keys)
                found.update(dict.fromkeys(unseen))
            while len(found) >= AT_ONCE:
                self._ask(client, [found.popitem()[0] for _ in range(AT_ONCE)], "overlooked")
        if found:
            self._ask(client, [*found], "overlooked")

    def find_absent(self, *, forced: bool) -> None:
        """Ask for the live rows that were not read. Raises Refused where they are too many."""
        client, entity = self.client, self._entity
        if not isinstance(client, Verifiable):
            return
        with self.connection().transaction():
            if self.seen.keys.has_nameless(self.connection()):
                # No row will be marked: the record without a name may be any of them.
                return
            count = attempts.absent_rows(self.connection(), entity, self.seen.query(entity))
            if count:
                live = attempts.live_rows(self.connection(), entity)
                refuse_mass_deletion(entity, count, live, forced=forced)
        after: Key = ()
        while count:
            keys = self._absent_after(after)
            for start in range(0, len(keys), AT_ONCE):
                self._ask(client, keys[start : start + AT_ONCE], "absent")
            if len(keys) < LISTED_AT_ONCE:
                return
            after = keys[-1]

    def _absent_after(self, after: Key) -> list[Key]:
        entity, connection = self._entity, self.connection()
        with connection.transaction():
            return attempts.absent_keys(
                connection, entity, self.seen.query(entity), after=after, limit=LISTED_AT_ONCE
            )

    def _ask(self, client: Verifiable, keys: Sequence[Key], why: str) -> None:
        """Ask for records by key, and store those that are there."""
        read = replace(self.read, cursor=None, state={})
        unanswered = {"/".join(key): key for key in keys}
        processor = Processor(outline_of(self._entity), validate=False)
        there = kept = 0
        for page in self._taken(client.by_key(read, keys, self.usage)):
            batch = processor.process(page.records)
            # One that cannot be stored says at least which it is.
            answered = ["/".join(key) for key in keys_of(processor, batch)]
            answered += [failure.record_id or "" for failure in batch.failures]
            gone = [tombstone.key for tombstone in page.tombstones]
            for name in (*answered, *map("/".join, (*gone, *page.kept))):
                unanswered.pop(name, None)
            if page.kept:
                kept += len(page.kept)
                with self.connection().transaction():
                    self.seen.keys.add(self.connection(), page.kept)
            there += len(answered)
            if page.records:
                cursor = self.read.cursor or {}
                self.store([replace(page, cursor=cursor, tombstones=(), state=None, memory=None)])
        if unanswered:
            name = next(iter(unanswered))
            raise FatalError(
                f"{self._entity}: short read: the list did not contain {name}, and asked for it by "
                "its key the source said nothing; it may be there or not. The next sync resumes "
                "after the last page and asks again."
            )
        if kept:
            log.warning(
                "%s: %d stored records are not shown to these credentials; nobody knows whether "
                "they are gone, so their rows stay",
                self._entity,
                kept,
            )
        if there:
            log.warning(
                "%s: the source's list left out %d records that are there (%s); they were asked "
                "for by key and are stored",
                self._entity,
                there,
                "stored before" if why == "absent" else "not read before",
            )

    def _taken(self, pages: Iterator[Page]) -> Iterator[Page]:
        """The pages, read in a thread so that heartbeats go on."""
        ahead = Prefetch(pages, ahead=2, most_records=AT_ONCE)
        ahead.start()
        try:
            while (taken := ahead.take(timeout=history.HEARTBEAT_SECONDS)) is not None:
                if not taken:
                    self.beat()
                yield from taken
        finally:
            ahead.stop()
