"""One sync of one entity, from the flags to a closed row in SyncHistory.

    flags + watermark → strategy → pages → rows and issues → upsert → SyncHistory

`begin` takes the entity's lock and opens the history row; `Sync.drain` moves the pages into the
warehouse, a batch and its checkpoint per transaction, and closes the row with the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from crm_sync_assets.declarations.contract import Client, Cursor, Page, Read, Tombstone, Usage
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import Strategy, choose
from crm_sync_assets.engine import ending, resume
from crm_sync_assets.engine.batch import Incoming, Inlet, Stored, failure_among
from crm_sync_assets.engine.completeness import Completeness, Seen
from crm_sync_assets.engine.fetch import Prefetch
from crm_sync_assets.engine.meaning import Meaning, judge
from crm_sync_assets.engine.measures import Timing, collecting_rarely, metrics
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import Deferred, FatalError, Refused, SyncError, Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.rows.processor import Failure, Processor
from crm_sync_assets.told import failure_message, reason_of
from crm_sync_assets.warehouse import attempts, encryption, history, quarantine
from crm_sync_assets.warehouse.attempts import SeenKeys, Shadow
from crm_sync_assets.warehouse.connection import (
    Connection,
    Warehouse,
    is_lost_connection,
    message_of,
)
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint, Past
from crm_sync_assets.warehouse.loading import FUTURE, Row, Table
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets.warehouse.vault import Vault

log = logger(__name__)

Progress = Callable[["Sync"], None]
"""Called after every batch and while waiting; must be quick and must not raise."""


_CLOCK_JITTER = timedelta(minutes=1)
"""A source's clock is read from answers, to the second, through the network."""


def begin(request: Request, client: Client, warehouse: Warehouse) -> Sync:
    """Take the entity's lock, decide what to read, open the history row.

    A window waits for a running sync to end, up to the setting `wait_seconds`: it reads what it
    was asked for whatever came before it. Raises UsageError for flags that cannot be meant or a
    missing encryption key, FatalError for a table that waits to be encrypted or a warehouse that
    fails, and AlreadyRunning when another sync holds the lock; none leaves a trace.
    """
    entity, flags = request.entity, request.flags
    flags.check()
    # Refuses what no watermark could make right, before anything is locked.
    choose(flags, watermark=None, tracks_changes=entity.tracks_changes)
    windowed = flags.start_date or flags.end_date
    wait = request.settings.wait_seconds if windowed else 0.0
    session: Session | None = None
    try:
        vault = encryption.vault_for_writing(warehouse, request.stored, dry=flags.dry_run)
        session = Session(warehouse, entity, wait_seconds=wait)
        past = history.past(session.connection, entity)
        session.connection.commit()
        strategy = choose(flags, watermark=past.watermark, tracks_changes=entity.tracks_changes)
        meaning = judge(
            session.connection,
            entity,
            client,
            stored=request.stored,
            replaces=strategy.replaces and not flags.max_records,
        )
        return Sync(request, client, session, strategy, past, vault, meaning)
    except BaseException as error:
        if session is not None:
            session.release()
        if isinstance(error, psycopg.Error):
            raise Unavailable(
                f"{entity}: the warehouse failed before anything was read: {message_of(error)}"
            ) from error
        raise


