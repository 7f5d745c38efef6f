"""The batches of a sync: pages become rows, and are stored with their counts and checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence

from crm_sync_assets.declarations.contract import Page, Tombstone
from crm_sync_assets.engine.batch import Incoming, Stored, failure_among
from crm_sync_assets.engine.heartbeat import Heartbeat
from crm_sync_assets.engine.superseded import forget_superseded
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.log import logger
from crm_sync_assets.rows.processor import Batch, Failure
from crm_sync_assets.warehouse import history, quarantine
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint
from crm_sync_assets.warehouse.loading import Row

log = logger(__name__)


class Batches:
    """Stores the pages of one sync, a batch and its checkpoint per transaction."""

    def __init__(self, sync: Sync, heartbeat: Heartbeat) -> None:
        self._sync = sync
        self._heartbeat = heartbeat
        self._warned_of_the_future = False
        self._mended = Counts()

    def store(self, pages: Sequence[Page]) -> None:
        """One batch: its rows, its counts and its checkpoint in one transaction."""
        sync, clock = self._sync, time.monotonic()
        sync.table.note_shown(pages)
        records = [record for page in pages for record in page.records]
        batch = sync.processor.process(records)
        rows = sync.table.newest_per_key(batch.rows)
        if len(pages) > 1 and self._comes_back(pages, rows):
            for page in pages:
                self.store([page])
            return
        self._warn_of_the_future(rows)
        stored_from = time.monotonic()
        sync.timing.processing += stored_from - clock
        sync.counts = sync.session.committed(
            lambda: self._transaction(pages, batch, rows),
            repeatable=not sync.plan.dry,
            arrived=self._has_arrived,
        )
        seconds = time.monotonic() - stored_from
        sync.timing.loading += seconds
        self._move_on(pages)
        self._heartbeat.after_a_batch()
        if sync.flags.debug:
            log.info(
                "%s: %d rows of %d pages stored in %.0f ms",
                sync.entity,
                len(rows),
                len(pages),
                1000 * seconds,
            )

    def _comes_back(self, pages: Sequence[Page], rows: Sequence[Row]) -> bool:
        """Whether one page has a row whose key another says is gone: then their order decides."""
        gone = {tombstone.key for page in pages for tombstone in page.tombstones}
        return bool(gone) and not gone.isdisjoint(map(self._sync.table.key_of, rows))

    def _transaction(self, pages: Sequence[Page], batch: Batch, rows: Sequence[Row]) -> Counts:
        sync = self._sync
        tombstones = [tombstone for page in pages for tombstone in page.tombstones]
        fed = sync.entity.tombstones == "fed"
        self._mended = Counts()
        stored = sync.inlet.store(
            sync.connection,
            Incoming(rows, batch.failures, tombstones if fed else ()),
            failure_among(
                sync.entity,
                sync.table,
                [record for page in pages for record in page.records],
                sync.url_of,
            ),
            fresh_stage=not sync.plan.dry,
            after_copy=self._after_copy,
        )
        self._note_failures(stored.failures)
        if sync.has_everything and (kept := [key for page in pages for key in page.kept]):
            sync.keys.add(sync.connection, kept)
        total = sync.counts + stored.counts + self._mended
        total += Counts(warnings=batch.issues + batch.warnings)
        total += self._gone(tombstones, sum(page.confirmed for page in pages), stored)
        if not sync.plan.dry:
            checkpoint = self._checkpoint_after(pages[-1], total)
            history.record_progress(sync.connection, sync.sync_id, sync.told(total), checkpoint)
        return total

    def _has_arrived(self, total: Counts) -> bool:
        """Whether a batch whose commit was not acknowledged is stored all the same."""
        sync = self._sync
        told = sync.told(total)
        return history.has_stored(sync.connection, sync.sync_id, told, sync.told(sync.counts))

    def _move_on(self, pages: Sequence[Page]) -> None:
        """Only what is committed counts as read."""
        sync = self._sync
        sync.has_stored = True
        sync.cursor = pages[-1].cursor
        for page in pages:
            sync.state = page.state if page.state is not None else sync.state
            sync.memory = page.memory if page.memory is not None else sync.memory
            sync.labels = page.labels if page.labels is not None else sync.labels
            sync.source_unchanged = sync.source_unchanged or page.unchanged
            sync.incomplete = page.incomplete or sync.incomplete

    def _checkpoint_after(self, page: Page, counts: Counts) -> Checkpoint | None:
        sync = self._sync
        if sync.plan.request.is_trial:
            return None
        assert sync.started_at_source is not None
        return Checkpoint(
            page.cursor,
            sync.plan.terms,
            sync.keys.first_attempt,
            sync.started_at_source,
            counts,
            sync.tracks_keys,
        )

    def _after_copy(self) -> None:
        """While the rows are staged: remember their keys, and clear their quarantine entries."""
        sync = self._sync
        if sync.tracks_keys:
            sync.keys.add_staged(sync.connection, sync.table)
        if not sync.has_quarantine:
            return
        if not sync.entity.parts:
            quarantine.forget_staged(sync.connection, sync.entity, sync.table.stage)
            return
        mended = forget_superseded(sync.connection, sync.entity, sync.table, sync.vault)
        self._mended += sync.keys.count_mended(sync.connection, mended)

    def _note_failures(self, failures: Sequence[Failure]) -> None:
        """Records that were set aside were read all the same: their rows have not vanished."""
        sync = self._sync
        if failures:
            sync.has_quarantine = True
            if sync.tracks_keys or sync.has_everything:
                sync.keys.add_failed(sync.connection, sync.entity, failures)

    def _gone(self, tombstones: Sequence[Tombstone], confirmed: int, stored: Stored) -> Counts:
        sync = self._sync
        if sync.entity.tombstones == "found":
            # Held back until the last page: too many at once must be refused as a whole.
            sync.keys.add_gone(sync.connection, tombstones)
            checked = confirmed + len(tombstones)
            return Counts(processed=checked, unchanged=checked)
        # Of keys that may be there nothing is known but what they mark.
        unmarked = 0 if all(one.may_be for one in tombstones) else stored.unmarked
        return Counts(
            processed=stored.marked + unmarked + confirmed,
            updated=stored.marked,
            unchanged=unmarked + confirmed,
            deleted=stored.marked,
        )

    def _warn_of_the_future(self, rows: Sequence[Row]) -> None:
        """Say once which records are dated ahead; no watermark is ever taken from a record."""
        entity, table = self._sync.entity, self._sync.table
        if self._warned_of_the_future or entity.modified is None or table.future is None:
            return
        place = table.names.index(entity.modified.name)
        odd = [row for row in rows if row[place] is not None and row[place] > table.future]
        if odd:
            self._warned_of_the_future = True
            log.warning(
                "%s: records dated in the future are stored as they are, their next version "
                "replaces them whatever its date: %s",
                entity,
                ", ".join(f"{'/'.join(table.key_of(r))} ({r[place]})" for r in odd[:5])
                + (f" and {len(odd) - 5} more" if odd[5:] else ""),
            )
