"""One sync of one entity, from the flags to a closed row in SyncHistory.

    flags + watermark → strategy → pages → rows and issues → upsert → SyncHistory

`begin` takes the entity's lock and opens the history row; `reach` asks the source for the first
page; `drain` moves the pages into the warehouse, a batch and its checkpoint per transaction, and
closes the row with the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import psycopg

from crm_sync_assets.declarations.contract import Client, Page, Read
from crm_sync_assets.declarations.strategy import choose
from crm_sync_assets.engine import resume
from crm_sync_assets.engine.availability import not_available
from crm_sync_assets.engine.batches import Batches
from crm_sync_assets.engine.ending import Ending
from crm_sync_assets.engine.fetch import Prefetch
from crm_sync_assets.engine.heartbeat import Heartbeat
from crm_sync_assets.engine.meaning import judge
from crm_sync_assets.engine.measures import collecting_rarely
from crm_sync_assets.engine.plan import Plan
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.session import Session
from crm_sync_assets.engine.sync import Contact, Progress, Sync
from crm_sync_assets.errors import NotAvailable, Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.rows.shape import unexpected
from crm_sync_assets.warehouse import attempts, encryption, history, quarantine
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.kinds import UNAVAILABLE, Kind
from crm_sync_assets.warehouse.tables import ensure_table

log = logger(__name__)


def begin(request: Request, client: Client, warehouse: Warehouse) -> Sync:
    """Take the entity's lock, decide what to read, open the history row.

    A window, or what is told to, waits for a running sync to end, up to the setting
    `wait_seconds`: it reads what it was asked for whatever came before it. Raises UsageError for
    flags that cannot be meant or a missing encryption key, FatalError for a table that waits to be
    encrypted or a warehouse that fails, and AlreadyRunning when another sync holds the lock; none
    leaves a trace.
    """
    entity, flags = request.entity, request.flags
    flags.check()
    flags.check_for(entity)
    # Refuses what no watermark could make right, before anything is locked.
    choose(flags, watermark=None, tracks_changes=entity.tracks_changes)
    request = request.paced()
    waits = request.waits or flags.start_date or flags.end_date
    wait = request.settings.wait_seconds if waits else 0.0
    session: Session | None = None
    try:
        vault = encryption.vault_for_writing(warehouse, request.stored, dry=flags.dry_run)
        session = Session(warehouse, entity, wait_seconds=wait)
        past = history.past(session.connection, entity)
        session.connection.commit()
        now = datetime.now(UTC)
        strategy = choose(
            flags,
            watermark=past.watermark,
            tracks_changes=entity.tracks_changes,
            overlap=request.settings.overlap,
            feed_from=now - entity.feed_keeps if entity.feed_keeps else None,
            kept_from=now - keeps if (keeps := request.settings.keeps) else None,
        )
        if strategy.because:
            log.warning("%s: reading everything: %s", entity, strategy.because)
        meaning = judge(
            session.connection,
            entity,
            client,
            stored=request.stored,
            replaces=strategy.replaces and not flags.max_records,
        )
        plan = Plan.of(request, strategy, past, meaning, now=now)
        if strategy.overwrite and not plan.overwrites:
            log.warning(
                "%s: force overwrites nothing that is newer here: only a part is read, and each "
                "row is put together of several records",
                entity,
            )
        return Sync(plan, client, session, vault)
    except BaseException as error:
        if session is not None:
            session.release()
        if isinstance(error, psycopg.Error):
            raise Unavailable(
                f"{entity}: the warehouse failed before anything was read: {message_of(error)}"
            ) from error
        raise


def reach(sync: Sync, progress: Progress = lambda _: None) -> None:
    """Make the tables and ask the source for the first page, so that it is known to have any.

    Raises NotAvailable for what this account has not and this warehouse never had; its row is of
    that kind. Whatever else goes wrong closes the row as failed, keeps the checkpoint and is raised
    again.
    """
    with _failing(sync, is_first=True):
        if sync.plan.meaning.refusal is not None:
            raise sync.plan.meaning.refusal
        # Now, while the client remembers whose account it is: a link is worth no request.
        sync.list_url = _list_url(sync)
        _prepare(sync)
        contact = sync.contact = _begun(sync)
        clock = time.monotonic()
        while not contact.pages.has_arrived(timeout=history.HEARTBEAT_SECONDS):
            contact.heartbeat.beat()
            progress(sync)
        sync.timing.waiting += time.monotonic() - clock


def drain(sync: Sync, progress: Progress = lambda _: None) -> Counts:
    """Read to the end, store everything, close the history row; the final counts.

    Reaches the source first, if nobody did. Whatever goes wrong closes the row as failed, keeps the
    checkpoint and is raised again.
    """
    if sync.contact is None:
        reach(sync, progress)
    assert sync.contact is not None
    with _failing(sync):
        ending = Ending(sync)
        try:
            with _summing_up(sync):
                _store_and_prove(sync, sync.contact, ending, progress)
        finally:
            sync.contact.pages.stop()
        ending.complete()
        progress(sync)
    sync.session.release()
    log.info(
        "Completed %s %s sync: %d created, %d updated, %d failed",
        sync.entity.crm,
        sync.entity.sync_type,
        sync.counts.created,
        sync.counts.updated,
        sync.counts.failed,
    )
    return sync.counts


def abandon(sync: Sync, error: BaseException) -> None:
    """Close the row as failed and free the entity, if nobody came to drain this sync."""
    if sync.status == "running":
        _fail(sync, error)


@contextmanager
def _failing(sync: Sync, *, is_first: bool = False) -> Iterator[None]:
    """Whatever is raised in here ends the sync; `is_first` says that nothing was read before."""
    try:
        yield
    except psycopg.Error as error:
        refusal = Unavailable(f"{sync.entity}: the warehouse failed: {message_of(error)}")
        _fail(sync, refusal)
        raise refusal from error
    except BaseException as error:
        absent = _absent(sync, error) if is_first else None
        _fail(sync, error, UNAVAILABLE if absent else None)
        if absent is None:
            raise
        raise absent from error


def _fail(sync: Sync, error: BaseException, kind: Kind | None = None) -> None:
    if sync.contact is not None:
        sync.contact.pages.stop()
    Ending(sync).fail(error, kind)
    sync.session.release()


def _absent(sync: Sync, error: BaseException) -> NotAvailable | None:
    """What the error says of the account, where it is what the source answered."""
    if sync.contact is None:
        return None
    plan = sync.plan
    was_here = plan.past.watermark is not None or sync.had_rows or plan.resumed
    return not_available(sync.entity, error, was_here=was_here)


def _prepare(sync: Sync) -> None:
    """Make the tables. A dry run makes them too, and rolls that back with everything else."""
    plan, connection = sync.plan, sync.connection
    if ensure_table(connection, plan.stored, sync.vault):
        # Even a dry run must not keep a widened table locked: the client reads keys from it.
        connection.commit()
    sync.had_rows = attempts.has_live_rows(connection, plan.stored)
    if plan.declaration_changed:
        log.warning(
            "%s: its declaration has changed since the last complete sync; rows that do not "
            "change at the source keep their old shape until a full sync (a new column is "
            "filled before that where the source can be asked for its values)",
            sync.entity,
        )
    if not plan.resumed:
        if not plan.dry:
            others = {sync.sync_id, *plan.still_needed}
            attempts.forget_attempts(connection, sync.entity, but=others)
        sync.tracks_keys = plan.reads_everything and not plan.replaces and sync.had_rows
        if plan.replaces:
            sync.shadow.create(connection)
    sync.has_quarantine = quarantine.has_any(connection, sync.entity)

    def make_stage(connection: Connection) -> None:
        connection.execute(sync.table.create_stage())

    make_stage(connection)
    if not plan.dry:
        connection.commit()
        sync.session.on_reconnect = make_stage


def _begun(sync: Sync) -> Contact:
    """The reading, whose first page is asked for."""
    plan, settings = sync.plan, sync.plan.request.settings
    read = Read(
        entity=sync.entity,
        strategy=plan.strategy,
        page_size=plan.page_size,
        known=sync.session.warehouse,
        cursor=sync.cursor,
        limit=sync.flags.max_records,
        state=resume.trusted_state(sync.entity, plan.past, sync.flags, had_rows=sync.had_rows),
        memory=plan.past.memory,
        options=sync.flags.own_options(),
        lag=settings.lag,
        bulk_rows=settings.bulk_rows,
    )
    heartbeat = Heartbeat(sync.session, sync.sync_id, dry=plan.dry)
    sync.began = datetime.now(UTC)
    pages = Prefetch(
        sync.client.pages(read, sync.usage),
        ahead=settings.prefetch_pages,
        most_records=settings.load_rows,
    )
    pages.start()
    return Contact(read, pages, heartbeat)


def _list_url(sync: Sync) -> str | None:
    try:
        return sync.client.list_url(sync.entity)
    except Exception as error:  # noqa: BLE001  a sync is worth more than its link
        log.info("%s: no URL for its list: %s", sync.entity, unexpected(error))
        return None


@contextmanager
def _summing_up(sync: Sync) -> Iterator[None]:
    """Tell what was odd in what was read, unless somebody cancels, who wants to know nothing."""
    try:
        yield
    except Exception:
        sync.processor.sum_up(stores=not sync.plan.dry)
        raise
    sync.processor.sum_up(stores=not sync.plan.dry)


def _store_and_prove(sync: Sync, contact: Contact, ending: Ending, progress: Progress) -> None:
    batches = Batches(sync, contact.heartbeat)

    def beat() -> None:
        contact.heartbeat.beat()
        progress(sync)

    with collecting_rarely():
        _store_all(sync, contact, batches, progress)
        ending.ask_for_the_rest(contact.read, batches.store, beat)


def _store_all(sync: Sync, contact: Contact, batches: Batches, progress: Progress) -> None:
    limit, announced = sync.flags.max_records, False
    while True:
        clock = time.monotonic()
        taken = contact.pages.take(timeout=history.HEARTBEAT_SECONDS)
        sync.timing.waiting += time.monotonic() - clock
        if taken is None or taken:
            sync.note_source_clock()
            if not announced:
                announced = True
                _announce(sync, taken[0] if taken else None)
        if taken is None:
            return
        if taken:
            batches.store(_cut(taken, limit - sync.counts.processed) if limit else taken)
        else:
            contact.heartbeat.beat()
        progress(sync)
        if limit and sync.counts.processed >= limit:
            return


def _announce(sync: Sync, first: Page | None) -> None:
    sync.total = first.total if first is not None else 0
    if sync.flags.max_records and sync.total is not None:
        sync.total = min(sync.total, sync.flags.max_records)
    since = sync.strategy.since
    log.info(
        "Starting %s %s sync with %s records (%s%s)",
        sync.entity.crm,
        sync.entity.sync_type,
        "an unknown number of" if sync.total is None else sync.total,
        sync.strategy.name,
        f" since {since.isoformat()}" if since else "",
    )


def _cut(pages: Sequence[Page], most: int) -> list[Page]:
    """At most `most` records of these pages, tombstones and confirmed keys included."""
    kept = []
    for page in pages:
        records = page.records[: max(most, 0)]
        most -= len(records)
        tombstones = page.tombstones[: max(most, 0)]
        most -= len(tombstones)
        confirmed = min(page.confirmed, max(most, 0))
        most -= confirmed
        kept.append(replace(page, records=records, tombstones=tombstones, confirmed=confirmed))
    return kept
