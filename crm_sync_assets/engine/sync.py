"""One sync of one entity in progress: what it was asked, what it holds, how far it is.

Nothing happens here: `run` reads and stores, `batches` has one batch, `ending` the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.declarations.contract import Client, Cursor, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine.batch import Inlet
from crm_sync_assets.engine.completeness import Seen
from crm_sync_assets.engine.fetch import Prefetch
from crm_sync_assets.engine.heartbeat import Heartbeat
from crm_sync_assets.engine.measures import Timing, metrics
from crm_sync_assets.engine.plan import Plan
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import SyncError
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.attempts import SeenKeys, Shadow
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.loading import FUTURE, Table
from crm_sync_assets.warehouse.vault import Vault

Progress = Callable[["Sync"], None]
"""Called after every batch and while waiting; must be quick and must not raise."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A reading that was begun: what was asked for, its pages, and the sign of life meanwhile."""

    read: Read
    pages: Prefetch
    heartbeat: Heartbeat


class Sync:
    """A sync in progress. Holds one database session, and with it the entity's lock."""

    def __init__(self, plan: Plan, client: Client, session: Session, vault: Vault | None) -> None:
        """Opens the row in SyncHistory, inside the caller's transaction."""
        self.plan = plan
        self.client = client
        self.session = session
        self.vault = vault
        self.sync_id = history.insert(
            session.connection,
            plan.entity,
            kind=plan.request.kind,
            run_id=plan.request.run_id,
            configuration=plan.configuration(),
            endpoint=str(plan.entity.source)[:200],
            checkpoint=plan.checkpoint,
        )
        self._hold_parts()
        self._begin_counting()

    def _hold_parts(self) -> None:
        """What records pass through on their way, and what remembers which did."""
        plan, flags = self.plan, self.plan.flags
        first_attempt = plan.checkpoint.first_attempt if plan.checkpoint else self.sync_id
        self.keys = SeenKeys(first_attempt)
        self.shadow = Shadow(first_attempt, plan.stored)
        self.processor = Processor(
            plan.entity,
            validate=not flags.skip_validation,
            strict=plan.request.settings.mode == "strict",
            record_url=self.url_of,
            log_each=flags.debug,
        )
        self.table = Table(
            plan.stored,
            overwrite=plan.overwrites,
            keep_issues=flags.skip_validation,
            vault=self.vault,
        )
        self.inlet = Inlet(
            plan.entity,
            self.table,
            self.vault,
            self.sync_id,
            target=self.shadow.identifier if plan.replaces else None,
            rehearses=plan.dry,
            counted=self.keys if plan.entity.parts else None,
        )

    def _begin_counting(self) -> None:
        """How far it is; a resumed sync goes on from what its attempts before have done."""
        checkpoint = self.plan.checkpoint
        self.status: history.Status = "running"
        self.contact: Contact | None = None
        """Where its pages come from; None before the source is asked."""
        self.counts = self.plan.carried
        self.usage = Usage()
        self.timing = Timing()
        self.total: int | None = None
        """How many records the source announced; None while, or if, it does not say."""
        self.cursor: Cursor | None = checkpoint.cursor if checkpoint else None
        self.state: Mapping[str, Any] = {}
        self.memory: Mapping[str, Any] = self.plan.past.memory
        self.labels: Mapping[str, str] = {}
        """What the source calls its fields, by column, where it says."""
        self.watermark: datetime | None = None
        self.began = datetime.now(UTC)
        self.started_at_source = checkpoint.started if checkpoint else None
        """When its first attempt began, by the source's clock; None until that is known."""
        self.tracks_keys = checkpoint.tracks_keys if checkpoint else False
        """Whether the keys read are written down, to see at the end what was not among them."""
        self.had_rows = False
        self.has_quarantine = False
        self.source_unchanged = False
        self.incomplete: SyncError | None = None
        """Why a part of the source could not be read, where the rest is stored all the same."""
        self.has_stored = False
        """Whether this attempt stored a batch."""
        self.has_swapped = False
        """Whether what was gathered beside the table is in it."""
        self.list_url: str | None = None
        """Where a person sees the entity's records in the CRM; None until its source answers."""

    # What who watches a sync asks

    @property
    def entity(self) -> Entity:
        return self.plan.entity

    @property
    def flags(self) -> Flags:
        return self.plan.flags

    @property
    def strategy(self) -> Strategy:
        return self.plan.strategy

    @property
    def resumed(self) -> bool:
        return self.plan.resumed

    @property
    def connection(self) -> Connection:
        """The session's, whichever it is by now."""
        return self.session.connection

    def url_of(self, key: Key) -> str | None:
        return self.client.record_url(self.entity, key)

    def metrics(self, counts: Counts) -> dict[str, Any]:
        return metrics(counts, carried=self.plan.carried, usage=self.usage, timing=self.timing)

    def told(self, counts: Counts) -> Counts:
        """These as the row in SyncHistory may say them: of what gathers beside the table nobody
        knows yet what it will change there; only rows marked as deleted are changed already."""
        if not self.plan.replaces or self.has_swapped:
            return counts
        return replace(counts, created=0, updated=counts.deleted, unchanged=0)

    # What it has read

    @property
    def has_everything(self) -> bool:
        """Whether the records read are, by the end, all that the source has."""
        return self.plan.reads_everything and not self.source_unchanged

    @property
    def proves_absence(self) -> bool:
        """Whether a row not read by the end is gone at the source."""
        knows_what_was_read = self.plan.replaces or self.tracks_keys
        return self.has_everything and self.entity.absent == "deleted" and knows_what_was_read

    @property
    def seen(self) -> Seen:
        """What was read. Where keys are not kept, it is what is stored by now."""
        if self.plan.replaces:
            return Seen(self.keys, self.shadow.identifier)
        return Seen(self.keys, None if self.tracks_keys else self.table.target)

    def note_source_clock(self) -> None:
        """Remember when this sync began by the source's clock, as soon as an answer tells it."""
        if self.started_at_source is None:
            now = self.client.source_time()
            passed = datetime.now(UTC) - self.began
            self.started_at_source = self.began if now is None else now - passed
        self.table.future = self.started_at_source + FUTURE
