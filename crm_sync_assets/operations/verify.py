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
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from crm_sync_assets.declarations.contract import Client, Cursor, Provable, Read, Verifiable
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine import measures
from crm_sync_assets.engine.batch import Inlet
from crm_sync_assets.engine.trial import Trial, trial
from crm_sync_assets.errors import Refused, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.operations.repair import Repair
from crm_sync_assets.operations.second_look import SecondLook
from crm_sync_assets.operations.suspects import Comparison, Listed, Suspect
from crm_sync_assets.operations.verified import KINDS, Verification
from crm_sync_assets.rows.outline import keys_of, outline_of
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import encryption, history
from crm_sync_assets.warehouse.attempts import SeenKeys
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
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
        _Verifying(opened, client, settings, found, vault, repair=repair).run()
    log.info("Verified %s: %s", entity, found.summary())
    return found


class _Verifying:
    """One verification, with the entity's lock held by its session."""

    def __init__(
        self,
        opened: Trial,
        client: Client,
        settings: SyncSettings,
        found: Verification,
        vault: Vault | None,
        *,
        repair: bool,
    ) -> None:
        session = opened.session
        self._session = session
        self._client = cast(Verifiable, client)
        self._found = found
        entity = found.entity
        self._read = Read(
            entity,
            Strategy("full"),
            page_size=entity.source.max_page_size,
            known=session.warehouse,
            memory=opened.memory,
            lag=settings.lag,
        )
        table = Table(entity, overwrite=False, keep_issues=False, vault=vault)
        table.future = (client.source_time() or datetime.now(UTC)) + FUTURE
        self._processor = Processor(
            entity, strict=settings.mode == "strict", record_url=partial(client.record_url, entity)
        )
        self._second_look = SecondLook(
            self._client, self._read, self._processor, table, found.through, found.usage
        )
        counted = SeenKeys(found.sync_id) if entity.parts else None
        inlet = Inlet(entity, table, vault, found.sync_id, counted=counted)
        self._repair = Repair(session, inlet, client) if repair else None
        self._beaten = time.monotonic()

    def run(self) -> None:
        began, found = time.monotonic(), self._found
        comparison = self._listed().compared(found.through, most=MOST_FINDINGS)
        found.there, found.here = comparison.there, comparison.here
        found.newer, found.explained = comparison.newer, comparison.explained
        if self._repair is not None:
            _refuse_mass_deletion(found.entity, comparison)
        found.unchecked = comparison.total - len(comparison.suspects)
        for start in range(0, len(comparison.suspects), AT_ONCE):
            self._look_again(comparison.suspects[start : start + AT_ONCE])
            self._beat()
        self._processor.sum_up(stores=self._repair is not None)
        found.seconds = time.monotonic() - began
        self._close()

    def _listed(self) -> Listed:
        """Every live record's key and modified moment, as the source lists them."""
        outline = outline_of(self._found.entity)
        processor = Processor(outline, validate=False)
        order = [outline.columns.index(column) for column in outline.key]
        moment = outline.columns.index(outline.modified) if outline.modified else None
        gone = next((i for i, c in enumerate(outline.columns) if c.name == "deleted_at"), None)
        listed = Listed(self._session.connection, self._found.entity)
        cursor: Cursor | None = None
        for page in self._client.outline(self._read, self._found.usage):
            cursor = page.cursor
            batch = processor.process(page.records)
            listed.add(
                ([str(row[i]) for i in order], None if moment is None else row[moment])
                for row in batch.rows
                if gone is None or row[gone] is None
            )
            self._beat()
        if not isinstance(self._client, Provable):
            return listed
        # A list may lie; what it left out is looked at like what it gave.
        read = replace(self._read, cursor=cursor)
        for page in self._client.overlooked(read, self._found.usage):
            keys = keys_of(processor, processor.process(page.records))
            listed.add((key, None) for key in keys)
            self._beat()
        return listed

    def _look_again(self, suspects: Sequence[Suspect]) -> None:
        """Note what differs still, and mend it."""
        seen = self._second_look.at(suspects)
        findings = dict(seen.findings)
        self._found.settled.update(s.kind for s in suspects if s.key not in findings)
        if self._repair is not None and (findings or seen.failures):
            mended = self._repair.mended(seen)
            findings = {k: replace(f, repaired=k in mended) for k, f in findings.items()}
        self._found.findings += findings.values()

    def _close(self) -> None:
        found = self._found
        left = len(found.left) + found.unchecked
        stored = self._repair.counts if self._repair is not None else Counts()
        deleted = self._repair.deleted if self._repair is not None else 0
        created, updated = stored.created, stored.updated + deleted
        compared = max(found.there + found.count("extra"), created + updated + left)
        counts = Counts(
            processed=compared,
            created=created,
            updated=updated,
            unchanged=compared - created - updated - left,
            failed=left,
            deleted=deleted,
        )
        through = found.verified_through
        metrics: dict[str, Any] = {
            **measures.common(counts, found.seconds, usage=found.usage),
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
                self._session.connection, found.sync_id, found.summary(), metrics, reason="data"
            )
            return
        with self._session.connection.transaction():
            history.close(
                self._session.connection,
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
            history.beat(self._session.connection, self._found.sync_id)


def _refuse_mass_deletion(entity: Entity, comparison: Comparison) -> None:
    extra, here = comparison.extra, comparison.here
    if extra > here * entity.vanish_limit:
        raise Refused(
            f"{entity}: {extra} of {here} live rows seem to be gone at the source, more than "
            f"{entity.vanish_limit:.0%} at once; nothing was repaired. If they are really "
            f"gone, run `crm-sync {entity.crm} {entity.sync_type} --full --force`"
        )
