"""Values that the source calculates, read again: no delta sees them change.

A formula, a roll-up or a score changes without its record's modified date. A refresh lists every
live record with these values alone, and stores them in rows that hold the same version of the
record. It makes no row and changes nothing else. A record that was modified since is left to the
next delta, which brings it whole; so are columns that a function makes of several fields.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from psycopg import sql

from crm_sync_assets.declarations.contract import Client, Read, Refreshable, Usage
from crm_sync_assets.declarations.entity import UNREAD, Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine import measures
from crm_sync_assets.engine.batch import Incoming, Inlet
from crm_sync_assets.engine.refusals import refuse_mass_failure
from crm_sync_assets.engine.trial import Trial, trial
from crm_sync_assets.log import logger
from crm_sync_assets.rows.processor import Batch, Failure, Processor
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import encryption, history
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.keeping import stored_values
from crm_sync_assets.warehouse.loading import Rejected, Row, Table
from crm_sync_assets.warehouse.vault import Vault

log = logger(__name__)


@dataclass(slots=True)
class Refreshed:
    """What a refresh did; `names` are the source's fields that were read again."""

    entity: Entity
    names: Sequence[str]
    sync_id: int
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)

    @property
    def status(self) -> history.Status:
        return "partial" if self.counts.failed else "success"

    def summary(self) -> str:
        """What was done, in one line."""
        counts = self.counts
        text = f"{len(self.names)} calculated values of {counts.processed} records: "
        text += f"{counts.updated} updated, {counts.unchanged} unchanged"
        return text + (f", {counts.failed} in quarantine" if counts.failed else "")


def refresh(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    settings: SyncSettings,
    *,
    dry_run: bool = False,
    run_id: str | None = None,
) -> Refreshed | None:
    """Store what the source calculates anew for one entity; None if it keeps nothing of that kind.

    A dry run stores nothing; its counts are exact. Raises what `trial` and `pages` raise.
    """
    usage = Usage()
    names = _kept(entity, client, usage)
    if not names:
        return None
    vault = encryption.vault_for_writing(warehouse, entity, dry=dry_run)
    with trial(
        warehouse,
        entity,
        client,
        vault,
        kind="refresh",
        run_id=run_id,
        refresh=True,
        dry_run=dry_run,
        fields=names,
    ) as opened:
        found = Refreshed(entity, names, opened.sync_id, usage=usage)
        _Refreshing(opened, client, settings, found, vault, dry=dry_run).run()
    log.info("Refreshed %s: %s", entity, found.summary())
    return found


def _kept(entity: Entity, client: Client, usage: Usage) -> list[str]:
    """The calculated fields that have a place in the entity's table."""
    if not isinstance(client, Refreshable) or len(entity.key) != 1 or entity.modified is None:
        return []
    never = {column.path(entity.source.root) for column in (*entity.key, entity.modified)}
    taken = {column.path(entity.source.root) for column in entity.columns} - never
    has_rest = any(column.kind == "rest" for column in entity.columns)
    paths = {name: entity.source.root + name for name in client.calculated(entity, usage)}
    return [n for n, p in paths.items() if p in taken or (has_rest and p not in never)]


class _CalculatedTable(Table):
    """The table of an entity cut down to its calculated values: rows are updated, never made."""

    def upsert(self, source: sql.Composable, target: sql.Composable) -> sql.Composed:
        """See `Table.upsert`: a row of another version, or a deleted one, stays as it is."""
        assert self.entity.modified is not None
        (key,) = self.entity.key
        fixed = {key.name, self.entity.modified.name}
        changing = [name for name in self.names if name not in fixed]
        # Two encryptions of one value differ, its blind index does not. Notes go with their values.
        told_otherwise = {column.name for column in self._encrypted} | {"sync_issues"}
        return sql.SQL(
            "WITH loaded AS (UPDATE {target} AS t SET {sets}, sync_updated_at = now() "
            "FROM {source} AS s WHERE t.{key} = s.{key} AND t.deleted_at IS NULL "
            "AND t.{modified} IS NOT DISTINCT FROM s.{modified} AND ({differs}) RETURNING 1) "
            "SELECT 0, count(*) FROM loaded"
        ).format(
            target=target,
            source=source,
            sets=sql.SQL(", ").join(
                sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in changing
            ),
            key=sql.Identifier(key.name),
            modified=sql.Identifier(self.entity.modified.name),
            differs=sql.SQL(" OR ").join(
                sql.SQL("t.{0} IS DISTINCT FROM s.{0}").format(sql.Identifier(name))
                for name in changing
                if name not in told_otherwise
            ),
        )


