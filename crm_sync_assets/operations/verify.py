"""Do I have everything? The warehouse compared with the source, and mended where it differs.

The source lists every live record with its key and modified moment; the list goes into a temporary
table and is compared there, so memory holds one page. What differs is asked for once more by key:
only what still differs is a finding. What changed after the watermark is no finding, the next delta
brings it.

    missing   live there, not (or only as deleted) here
    stale     the version stored here is older than the one there
    extra     live here, gone there

A verification writes one history row, flagged `verify`, that never carries a watermark.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, LiteralString, cast

from psycopg import sql

from crm_sync_assets.declarations.contract import (
    Client,
    Cursor,
    Provable,
    Read,
    Tombstone,
    Verifiable,
)
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine.batch import Incoming, Inlet, Stored, failure_among
from crm_sync_assets.engine.session import Session
from crm_sync_assets.engine.trial import trial
from crm_sync_assets.errors import FatalError, Refused, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.operations.verified import KINDS, Difference, Kind, Verification
from crm_sync_assets.rows.outline import keys_of, outline_of
from crm_sync_assets.rows.processor import Processor, Row
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import attempts, encryption, history
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import key_array
from crm_sync_assets.warehouse.loading import FUTURE, Table
from crm_sync_assets.warehouse.vault import Vault

log = logger(__name__)

MOST_FINDINGS = 10_000
"""More suspects than this are counted, but not asked for one by one: a full read is cheaper."""

AT_ONCE = 1_000
"""Keys asked for, and repaired, at a time."""


def can_verify(entity: Entity, client: Client) -> bool:
    return isinstance(client, Verifiable) and entity.tombstones_of is None


def verify(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    settings: SyncSettings,
    *,
    repair: bool = False,
    run_id: str | None = None,
) -> Verification:
    """Compare one entity with its source; with `repair`, read again exactly what differs.

    Holds the entity's lock. Raises UsageError where there is nothing to compare with,
    AlreadyRunning when a sync is running, Refused when a repair would delete too much.
    """
    if not can_verify(entity, client):
        raise UsageError(f"{entity}: there is nothing to compare it with")
    vault = encryption.vault_for_writing(warehouse, entity, dry=not repair)
    with trial(
        warehouse,
        entity,
        client,
        vault,
        kind="verify",
        run_id=run_id,
        verify=True,
        repair=repair,
    ) as opened:
        found = Verification(entity, opened.watermark - entity.clock_steps_back, opened.sync_id)
        session = opened.session
        _Verifying(session, client, warehouse, settings, found, vault, repair=repair).run()
    log.info("Verified %s: %s", entity, found.summary())
    return found


class _Verifying:
    """One verification, with the entity's lock held by `session`."""

    def __init__(
        self,
        session: Session,
        client: Client,
        warehouse: Warehouse,
        settings: SyncSettings,
        found: Verification,
        vault: Vault | None,
        *,
        repair: bool,
    ) -> None:
        self._session = session
        self._vault = vault
        self._client = cast(Verifiable, client)
        self._found = found
        self._repair = repair
        self._entity = entity = found.entity
        self._read = Read(
            entity,
            Strategy("full"),
            page_size=entity.source.max_page_size,
            known=warehouse,
            lag=settings.lag,
        )
        self._table = Table(entity, overwrite=False, keep_issues=False, vault=vault)
        self._table.future = (client.source_time() or datetime.now(UTC)) + FUTURE
        self._url_of: Callable[[Key], str | None] = partial(client.record_url, entity)
        strict = settings.mode == "strict"
        self._processor = Processor(entity, strict=strict, record_url=self._url_of)
        self._inlet = Inlet(entity, self._table, vault, found.sync_id)
        self._places = {name: place for place, name in enumerate(self._table.names)}
        self._counts = Counts()
        self._deleted = 0
        self._beaten = time.monotonic()

    @property
    def _connection(self) -> Connection:
        return self._session.connection

    def run(self) -> None:
        began = time.monotonic()
        self._list_the_source()
        suspects = self._compare()
        for start in range(0, len(suspects), AT_ONCE):
            self._look_again(suspects[start : start + AT_ONCE])
            self._beat()
        self._found.seconds = time.monotonic() - began
        self._close()

    # What differs at first sight

    def _list_the_source(self) -> None:
        """Every live record's key and modified moment, into a temporary table."""
        outline = outline_of(self._entity)
        processor = Processor(outline, validate=False)
        order = [outline.columns.index(column) for column in outline.key]
        moment = outline.columns.index(outline.modified) if outline.modified else None
        gone = next((i for i, c in enumerate(outline.columns) if c.name == "deleted_at"), None)
        with self._connection.transaction():
            self._connection.execute(
                "CREATE TEMP TABLE verify_there (key text[], modified timestamptz)"
            )
        cursor: Cursor | None = None
        for page in self._client.outline(self._read, self._found.usage):
            cursor = page.cursor
            batch = processor.process(page.records)
            self._note(
                ([str(row[i]) for i in order], None if moment is None else row[moment])
                for row in batch.rows
                if gone is None or row[gone] is None
            )
        if not isinstance(self._client, Provable):
            return
        # A list may lie; what it left out is looked at like what it gave.
        read = replace(self._read, cursor=cursor)
        for page in self._client.overlooked(read, self._found.usage):
            keys = keys_of(processor, processor.process(page.records))
            self._note((list(key), None) for key in keys)

    def _note(self, rows: Iterable[tuple[list[str], datetime | None]]) -> None:
        """Into the temporary table: keys that are there, with their modified moments."""
        with (
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy("COPY verify_there FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        self._beat()

    def _compare(self) -> list[_Suspect]:
        """The records that seem to differ, in key order, up to MOST_FINDINGS."""
        entity, found = self._entity, self._found
        modified = (
            sql.SQL("h.{}").format(sql.Identifier(entity.modified.name))
            if (entity.modified)
            else sql.SQL("NULL::timestamptz")
        )
        with self._connection.transaction():
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
                    through=sql.Literal(found.through),
                )
            )
            found.newer = self._dropped("DELETE FROM verify_suspects WHERE newer RETURNING kind")
            # A record in quarantine is not lost, and why it is not here is known.
            found.explained = self._dropped(
                "DELETE FROM verify_suspects AS s USING ingestion_quarantine AS q "
                "WHERE q.crm_source = %s AND q.sync_type = %s AND s.kind <> 'extra' "
                "AND q.record_id = array_to_string(s.key, '/') RETURNING s.kind",
                (entity.crm, entity.sync_type),
            )
            (found.there,) = self._one("SELECT count(DISTINCT key) FROM verify_there")
            found.here = attempts.live_rows(self._connection, entity)
            total, extra = self._one(
                "SELECT count(*), count(*) FILTER (WHERE kind = 'extra') FROM verify_suspects"
            )
            if self._repair:
                self._refuse_mass_deletion(extra)
            found.unchecked = max(total - MOST_FINDINGS, 0)
            return [
                _Suspect(tuple(key), stored, sent, kind, deleted)
                for key, stored, sent, kind, deleted in self._connection.execute(
                    "SELECT key, stored, sent, kind, deleted FROM verify_suspects "
                    "ORDER BY key LIMIT %s",
                    (MOST_FINDINGS,),
                )
            ]

    def _dropped(self, delete: LiteralString, values: Sequence[Any] = ()) -> Counter[Kind]:
        """How many suspects this deletes, by kind."""
        counting = sql.SQL("WITH dropped AS ({}) SELECT kind, count(*) FROM dropped GROUP BY 1")
        found = self._connection.execute(counting.format(sql.SQL(delete)), values)
        return Counter(dict(found.fetchall()))

    def _refuse_mass_deletion(self, extra: int) -> None:
        entity, here = self._entity, self._found.here
        if extra > here * entity.vanish_limit:
            raise Refused(
                f"{entity}: {extra} of {here} live rows seem to be gone at the source, more than "
                f"{entity.vanish_limit:.0%} at once; nothing was repaired. If they are really "
                f"gone, run `crm-sync {entity.crm} {entity.sync_type} --full --force`"
            )

    def _one(self, query: Any) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row

    # What differs at the second

    def _look_again(self, suspects: Sequence[_Suspect]) -> None:
        """Ask for these records by key, note what differs still, and mend it."""
        keys = [suspect.key for suspect in suspects]
        pages = list(self._client.by_key(self._read, keys, self._found.usage))
        self._table.hidden_columns |= {name for page in pages for name in page.hidden_columns}
        records = [record for page in pages for record in page.records]
        batch = self._processor.process(records)
        rows = {self._table.key_of(row): row for row in batch.rows}
        tombstones = {tombstone.key: tombstone for page in pages for tombstone in page.tombstones}
        findings = {
            s.key: f for s in suspects if (f := self._judged(s, rows, tombstones)) is not None
        }
        self._found.settled.update(s.kind for s in suspects if s.key not in findings)
        refused = {failure.record_id for failure in batch.failures}
        for key in keys:
            if key not in rows and key not in tombstones and "/".join(key) not in refused:
                raise FatalError(
                    f"{self._entity}: short read: the source said nothing about {'/'.join(key)}, "
                    "which it was asked for; nothing is proven. Run it again."
                )
        if self._repair and (findings or batch.failures):
            incoming = Incoming(
                [rows[key] for key in findings if key in rows],
                batch.failures,
                [tombstones[key] for key in findings if key in tombstones],
            )
            mended = self._mended(incoming, records)
            findings = {k: replace(f, repaired=k in mended) for k, f in findings.items()}
        self._found.findings += findings.values()

    def _judged(
        self, suspect: _Suspect, rows: dict[Key, Row], tombstones: dict[Key, Tombstone]
    ) -> Difference | None:
        """What a suspect comes to, now that its record was read; None if it is as it should be."""
        row, tombstone = rows.get(suspect.key), tombstones.get(suspect.key)
        if row is not None:
            gone_at = self._moment(row, "deleted_at")
            modified = self._entity.modified
            sent = self._moment(row, modified.name) if modified else None
            if suspect.kind != "extra":
                if gone_at is not None or self._is_new(sent):
                    return None
                # A record that came back is dated by when it was last edited, not by when it came.
                dated = sent is not None and not suspect.deleted
                return Difference(
                    suspect.kind, suspect.key, dated, stored=suspect.stored, sent=sent
                )
            if gone_at is None or self._is_new(gone_at):
                return None
            return Difference("extra", suspect.key, dated=True, stored=suspect.stored, sent=sent)
        if tombstone is None or suspect.kind != "extra" or self._is_new(tombstone.deleted_at):
            return None
        return Difference(
            "extra", suspect.key, tombstone.deleted_at is not None, stored=suspect.stored
        )

    def _moment(self, row: Row, name: str) -> datetime | None:
        place = self._places.get(name)
        return None if place is None else row[place]

    def _is_new(self, moment: datetime | None) -> bool:
        return moment is not None and moment > self._found.through

    def _mended(self, incoming: Incoming, records: Sequence[Record]) -> set[Key]:
        """Store and mark these as any sync does, in one transaction; the keys that it worked for.

        A newer stored row wins here too, and then it worked only if that row is as it should be.
        """
        failure_of = failure_among(self._entity, self._table, records, self._url_of)

        def transaction() -> tuple[Stored, set[Key]]:
            self._connection.execute(self._table.create_stage())
            stored = self._inlet.store(self._connection, incoming, failure_of, fresh_stage=False)
            kept = self._stored_well(incoming.rows) if incoming.rows else set()
            return stored, kept | {tombstone.key for tombstone in incoming.tombstones}

        stored, kept = self._session.committed(transaction, repeatable=False)
        self._counts += stored.counts
        self._deleted += stored.marked
        return kept

    def _stored_well(self, rows: Sequence[Row]) -> set[Key]:
        """The keys of those whose stored row is no older, and live or deleted as they are."""
        modified = self._entity.modified
        moment = sql.Identifier(modified.name) if modified else sql.SQL("NULL::timestamptz")
        keys = ["\x1f".join(self._table.key_of(row)) for row in rows]
        stored = {
            tuple(key): (at, gone)
            for key, at, gone in self._connection.execute(
                sql.SQL(
                    "SELECT {key}, {moment}, deleted_at IS NOT NULL FROM {table} AS t "
                    "WHERE {key} IN (SELECT string_to_array(k, E'\\x1f') "
                    "FROM unnest(%s::text[]) AS k)"
                ).format(key=key_array(self._entity, "t"), moment=moment, table=self._table.target),
                (keys,),
            )
        }
        well = set()
        for row in rows:
            key = self._table.key_of(row)
            at, gone = stored.get(key, (None, None))
            sent = self._moment(row, modified.name) if modified else None
            is_older = at is not None and sent is not None and at < sent
            if gone == (self._moment(row, "deleted_at") is not None) and not is_older:
                well.add(key)
        return well

    # The end

    def _close(self) -> None:
        found = self._found
        left = len(found.left) + found.unchecked
        created, updated = self._counts.created, self._counts.updated + self._deleted
        compared = max(found.there + found.count("extra"), created + updated + left)
        counts = Counts(
            processed=compared,
            created=created,
            updated=updated,
            unchanged=compared - created - updated - left,
            failed=left,
            deleted=self._deleted,
        )
        through = found.verified_through
        metrics: dict[str, Any] = {
            "duration_seconds": round(found.seconds, 3),
            "records_per_second": round(compared / max(found.seconds, 1e-6), 1),
            "success_rate": round(1 - left / compared, 4) if compared else 1.0,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "warnings": 0,
            "api_calls": found.usage.api_calls,
            "verified_through": through.isoformat() if through else None,
            "compared_through": found.through.isoformat(),
            "records_there": found.there,
            "records_here": found.here,
            **{kind: found.count(kind) for kind in KINDS},
            "repaired": found.repaired,
            "quarantined": found.quarantined,
            "left_out": found.newer.total(),
        }
        if found.status == "failed":
            history.close_failed(
                self._connection, found.sync_id, found.summary(), metrics, reason="data"
            )
            return
        with self._connection.transaction():
            history.close(
                self._connection,
                found.sync_id,
                found.status,
                counts,
                watermark=None,
                metrics=metrics,
                extra_configuration={},
            )

    def _beat(self) -> None:
        if time.monotonic() - self._beaten > history.HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            history.beat(self._connection, self._found.sync_id)


@dataclass(frozen=True, slots=True)
class _Suspect:
    key: Key
    stored: datetime | None
    sent: datetime | None
    kind: Kind
    deleted: bool
