"""Records that webhooks named, read and stored: what changed arrives in seconds.

It is work beside the syncs: it takes the entity's lock for moments, writes a history row flagged
`webhook` that never carries a watermark, and stores by the same statement as any sync: a newer
stored row wins. An event is done in the transaction that stores its record. One that arrives while
its record is read stays pending, and its record is read once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

import psycopg

from crm_sync_assets.declarations.contract import Client, Page, Read, Tombstone, Usage, Verifiable
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.declarations.webhooks import Happened, Webhooks
from crm_sync_assets.engine import measures
from crm_sync_assets.engine.batch import Incoming, Inlet, failure_among
from crm_sync_assets.engine.trial import Trial, trial
from crm_sync_assets.errors import (
    AlreadyRunning,
    Deferred,
    Fenced,
    SyncError,
)
from crm_sync_assets.log import logger
from crm_sync_assets.operations.webhook_gone import METRIC, Loss, loss, note
from crm_sync_assets.operations.webhook_prospects import MOST, prospect
from crm_sync_assets.operations.webhook_reading import Reading, TooManyAtOnce
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.told import failure_message
from crm_sync_assets.warehouse import encryption, history, quarantine, webhook_events
from crm_sync_assets.warehouse.attempts import SeenKeys
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.loading import FUTURE, Table
from crm_sync_assets.warehouse.vault import Vault
from crm_sync_assets.warehouse.webhook_events import Due

log = logger(__name__)

AT_ONCE: Final = 500
"""Records that are read and stored at a time."""

LONGEST_SECONDS: Final = 30.0
"""After so long the lock is given back, and what is left waits for the next turn."""

SAID: Final[frozenset[Happened]] = frozenset({"deleted", "merged", "linked"})
"""After such an event a record may be gone."""


Fetched = Callable[[Sequence[Key]], tuple[list[Page], dict[Key, str]]]
"""The pages of these keys, and why some cannot be had."""


@dataclass(slots=True)
class Taken:
    """What became of the events of one entity; `events` are those whose records were read.

    `settled` are done because a sync has read since what they told, `left` wait for a delta to do
    that; `why` says what keeps the others waiting.
    """

    entity: Entity
    events: int = 0
    settled: int = 0
    failed: int = 0
    left: int = 0
    why: str | None = None
    sync_id: int | None = None
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)

    @property
    def status(self) -> history.Status:
        return "partial" if self.counts.failed else "success"

    def summary(self) -> str:
        """What was done, in one line."""
        counts = self.counts
        text = (
            f"{self.events} events: {counts.created} created, {counts.updated} updated, "
            f"{counts.unchanged} unchanged"
        )
        text += f", {counts.failed} failed" if counts.failed else ""
        text += f"; {self.settled} were read by a sync" if self.settled else ""
        return text + (f"; {self.left} are left to the next delta" if self.left else "")


def take(
    warehouse: Warehouse,
    entity: Entity,
    webhooks: Webhooks,
    client: Client,
    settings: SyncSettings,
    *,
    run_id: str | None = None,
) -> Taken:
    """Read the records of what is pending of one entity, for a while.

    Leaves all as it is while a sync of the entity runs. Raises what `trial` and `by_key` raise,
    once the events are marked for another try.
    """
    found = Taken(entity)
    with warehouse.connection() as connection:
        now = prospect(connection, entity, webhooks)
    found.settled, found.left, found.why = now.settled, now.left, now.why
    if not isinstance(client, Verifiable):
        found.why = f"{entity}: its records cannot be asked for by their keys"
    if not now.is_due or found.why:
        return found
    events = list[Due]()
    try:
        vault = encryption.vault_for_writing(warehouse, entity)
        with trial(
            warehouse,
            entity,
            client,
            vault,
            kind="webhook",
            run_id=run_id,
            passing=True,
            webhook=True,
        ) as opened:
            _Taking(opened, client, settings, found, vault, now.only, events).run()
    except (AlreadyRunning, Fenced) as error:
        found.why = str(error)
        return found
    except Exception as error:
        _mark_failed(warehouse, entity, events, error)
        raise
    log.info("%s: %s", entity, found.summary())
    return found


def _mark_failed(
    warehouse: Warehouse, entity: Entity, events: Sequence[Due], error: Exception
) -> None:
    """Those that were being read are tried again later; never raises, `error` is what matters.

    A source, a warehouse or a setting that fails is not their fault, however long it lasts: then
    all that is due waits, for the next one would meet the same.
    """
    until = error.until if isinstance(error, Deferred) else None
    is_theirs = bool(events) and not isinstance(error, SyncError | psycopg.Error)
    try:
        with warehouse.connection() as connection:
            ids = [event.id for event in events]
            if is_theirs:
                webhook_events.failed(connection, ids, failure_message(error))
            else:
                due = webhook_events.due(connection, entity.crm, entity.sync_type, limit=MOST)
                ids += [event.id for event in due]
                webhook_events.postponed(connection, ids, failure_message(error), until=until)
            connection.commit()
    except Exception as problem:  # noqa: BLE001  they stay pending, and are tried again at once
        log.error("%s: its events could not be marked: %s", entity, failure_message(problem))


class _Taking:
    """One turn, with the entity's lock held by `opened.session`.

    `events` are those that are being read, for who has to say that it failed.
    """

    def __init__(
        self,
        opened: Trial,
        client: Client,
        settings: SyncSettings,
        found: Taken,
        vault: Vault | None,
        only: Sequence[str],
        events: list[Due],
    ) -> None:
        self._session = opened.session
        self._client = client
        self._found = found
        self._only = only
        self._events = events
        entity = found.entity
        found.sync_id = opened.sync_id
        self._sync_id = opened.sync_id
        read = Read(
            entity,
            Strategy("full"),
            page_size=entity.source.max_page_size,
            known=opened.session.warehouse,
            memory=opened.memory,
            lag=settings.lag,
        )
        self._reading = Reading(client, read, found.usage)
        self._asked = 0
        self._gone = 0
        self._table = Table(entity, overwrite=False, keep_issues=False, vault=vault)
        self._processor = Processor(
            entity, strict=settings.mode == "strict", record_url=partial(client.record_url, entity)
        )
        counted = SeenKeys(opened.sync_id) if entity.parts else None
        self._inlet = Inlet(entity, self._table, vault, opened.sync_id, counted=counted)

    def run(self) -> None:
        began, found = time.monotonic(), self._found
        suspects = 1
        while time.monotonic() - began < LONGEST_SECONDS:
            self._events[:] = self._due(AT_ONCE, tried=False)
            if self._events:
                self._take(self._reading.fetched)
                continue
            self._events[:] = self._due(suspects, tried=True)
            if not self._events:
                break
            try:
                self._take(partial(self._reading.suspected, self._session.connection))
                suspects = min(2 * suspects, AT_ONCE)
            except TooManyAtOnce:
                suspects = 1
        self._events.clear()
        self._processor.sum_up()
        seconds = time.monotonic() - began
        self._session.committed(
            lambda: history.close(
                self._session.connection,
                self._sync_id,
                found.status,
                found.counts,
                watermark=None,
                metrics={
                    **measures.common(found.counts, seconds, usage=found.usage),
                    "webhook_events": found.events,
                    **({METRIC: self._gone} if self._gone else {}),
                },
                extra_configuration={},
            ),
            arrived=lambda _: history.is_complete(self._session.connection, self._sync_id),
        )

    def _due(self, limit: int, *, tried: bool) -> list[Due]:
        entity = self._found.entity
        return webhook_events.due(
            self._session.connection,
            entity.crm,
            entity.sync_type,
            limit=limit,
            only=self._only,
            tried=tried,
        )

    def _take(self, fetched: Fetched) -> None:
        """Read the records of these events, store them, and be done with the events."""
        keys = dict.fromkeys(event.record for event in self._events)
        odd = {key: "it is no key of this entity" for key in keys if not self._fits(key)}
        pages, refused = fetched([key for key in keys if key not in odd])
        refused |= odd
        self._table.note_shown(pages)
        self._table.future = (self._client.source_time() or datetime.now(UTC)) + FUTURE
        records = [record for page in pages for record in page.records]
        url_of = partial(self._client.record_url, self._found.entity)
        failure_of = failure_among(self._found.entity, self._table, records, url_of)
        batch = self._processor.process(records)
        rows = self._table.newest_per_key(batch.rows)
        tombstones, kept = self._absent(pages)
        lost = self._lost(tombstones)
        if lost.why:
            refused |= dict.fromkeys(lost.keys, lost.why)
        tombstones = [one for one in tombstones if one.key not in refused]
        incoming = Incoming(rows, batch.failures, tombstones)
        told = {*map(self._table.key_of, rows), *kept, *(one.key for one in tombstones)}
        aside = {failure.record_id for failure in batch.failures}
        for key in keys.keys() - told - refused.keys():
            if "/".join(key) not in aside:
                refused[key] = "the source said nothing about it"
        before = self._found.counts

        def transaction() -> Counts:
            connection = self._session.connection
            if lost.keys:
                note(connection, self._sync_id, len(lost.keys))
            connection.execute(self._table.create_stage())
            stored = self._inlet.store(
                connection,
                incoming,
                failure_of,
                fresh_stage=False,
                after_copy=self._forget_quarantined,
            )
            total = before + stored.counts + Counts(warnings=batch.issues + batch.warnings)
            total += Counts(
                processed=len(tombstones) + len(kept) + len(refused),
                updated=stored.marked,
                unchanged=stored.unmarked + len(kept),
                failed=len(refused),
                deleted=stored.marked,
            )
            self._settle(refused)
            history.record_progress(connection, self._sync_id, total, None)
            return total

        self._found.counts = self._session.committed(
            transaction,
            arrived=lambda total: history.has_stored(
                self._session.connection, self._sync_id, total, before
            ),
        )
        self._asked, self._gone = self._asked + len(keys), self._gone + len(lost.keys)
        failed = sum(event.record in refused for event in self._events)
        self._found.events += len(self._events) - failed
        self._found.failed += failed

    def _fits(self, key: Key) -> bool:
        return len(key) == len(self._found.entity.key)

    def _settle(self, refused: Mapping[Key, str]) -> None:
        connection = self._session.connection
        done = [event.id for event in self._events if event.record not in refused]
        webhook_events.done(connection, done, self._sync_id)
        for key, why in refused.items():
            ids = [event.id for event in self._events if event.record == key]
            webhook_events.failed(connection, ids, why)

    def _absent(self, pages: Sequence[Page]) -> tuple[list[Tombstone], list[Key]]:
        """What is gone, and what stays although the source does not show it.

        What no sync takes for gone because it is not listed, nobody does because it is asked for.
        """
        gone = [tombstone for page in pages for tombstone in page.tombstones]
        kept = [key for page in pages for key in page.kept]
        if self._found.entity.absent == "deleted":
            return gone, kept
        said = self._said_to_be_gone()
        kept += [tombstone.key for tombstone in gone if tombstone.key not in said]
        return [tombstone for tombstone in gone if tombstone.key in said], kept

    def _said_to_be_gone(self) -> set[Key]:
        return {event.record for event in self._events if event.happened in SAID}

    def _forget_quarantined(self) -> None:
        entity = self._found.entity
        if not entity.parts:
            quarantine.forget_staged(self._session.connection, entity, self._table.stage)

    def _lost(self, tombstones: Sequence[Tombstone]) -> Loss:
        """What of these is gone though no event said so."""
        gone = {one.key for one in tombstones} - self._said_to_be_gone()
        if not gone:
            return Loss()
        asked = self._asked + len({event.record for event in self._events})
        entity, session = self._found.entity, self._session
        return session.committed(
            lambda: loss(session.connection, entity, self._sync_id, gone, asked),
            arrived=lambda _: True,
        )