class _Refreshing:
    """One refresh, with the entity's lock held by `opened.session`."""

    def __init__(
        self,
        opened: Trial,
        client: Client,
        settings: SyncSettings,
        found: Refreshed,
        vault: Vault | None,
        *,
        dry: bool,
    ) -> None:
        self._session = opened.session
        self._client = client
        self._settings = settings
        self._found = found
        self._vault = vault
        self._dry = dry
        self._names = frozenset(found.names)
        self._cut = _cut(found.entity, self._names)
        self._table = _CalculatedTable(self._cut, overwrite=False, keep_issues=False, vault=vault)
        self._inlet = Inlet(self._cut, self._table, vault, found.sync_id, rehearses=dry)

    @property
    def _connection(self) -> Connection:
        return self._session.connection

    def run(self) -> None:
        began, found = time.monotonic(), self._found
        self._session.on_reconnect = self._make_stage
        self._make_stage(self._connection)
        self._connection.commit()
        processor = Processor(
            self._cut,
            strict=self._settings.mode == "strict",
            record_url=lambda key: self._client.record_url(found.entity, key),
        )
        size = min(self._settings.page_size, self._cut.source.max_page_size)
        read = Read(found.entity, Strategy("full"), size, known=self._session.warehouse)
        for page in cast(Refreshable, self._client).values_of(read, found.names, found.usage):
            self._store(processor.process(page.records))
        processor.sum_up()
        self._close(time.monotonic() - began)

    def _make_stage(self, connection: Connection) -> None:
        connection.execute(self._table.create_stage())

    def _store(self, batch: Batch) -> None:
        """Update the rows of a page, and count, in one transaction."""
        rows = self._table.newest_per_key(batch.rows)
        before, sync_id = self._found.counts, self._found.sync_id

        failures = [_unread(failure) for failure in batch.failures]

        def transaction() -> Counts:
            completed = self._completed(rows) if rows else []
            known = self._known_to_quarantine()
            stored = self._inlet.store(
                self._connection,
                Incoming(completed, failures),
                self._refused,
                fresh_stage=True,
                # One that is there already may be there whole.
                sets_aside=lambda failure: failure.record_id not in known,
            )
            total = before + stored.counts + Counts(warnings=batch.issues)
            history.record_progress(self._connection, sync_id, total, None)
            return total

        if self._dry:
            with self._connection.transaction(force_rollback=True):
                self._found.counts = transaction()
            history.beat(self._connection, sync_id)
            return
        self._found.counts = self._session.committed(
            transaction,
            arrived=lambda total: history.has_stored(self._connection, sync_id, total, before),
        )

    def _completed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what the stored ones hold besides: other properties, notes on others."""
        rest = next((i for i, c in enumerate(self._cut.columns) if c.kind == "rest"), None)
        refreshed = {c.name for i, c in enumerate(self._cut.columns) if i != rest}
        stored = self._stored(rows, None if rest is None else self._cut.columns[rest].name)
        completed = []
        for row in rows:
            values = list(row)
            notes, properties = stored.get(self._table.key_of(row), ([], {}))
            if rest is not None:
                kept = {n: v for n, v in properties.items() if n not in self._names}
                sent = {n: v for n, v in (row[rest] or {}).items() if n in self._names}
                values[rest] = kept | sent or None
            others = [note for note in notes if note["field"] not in refreshed]
            others += [note for note in row[-1] or () if note not in others]
            values[-1] = others or None
            completed.append(tuple(values))
        return completed

    def _stored(
        self, rows: Sequence[Row], rest: str | None
    ) -> dict[Key, tuple[list[Any], dict[str, Any]]]:
        """Of the rows as they are stored, by key: their notes and their rest column, opened."""
        keys = [self._table.key_of(row)[0] for row in rows]
        names = ["sync_issues", *([rest] if rest else [])]
        found = stored_values(self._connection, self._cut, keys, names, self._vault)
        return {
            (key,): (values[0] or [], (values[1] if rest else None) or {})
            for key, values in found.items()
        }

    def _refused(self, refused: Rejected) -> Failure:
        """The failure of a row the database refused; of its record only the key is known."""
        key = self._table.key_of(refused.row)[0]
        return _unread(Failure(key, "load", refused.reason, None, {}, None))

    def _known_to_quarantine(self) -> set[str]:
        found = self._connection.execute(
            "SELECT record_id FROM ingestion_quarantine WHERE crm_source = %s AND sync_type = %s",
            (self._cut.crm, self._cut.sync_type),
        )
        return {record_id for (record_id,) in found}

    # The end

    def _close(self, seconds: float) -> None:
        found, counts = self._found, self._found.counts
        refuse_mass_failure(found.entity, counts, self._settings.max_failed_share)
        self._session.committed(
            lambda: history.close(
                self._connection,
                found.sync_id,
                found.status,
                counts,
                watermark=None,
                metrics=measures.common(counts, seconds, usage=found.usage),
                extra_configuration={},
            ),
            arrived=lambda _: history.is_complete(self._connection, found.sync_id),
        )


def _cut(entity: Entity, names: frozenset[str]) -> Entity:
    """The entity with its key, its modified moment, these fields and the rest column."""
    root = entity.source.root
    columns = tuple(
        column
        for column in entity.columns
        if column.key
        or column is entity.modified
        or column.kind == "rest"
        or (column.path(root).removeprefix(root) in names and column.path(root).startswith(root))
    )
    return replace(
        entity, columns=columns, indexes=(), rules=(), merged_ids=None, merges_told=False
    )


def _unread(failure: Failure) -> Failure:
    """The failure with its record marked, so that no replay takes it for the whole record."""
    record = failure.record if isinstance(failure.record, dict) else {}
    why = f"{failure.reason}; only calculated values were read: a sync that reads all stores it"
    return replace(failure, record={"id": failure.record_id, **record, UNREAD: why})