class Sync:
    """A sync in progress. Holds one database session, and with it the entity's lock."""

    def __init__(
        self,
        request: Request,
        client: Client,
        session: Session,
        strategy: Strategy,
        past: Past,
        vault: Vault | None = None,
        meaning: Meaning | None = None,
    ) -> None:
        self.request = request
        self.entity = request.entity
        self.flags = request.flags
        self.strategy = strategy
        self.past = past
        self.usage = Usage()
        self.timing = Timing()
        self.status: history.Status = "running"
        self.watermark: datetime | None = None
        self.total: int | None = None
        """How many records the source announced; None while, or if, it does not say."""
        self._client = client
        self._session = session
        self._vault = vault
        self._meaning = meaning or Meaning()
        self._began = datetime.now(UTC)
        self._dry = self.flags.dry_run
        self._page_size = self._clamped_page_size()
        self._terms = resume.terms(
            self.entity, strategy, self.flags, request.settings, self._meaning.values
        )
        self._checkpoint = (
            None
            if request.is_trial or self._meaning.refusal is not None
            else resume.checkpoint_to_follow(
                self.entity, past, self._terms, request.settings, now=self._began
            )
        )
        # A resumed sync speaks for all its attempts: what failed in the first still counts.
        self._carried = self._checkpoint.counts if self._checkpoint else Counts()
        self.counts = self._carried
        self._started_at_source = self._checkpoint.started if self._checkpoint else None
        self._table = Table(
            request.stored,
            overwrite=strategy.overwrite,
            keep_issues=self.flags.skip_validation,
            vault=vault,
        )
        self._processor = Processor(
            self.entity,
            validate=not self.flags.skip_validation,
            strict=request.settings.mode == "strict",
            record_url=self._url_of,
        )
        self.sync_id = history.insert(
            session.connection,
            self.entity,
            kind=request.kind,
            run_id=request.run_id,
            configuration=self._configuration(),
            endpoint=str(self.entity.source)[:200],
            checkpoint=self._checkpoint,
        )
        first_attempt = self._checkpoint.first_attempt if self._checkpoint else self.sync_id
        self._keys = SeenKeys(first_attempt)
        self._tracks_keys = self._checkpoint.tracks_keys if self._checkpoint else False
        self._shadow = Shadow(first_attempt, request.stored)
        self._inlet = Inlet(
            self.entity,
            self._table,
            vault,
            self.sync_id,
            target=self._shadow.identifier if self._replaces else None,
            rehearses=self._dry,
        )
        self._has_quarantine = False
        self._had_rows = False
        self._source_unchanged = False
        self._state: Mapping[str, Any] = {}
        self._memory: Mapping[str, Any] = past.memory
        self._stored_any = False
        self._warned_of_the_future = False
        self._cursor: Cursor | None = self._checkpoint.cursor if self._checkpoint else None
        self._last_beat = time.monotonic()

    @property
    def resumed(self) -> bool:
        return self._checkpoint is not None

    def _url_of(self, key: Key) -> str | None:
        return self._client.record_url(self.entity, key)

    @property
    def _connection(self) -> Connection:
        return self._session.connection

    @property
    def _replaces(self) -> bool:
        """Whether rows gather in the shadow. A dry run compares with the table directly.

        A removal has no rows: there is nothing to put in the place of what it marks.
        """
        return self.strategy.replaces and not self._dry and not self.entity.tombstones_of

    @property
    def _proves_absence(self) -> bool:
        """Whether a row not read by the end is gone at the source."""
        return self._reads_everything and self.entity.absent == "deleted"

    @property
    def _seen(self) -> Seen:
        """What was read. Where keys are not kept, it is what is stored by now."""
        if self._replaces:
            return Seen(self._keys, self._shadow.identifier)
        return Seen(self._keys, None if self._tracks_keys else self._table.target)

    @property
    def _reads_everything(self) -> bool:
        """Whether the records read are, by the end, all that the source has."""
        return (
            self.strategy.reads_everything
            and not self.flags.max_records
            and not self.entity.tombstones_of
            and not self._source_unchanged
        )

    @property
    def _still_needed(self) -> set[int]:
        """First attempts of interrupted syncs that a trial leaves to the next one to resume."""
        interrupted = self.past.checkpoint if self.request.is_trial else None
        return {interrupted.first_attempt} if interrupted else set()

    @property
    def _declaration_changed(self) -> bool:
        before = self.past.fingerprint
        incremental = self.strategy.name == "incremental"
        return incremental and before is not None and before != self.entity.fingerprint

    def _clamped_page_size(self) -> int:
        most = self.entity.source.max_page_size
        wanted = self.flags.batch_size
        if wanted == Flags.model_fields["batch_size"].default:
            wanted = self.request.settings.page_size
        if wanted > most:
            log.info(
                "%s: batch_size %d is more than the source allows; reading %d at a time",
                self.entity,
                wanted,
                most,
            )
        return min(wanted, most)

    def _configuration(self) -> dict[str, Any]:
        strategy = self.strategy
        return {
            **self.flags.given(),
            "strategy": strategy.name,
            "since": strategy.since.isoformat() if strategy.since else None,
            "until": strategy.until.isoformat() if strategy.until else None,
            "page_size": self._page_size,
            "fingerprint": self.entity.fingerprint,
            "lock": history.resource(self.entity),
            # Versions that know no kind tell by this what they may resume; one that was refused
            # leaves the checkpoint of an interrupted one to the next.
            "trial": self.request.is_trial or self._meaning.refusal is not None,
            **self._meaning.as_configuration(),
            "resumes": self._checkpoint.first_attempt if self._checkpoint else None,
        }

    # The flow

    def drain(self, progress: Progress | None = None) -> Counts:
        """Read to the end, store everything, close the history row; the final counts.

        Whatever goes wrong closes the row as failed, keeps the checkpoint and is raised again.
        """
        report = progress or (lambda _: None)
        pages: Prefetch | None = None
        try:
            if self._meaning.refusal is not None:
                raise self._meaning.refusal
            self._prepare()
            pages = self._fetch()
            with collecting_rarely():
                self._store_all(pages, report)
                self._ask_for_the_rest(report)
            self._finish()
            report(self)
        except psycopg.Error as error:
            refusal = Unavailable(f"{self.entity}: the warehouse failed: {message_of(error)}")
            self._fail(refusal)
            raise refusal from error
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            if pages is not None:
                pages.stop()
            self._session.release()
        log.info(
            "Completed %s %s sync: %d created, %d updated, %d failed",
            self.entity.crm,
            self.entity.sync_type,
            self.counts.created,
            self.counts.updated,
            self.counts.failed,
        )
        return self.counts

    def abandon(self, error: BaseException) -> None:
        """Close the row as failed and free the entity, if nobody came to drain this."""
        if self.status == "running":
            self._fail(error)
            self._session.release()

    def _prepare(self) -> None:
        """Make the tables. A dry run makes them too, and rolls that back with everything else."""
        connection, stored = self._connection, self.request.stored
        if ensure_table(connection, stored, self._vault):
            # Even a dry run must not keep a widened table locked: the client reads keys from it.
            connection.commit()
        self._had_rows = attempts.has_live_rows(connection, stored)
        if self._declaration_changed:
            log.warning(
                "%s: its declaration has changed since the last complete sync; rows that do not "
                "change at the source keep their old shape until a full sync (a new column is "
                "filled before that where the source can be asked for its values)",
                self.entity,
            )
        if not self.resumed:
            if not self._dry:
                others = {self.sync_id, *self._still_needed}
                attempts.forget_attempts(connection, self.entity, but=others)
            self._tracks_keys = self._must_track_keys()
            if self._replaces:
                self._shadow.create(connection)
        self._has_quarantine = quarantine.has_any(connection, self.entity)
        self._make_stage(connection)
        if not self._dry:
            connection.commit()
            self._session.on_reconnect = self._make_stage

    def _make_stage(self, connection: Connection) -> None:
        connection.execute(self._table.create_stage())

    def _must_track_keys(self) -> bool:
        """Whether the keys read must be remembered, to see at the end what was not among them."""
        return self._reads_everything and not self._replaces and self._had_rows

    def _fetch(self) -> Prefetch:
        self._read = Read(
            entity=self.entity,
            strategy=self.strategy,
            page_size=self._page_size,
            known=self._session.warehouse,
            cursor=self._cursor,
            limit=self.flags.max_records,
            state=self._trusted_state(),
            memory=self.past.memory,
            options=resume.own_options(self.flags),
            lag=self.request.settings.lag,
        )
        self._began = datetime.now(UTC)
        pages = Prefetch(
            self._client.pages(self._read, self.usage),
            ahead=self.request.settings.prefetch_pages,
            most_records=self.request.settings.load_rows,
        )
        pages.start()
        return pages

    def _trusted_state(self) -> Mapping[str, Any]:
        """The last state, with which the source may answer that nothing has changed.

        Nothing, where that answer would not do: when the content itself is wanted, when rows
        are made differently now, or when the rows of last time are no longer here.
        """
        asked_for_content = self.flags.full or self.flags.force
        same_rows = self.past.fingerprint == self.entity.fingerprint
        if asked_for_content or not same_rows or not self._had_rows:
            return {}
        return self.past.state

    def _store_all(self, pages: Prefetch, report: Progress) -> None:
        limit = self.flags.max_records
        announced = False
        while True:
            clock = time.monotonic()
            taken = pages.take(timeout=history.HEARTBEAT_SECONDS)
            self.timing.waiting += time.monotonic() - clock
            if taken is None or taken:
                self._note_source_clock()
                if not announced:
                    announced = True
                    self._announce(taken[0] if taken else None)
            if taken is None:
                return
            if taken:
                self._store(_cut(taken, limit - self.counts.processed) if limit else taken)
            else:
                self._beat()
            report(self)
            if limit and self.counts.processed >= limit:
                return

    def _announce(self, first: Page | None) -> None:
        self.total = first.total if first is not None else 0
        if self.flags.max_records and self.total is not None:
            self.total = min(self.total, self.flags.max_records)
        log.info(
            "Starting %s %s sync with %s records (%s%s)",
            self.entity.crm,
            self.entity.sync_type,
            "an unknown number of" if self.total is None else self.total,
            self.strategy.name,
            f" since {self.strategy.since.isoformat()}" if self.strategy.since else "",
        )

    def _note_source_clock(self) -> None:
        """Remember when this sync began by the source's clock, as soon as an answer tells it."""
        if self._started_at_source is None:
            now = self._client.source_time()
            passed = datetime.now(UTC) - self._began
            self._started_at_source = self._began if now is None else now - passed
        self._table.future = self._started_at_source + FUTURE

    # A batch

    def _store(self, pages: Sequence[Page]) -> None:
        """One batch: its rows, its counts and its checkpoint in one transaction."""
        clock = time.monotonic()
        self._table.hidden_columns |= {name for page in pages for name in page.hidden_columns}
        records = [record for page in pages for record in page.records]
        batch = self._processor.process(records)
        rows = self._table.newest_per_key(batch.rows)
        self._warn_of_the_future(rows)
        self.timing.processing += time.monotonic() - clock
        tombstones = [tombstone for page in pages for tombstone in page.tombstones]
        confirmed = sum(page.confirmed for page in pages)

        fed = self.entity.tombstones == "fed"
        incoming = Incoming(rows, batch.failures, tombstones if fed else ())

        def transaction() -> Counts:
            stored = self._inlet.store(
                self._connection,
                incoming,
                failure_among(self.entity, self._table, records, self._url_of),
                fresh_stage=not self._dry,
                after_copy=self._after_copy,
            )
            self._note_failures(stored.failures)
            counts = stored.counts + Counts(warnings=batch.issues + batch.warnings)
            counts += self._gone(tombstones, confirmed, stored)
            total = self.counts + counts
            if not self._dry:
                checkpoint = self._checkpoint_after(pages[-1], total)
                history.record_progress(self._connection, self.sync_id, total, checkpoint)
            return total

        clock = time.monotonic()
        self.counts = self._session.committed(
            transaction,
            repeatable=not self._dry,
            arrived=lambda total: (
                total != self.counts and history.has_stored(self._connection, self.sync_id, total)
            ),
        )
        seconds = time.monotonic() - clock
        self.timing.loading += seconds
        self._stored_any = True
        self._cursor = pages[-1].cursor
        for page in pages:
            self._state = page.state if page.state is not None else self._state
            self._memory = page.memory if page.memory is not None else self._memory
            self._source_unchanged = self._source_unchanged or page.unchanged
        if self._dry and time.monotonic() - self._last_beat > history.HEARTBEAT_SECONDS:
            self._beat()
        if self.flags.debug:
            log.info(
                "%s: %d rows of %d pages stored in %.0f ms",
                self.entity,
                len(rows),
                len(pages),
                1000 * seconds,
            )

    def _warn_of_the_future(self, rows: Sequence[Row]) -> None:
        """Say once which records are dated ahead; no watermark is ever taken from a record."""
        modified, future = self.entity.modified, self._table.future
        if self._warned_of_the_future or modified is None or future is None:
            return
        place = self._table.names.index(modified.name)
        odd = [row for row in rows if row[place] is not None and row[place] > future]
        if odd:
            self._warned_of_the_future = True
            log.warning(
                "%s: records dated in the future are stored as they are, their next version "
                "replaces them whatever its date: %s",
                self.entity,
                ", ".join(f"{'/'.join(self._table.key_of(r))} ({r[place]})" for r in odd[:5])
                + (f" and {len(odd) - 5} more" if odd[5:] else ""),
            )

    def _hold_key(self) -> None:
        """A dry run writes nothing that a key would have to open."""
        if not self._dry:
            encryption.hold(self._connection, self._vault)

    def _checkpoint_after(self, page: Page, counts: Counts) -> Checkpoint | None:
        if self.request.is_trial:
            return None
        assert self._started_at_source is not None
        return Checkpoint(
            page.cursor,
            self._terms,
            self._keys.first_attempt,
            self._started_at_source,
            counts,
            self._tracks_keys,
        )

    def _after_copy(self) -> None:
        """While the rows are staged: remember their keys, and clear their quarantine entries."""
        if self._tracks_keys:
            self._keys.add_staged(self._connection, self._table)
        if self._has_quarantine:
            quarantine.forget_staged(self._connection, self.entity, self._table.stage)

    def _note_failures(self, failures: Sequence[Failure]) -> None:
        """Records that were set aside were read all the same: their rows have not vanished."""
        if failures:
            self._has_quarantine = True
            if self._tracks_keys or self._reads_everything:
                self._keys.add_failed(self._connection, self.entity, failures)

    def _gone(self, tombstones: Sequence[Tombstone], confirmed: int, stored: Stored) -> Counts:
        if self.entity.tombstones == "found":
            # Held back until the last page: too many at once must be refused as a whole.
            self._keys.add_gone(self._connection, tombstones)
            checked = confirmed + len(tombstones)
            return Counts(processed=checked, unchanged=checked)
        return Counts(
            processed=len(tombstones) + confirmed,
            updated=stored.marked,
            unchanged=stored.unmarked + confirmed,
            deleted=stored.marked,
        )

    # The end

    def _ask_for_the_rest(self, report: Progress) -> None:
        """Ask for what a read of everything should have contained and did not; see there."""
        if not self._reads_everything:
            return

        def beat() -> None:
            self._beat()
            report(self)

        last = Completeness(
            client=self._client,
            read=replace(self._read, cursor=self._cursor),
            usage=self.usage,
            seen=self._seen,
            connection=lambda: self._connection,
            store=self._store,
            beat=beat,
        )
        last.find_overlooked()
        if self._proves_absence and (self._replaces or self._tracks_keys):
            last.find_absent(forced=self.flags.force)

    def _finish(self) -> None:
        """Do what only a complete read may do, and close the row, in one transaction."""
        foreseen: Counts | None = None
        if self._dry:
            foreseen = self._final_counts()
            self._connection.rollback()
        self.counts = self._session.committed(
            lambda: self._close(foreseen or self._final_counts()),
            arrived=lambda _: history.is_complete(self._connection, self.sync_id),
        )

    def _final_counts(self) -> Counts:
        connection, stored, forced = self._connection, self.request.stored, self.flags.force
        counts = self.counts
        self._hold_key()
        if self._replaces:
            counts = self._shadow.swap_in(connection, self._table, counts)
            if self._meaning.replaces:
                quarantine.forget_before(connection, self.entity, self._keys.first_attempt)
        if not self.flags.max_records:
            if self._proves_absence and (self._replaces or self._tracks_keys):
                counts += self._mark_absent()
            if self.entity.tombstones == "found":
                counts += ending.mark_found(
                    connection, self.entity, stored, self._keys, forced=forced
                )
            counts += ending.mark_merged(connection, stored)
        ending.refuse_mass_failure(self.entity, counts, self.request.settings.max_failed_share)
        return counts

    def _mark_absent(self) -> Counts:
        """Mark the rows that were not read, unless one of them may have been without its key."""
        connection, stored = self._connection, self.request.stored
        if self._keys.has_nameless(connection):
            log.warning(
                "%s: a record came without a key that can be read, so no row is marked as deleted "
                "for being absent; the quarantine has the record",
                self.entity,
            )
            return Counts()
        seen = self._seen.query(stored)
        return ending.mark_absent(connection, stored, seen, forced=self.flags.force)

    def _close(self, counts: Counts) -> Counts:
        self.status = "partial" if counts.failed else "success"
        self.watermark = self._new_watermark()
        if not self._dry:
            attempts.forget_attempts(self._connection, self.entity, but=self._still_needed)
        history.close(
            self._connection,
            self.sync_id,
            self.status,
            counts,
            watermark=self.watermark,
            metrics=self._metrics_of(counts),
            extra_configuration={
                name: value
                for name, value in (
                    ("source_state", dict(self._state)),
                    ("source_memory", dict(self._memory)),
                    ("hidden_columns", sorted(self._table.hidden_columns)),
                )
                if value
            },
        )
        return counts

    def _new_watermark(self) -> datetime | None:
        """Where the next delta starts, None unless this sync may say so.

        The moment this sync (its first attempt) began, less what the source shows late. It never
        goes back, unless the old one lies clearly ahead of the source's own clock.
        """
        if not self.strategy.moves_watermark:
            return None
        assert self._started_at_source is not None
        mark = self._started_at_source - self.request.settings.lag
        old = self.past.watermark
        if old is not None and mark < old <= self._started_at_source + _CLOCK_JITTER:
            return old
        return mark

    def _metrics_of(self, counts: Counts) -> dict[str, Any]:
        return metrics(counts, carried=self._carried, usage=self.usage, timing=self.timing)

    # What interrupts it

    def _beat(self) -> None:
        """Heartbeat while no batch is due. A dry run's open transaction is left alone."""
        self._last_beat = time.monotonic()
        if self._dry:
            with self._session.warehouse.connection() as connection:
                history.beat(connection, self.sync_id)
            return
        try:
            history.beat(self._connection, self.sync_id)
        except psycopg.Error as error:
            if not is_lost_connection(error):
                raise
            self._session.reconnect()

    def _fail(self, error: BaseException) -> None:
        """Close the row as failed, on another connection if this one is no longer of use."""
        self.status = "failed"
        try:
            if self._session.is_usable:
                self._connection.rollback()
                self._close_failed(self._connection, error)
                return
        except psycopg.Error as problem:
            log.warning("%s: closing the history row: %s", self.entity, message_of(problem))
        try:
            with self._session.warehouse.connection() as connection:
                self._close_failed(connection, error)
        except (SyncError, psycopg.Error) as problem:
            log.error(
                "%s: sync %d failed and its row could not be closed (%s); the next sync closes it",
                self.entity,
                self.sync_id,
                problem,
            )

    def _close_failed(self, connection: Connection, error: BaseException) -> None:
        history.close_failed(
            connection,
            self.sync_id,
            failure_message(error),
            self._metrics_of(self.counts),
            reason=reason_of(error),
            start_over=self._must_start_over(error),
        )

    def _must_start_over(self, error: BaseException) -> bool:
        """Whether resuming would only lead here again, so that the checkpoint has to go."""
        if isinstance(error, Refused):
            return True
        stuck = self.resumed and not self._stored_any
        return stuck and isinstance(error, FatalError) and not isinstance(error, Deferred)


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
