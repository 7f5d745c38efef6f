"""Another try for quarantined records: after a declaration, a check or the warehouse was mended.

A replay is a sync without a source. It takes the entity's lock, writes a history row flagged
`replay` that never carries a watermark, and loads by the same statement as any sync: a newer
stored row wins.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.engine import measures
from crm_sync_assets.engine.batch import Incoming, Inlet
from crm_sync_assets.engine.meaning import refuse_foreign
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import SyncError, Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.rows.processor import Failure, Processor, Row
from crm_sync_assets.rows.shape import Stage
from crm_sync_assets.told import failure_message, reason_of
from crm_sync_assets.warehouse import encryption, history, quarantine
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import key_array
from crm_sync_assets.warehouse.loading import Rejected, Table
from crm_sync_assets.warehouse.quarantine import Entry
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets.warehouse.vault import Vault

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the entries of one entity. `refused` are those that stay, with the reason."""

    sync_id: int
    counts: Counts
    refused: Sequence[tuple[Entry, str]]
    obsolete: int


def replay(
    warehouse: Warehouse,
    entity: Entity,
    entries: Sequence[Entry],
    *,
    strict: bool = False,
    validate: bool = True,
) -> Replayed:
    """Load these entries of one entity; what loads leaves the quarantine, in one transaction.

    An entry whose row was deleted at the source after it was set aside is dropped: loading it
    would bring a dead record back. Raises AlreadyRunning when a sync of the entity is running,
    FatalError when the warehouse fails, UsageError for records that were read under another
    meaning than the table's, and what `vault_for_writing` raises.
    """
    session: Session | None = None
    sync_id: int | None = None
    try:
        vault = encryption.vault_for_writing(warehouse, entity)
        session = Session(warehouse, entity)
        sync_ids = {entry.sync_id for entry in entries if entry.sync_id is not None}
        meaning = refuse_foreign(session.connection, entity, sorted(sync_ids))
        sync_id = history.insert(
            session.connection,
            entity,
            kind="replay",
            run_id=None,
            configuration={
                "replay": True,
                **meaning.as_configuration(),
                "entries": len(entries),
                "skip_validation": not validate,
                "fingerprint": entity.fingerprint,
                "lock": history.resource(entity),
            },
            endpoint="quarantine",
        )
        ensure_table(session.connection, entity, vault)
        session.connection.commit()
        return _replay(session, entity, entries, sync_id, vault, strict=strict, validate=validate)
    except BaseException as error:
        if session is not None:
            session.release()
        failure = error
        if isinstance(error, psycopg.Error):
            failure = Unavailable(f"{entity}: the warehouse failed: {message_of(error)}")
        if sync_id is not None:
            _close_failed(warehouse, sync_id, failure)
        if failure is error:
            raise
        raise failure from error
    finally:
        if session is not None:
            session.release()


def _close_failed(warehouse: Warehouse, sync_id: int, error: BaseException) -> None:
    try:
        with warehouse.connection() as connection:
            history.close_failed(
                connection, sync_id, failure_message(error), reason=reason_of(error)
            )
    except (SyncError, psycopg.Error) as problem:
        log.error("sync %d failed and its row could not be closed (%s)", sync_id, problem)


@dataclass(frozen=True, slots=True)
class _Tried:
    """Entries processed once more: the rows they make, and why others make none."""

    entries: Sequence[Entry]
    rows: Sequence[tuple[Entry, Row]]
    unfit: Sequence[tuple[Entry, Failure]]
    warnings: int

    @classmethod
    def by(cls, processor: Processor, entries: Sequence[Entry]) -> Self:
        rows: list[tuple[Entry, Row]] = []
        unfit: list[tuple[Entry, Failure]] = []
        warnings = 0
        for entry in entries:
            batch = processor.process([entry.record])
            warnings += batch.issues
            rows += [(entry, row) for row in batch.rows]
            # Set aside again, it counts as another try of the entry with the same record id.
            unfit += [(entry, _failure(entry, f.stage, f.reason, f.field)) for f in batch.failures]
        return cls(entries, rows, unfit, warnings)


