"""The end of a sync: what only a complete read may do, and the closed row, in one transaction.

A replacement is swapped in, what is gone is marked, or too much is refused, and then nothing stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.engine import closing, resume
from crm_sync_assets.engine.completeness import Completeness
from crm_sync_assets.engine.refusals import (
    refuse_mass_deletion,
    refuse_mass_failure,
    refuse_to_go_on_without,
)
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import attempts, encryption, history, quarantine, tables
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import (
    point_losers_to_survivors,
    soft_delete,
    soft_delete_absent,
)
from crm_sync_assets.warehouse.kinds import Kind

log = logger(__name__)

_CLOCK_JITTER = timedelta(minutes=1)
"""A source's clock is read from answers, to the second, through the network."""


class Ending:
    """Ends one sync: completely, or as failed."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync

    def ask_for_the_rest(
        self, read: Read, store: Callable[[Sequence[Page]], None], beat: Callable[[], None]
    ) -> None:
        """Ask for what a read of everything should have contained and did not; see there."""
        sync = self._sync
        if not sync.has_everything:
            return
        last = Completeness(
            client=sync.client,
            read=replace(read, cursor=sync.cursor),
            usage=sync.usage,
            seen=sync.seen,
            connection=lambda: sync.connection,
            store=store,
            beat=beat,
        )
        last.find_overlooked()
        if sync.proves_absence:
            last.find_absent(forced=sync.flags.force)

    def complete(self) -> None:
        """Do what only a complete read may do, and close the row.

        Raises Refused for too many rows gone, or records that could not be stored, Expired where
        there was something that nobody can read any more, and what kept a part from being read.
        """
        sync = self._sync
        if sync.strategy.lost:
            refuse_to_go_on_without(sync.entity, sync.strategy.lost)
        foreseen: Counts | None = None
        if sync.plan.dry:
            foreseen = self._final_counts()
            sync.connection.rollback()
        if sync.incomplete is not None:
            self._store_what_there_is()
            raise sync.incomplete
        sync.counts = sync.session.committed(
            lambda: self._close(foreseen or self._final_counts()),
            arrived=lambda _: history.is_complete(sync.connection, sync.sync_id),
        )

    def _store_what_there_is(self) -> None:
        """Do what a complete read may do, for a part of the source: the row is not closed by it."""
        sync = self._sync
        if sync.plan.dry:
            return
        before = sync.told(sync.counts)

        def store() -> Counts:
            counts = self._final_counts()
            history.record_progress(sync.connection, sync.sync_id, counts, None)
            return counts

        sync.counts = sync.session.committed(
            store,
            arrived=lambda counts: history.has_stored(
                sync.connection, sync.sync_id, counts, before
            ),
        )
        sync.has_swapped = True

    def fail(self, error: BaseException, kind: Kind | None = None) -> None:
        """Close the row as failed, on another connection if this one is no longer of use."""
        sync = self._sync
        sync.status = "failed"
        closing.close_failed(
            sync.session,
            sync.sync_id,
            error,
            sync.metrics(sync.told(sync.counts)),
            start_over=resume.must_start_over(
                error, resumed=sync.plan.resumed, has_stored=sync.has_stored
            ),
            kind=kind,
        )

    def _final_counts(self) -> Counts:
        sync, plan, connection = self._sync, self._sync.plan, self._sync.connection
        counts = sync.counts
        if not plan.dry:
            # A dry run writes nothing that a key would have to open.
            encryption.hold(connection, sync.vault)
            tables.label(connection, plan.stored, sync.labels)
        if plan.replaces:
            counts = sync.shadow.swap_in(connection, sync.table, counts)
            if plan.meaning.replaces:
                quarantine.forget_before(connection, sync.entity, sync.keys.first_attempt)
        if not sync.flags.max_records:
            if sync.proves_absence:
                counts += self._mark_absent()
            if sync.entity.tombstones == "found" and not plan.strategy.filtered:
                counts += self._mark_found()
            counts += Counts(deleted=point_losers_to_survivors(connection, plan.stored))
        refuse_mass_failure(sync.entity, counts, plan.request.settings.max_failed_share)
        return counts

    def _mark_absent(self) -> Counts:
        """Mark the rows that were not read, unless one of them may have been without its key."""
        sync, connection, stored = self._sync, self._sync.connection, self._sync.plan.stored
        if sync.keys.has_nameless(connection):
            log.warning(
                "%s: a record came without a key that can be read, so no row is marked as deleted "
                "for being absent; the quarantine has the record",
                sync.entity,
            )
            return Counts()
        live = attempts.live_rows(connection, stored)
        gone = soft_delete_absent(connection, stored, sync.seen.query(stored))
        refuse_mass_deletion(stored, gone, live, forced=sync.flags.force)
        return Counts(deleted=gone)

    def _mark_found(self) -> Counts:
        """Mark the rows that a removal found to be gone. Until now they counted as unchanged."""
        sync, connection, stored = self._sync, self._sync.connection, self._sync.plan.stored
        gone = sync.keys.gone(connection)
        if not gone:
            return Counts()
        live = attempts.live_rows(connection, stored)
        marked, _ = soft_delete(connection, stored, gone)
        refuse_mass_deletion(sync.entity, marked, live, forced=sync.flags.force)
        return Counts(updated=marked, unchanged=-marked, deleted=marked)

    def _close(self, counts: Counts) -> Counts:
        sync, plan = self._sync, self._sync.plan
        sync.status = "partial" if counts.failed else "success"
        sync.watermark = self._new_watermark()
        if not plan.dry:
            attempts.forget_attempts(sync.connection, sync.entity, but=plan.still_needed)
        history.close(
            sync.connection,
            sync.sync_id,
            sync.status,
            counts,
            watermark=sync.watermark,
            metrics=sync.metrics(counts),
            extra_configuration=self._found_out(),
        )
        return counts

    def _found_out(self) -> Mapping[str, Any]:
        """What the next sync is told, and people want to know, of this one."""
        sync = self._sync
        found = {
            "source_state": dict(sync.state),
            "source_memory": dict(sync.memory),
            "hidden_columns": sorted(sync.table.hidden_columns),
        }
        return {name: value for name, value in found.items() if value}

    def _new_watermark(self) -> datetime | None:
        """Where the next delta starts, None unless this sync may say so.

        The moment this sync (its first attempt) began, less what the source shows late. It never
        goes back, unless the old one lies clearly ahead of the source's own clock.
        """
        sync, plan = self._sync, self._sync.plan
        if not plan.strategy.moves_watermark:
            return None
        assert sync.started_at_source is not None
        mark = sync.started_at_source - plan.request.settings.lag
        old = plan.past.watermark
        if old is not None and mark < old <= sync.started_at_source + _CLOCK_JITTER:
            return old
        return mark