def _failure(entry: Entry, stage: Stage, reason: str, field: str | None) -> Failure:
    return Failure(entry.record_id, stage, reason, field, entry.record, entry.url)


def _replay(
    session: Session,
    entity: Entity,
    entries: Sequence[Entry],
    sync_id: int,
    vault: Vault | None,
    *,
    strict: bool,
    validate: bool,
) -> Replayed:
    began = time.monotonic()
    table = Table(entity, overwrite=False, keep_issues=not validate, vault=vault)
    inlet = Inlet(entity, table, vault, sync_id)
    processor = Processor(entity, validate=validate, strict=strict)
    tried = _Tried.by(processor, entries)
    processor.sum_up()

    def transaction() -> Replayed:
        replayed = _store(session.connection, inlet, tried)
        _close(session.connection, replayed, time.monotonic() - began)
        return replayed

    replayed = session.committed(
        transaction, arrived=lambda _: history.is_complete(session.connection, sync_id)
    )
    stuck = replayed.counts.failed
    log.info("%s: %d of %d entries replayed", entity, len(entries) - stuck, len(entries))
    return replayed


def _store(connection: Connection, inlet: Inlet, tried: _Tried) -> Replayed:
    """Load what can be loaded; what was, or is dead by now, leaves the quarantine."""
    table, entries = inlet.table, tried.entries
    refused = list(tried.unfit)
    connection.execute(table.create_stage())
    gone = _deleted_since(connection, inlet.entity, table, tried.rows)
    alive = [(entry, row) for entry, row in tried.rows if entry.id not in gone]

    def failure_of(rejected: Rejected) -> Failure:
        entry = next(entry for entry, row in alive if row == rejected.row)
        failure = _failure(entry, "load", rejected.reason, None)
        refused.append((entry, failure))
        return failure

    incoming = Incoming(
        table.newest_per_key([row for _, row in alive]), [failure for _, failure in tried.unfit]
    )
    stored = inlet.store(connection, incoming, failure_of, fresh_stage=False).counts
    stuck = {entry.id for entry, _ in refused}
    quarantine.remove(connection, [entry.id for entry in entries if entry.id not in stuck])
    counts = Counts(
        processed=len(entries),
        created=stored.created,
        updated=stored.updated,
        unchanged=len(entries) - stored.created - stored.updated - len(stuck),
        failed=len(stuck),
        warnings=tried.warnings,
    )
    return Replayed(inlet.sync_id, counts, [(entry, f.reason) for entry, f in refused], len(gone))


def _close(connection: Connection, replayed: Replayed, seconds: float) -> None:
    counts = replayed.counts
    history.close(
        connection,
        replayed.sync_id,
        "partial" if counts.failed else "success",
        counts,
        watermark=None,
        metrics=measures.common(counts, seconds),
        extra_configuration={"obsolete": replayed.obsolete},
    )


def _deleted_since(
    connection: Connection, entity: Entity, table: Table, rows: Sequence[tuple[Entry, Row]]
) -> set[int]:
    """Ids of the entries whose stored row was marked as deleted after they were set aside."""
    if not rows:
        return set()
    found = connection.execute(
        sql.SQL(
            "SELECT {key}, sync_updated_at FROM {table} AS t "
            "WHERE deleted_at IS NOT NULL AND {key} = ANY (SELECT string_to_array(k, E'\\x1f') "
            "FROM unnest(%s::text[]) AS k)"
        ).format(key=key_array(entity, "t"), table=sql.Identifier(entity.table)),
        (["\x1f".join(table.key_of(row)) for _, row in rows],),
    ).fetchall()
    deleted = {tuple(key): at for key, at in found}
    return {
        entry.id
        for entry, row in rows
        if (at := deleted.get(table.key_of(row))) is not None and at > entry.last_seen
    }
