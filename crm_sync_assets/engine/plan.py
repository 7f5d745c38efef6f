"""What one sync will do: decided when it begins, and not changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine import resume
from crm_sync_assets.engine.meaning import Meaning
from crm_sync_assets.engine.request import Request
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint, Past


@dataclass(frozen=True, slots=True)
class Plan:
    """The request, what history and the source's meaning make of it, and where to go on.

    `page_size` is in records. `terms` are what a checkpoint of this sync is made under,
    `checkpoint` is the one it follows.
    """

    request: Request
    strategy: Strategy
    past: Past
    meaning: Meaning
    page_size: int
    terms: str
    checkpoint: Checkpoint | None

    @classmethod
    def of(
        cls, request: Request, strategy: Strategy, past: Past, meaning: Meaning, *, now: datetime
    ) -> Plan:
        entity, settings = request.entity, request.settings
        terms = resume.terms(entity, strategy, request.flags, settings, meaning.values)
        checkpoint = (
            None
            if request.is_trial or meaning.refusal is not None
            else resume.checkpoint_to_follow(entity, past, terms, settings, now=now)
        )
        return cls(request, strategy, past, meaning, request.page_size(), terms, checkpoint)

    @property
    def entity(self) -> Entity:
        return self.request.entity

    @property
    def stored(self) -> Entity:
        """The entity whose table is written."""
        return self.request.stored

    @property
    def flags(self) -> Flags:
        return self.request.flags

    @property
    def dry(self) -> bool:
        return self.flags.dry_run

    @property
    def resumed(self) -> bool:
        return self.checkpoint is not None

    @property
    def carried(self) -> Counts:
        """Counts of the attempts before: a resumed sync speaks for all of them."""
        return self.checkpoint.counts if self.checkpoint else Counts()

    @property
    def overwrites(self) -> bool:
        """Whether what is read may replace what is newer here.

        Of a row that is put together of several records only a read to the end has the newest:
        one of a part of them would bring back what they have overtaken.
        """
        is_whole = not (self.strategy.until or self.strategy.filtered or self.flags.max_records)
        return self.strategy.overwrite and (is_whole or not self.entity.parts)

    @property
    def replaces(self) -> bool:
        """Whether rows gather in the shadow. A dry run compares with the table directly.

        A removal has no rows: there is nothing to put in the place of what it marks. Rows that are
        put together of several records gather there whenever newer ones are overwritten, and when
        that is tried: else the records of one row would overwrite one another. What is stored at
        once gathers there whenever all of it is read.
        """
        if self.entity.parts:
            return self.overwrites
        if self.entity.at_once and self.reads_everything:
            return not self.dry
        return self.strategy.replaces and not self.dry and not self.entity.tombstones_of

    @property
    def reads_everything(self) -> bool:
        """Whether it asks, from the first page to the last, for all that the source has."""
        return (
            self.strategy.reads_everything
            and not self.flags.max_records
            and not self.entity.tombstones_of
        )

    @property
    def still_needed(self) -> set[int]:
        """First attempts of interrupted syncs that a trial leaves to the next one to resume."""
        interrupted = self.past.checkpoint if self.request.is_trial else None
        return {interrupted.first_attempt} if interrupted else set()

    @property
    def declaration_changed(self) -> bool:
        before = self.past.fingerprint
        incremental = self.strategy.name == "incremental"
        return incremental and before is not None and before != self.entity.fingerprint

    def configuration(self) -> dict[str, Any]:
        """What SyncHistory keeps of it."""
        strategy, checkpoint = self.strategy, self.checkpoint
        return {
            **self.flags.given(),
            "strategy": strategy.name,
            "since": strategy.since.isoformat() if strategy.since else None,
            "until": strategy.until.isoformat() if strategy.until else None,
            **({"because": strategy.because} if strategy.because else {}),
            "page_size": self.page_size,
            "fingerprint": self.entity.fingerprint,
            "lock": history.resource(self.entity),
            # Versions that know no kind tell by this what they may resume; one that was refused
            # leaves the checkpoint of an interrupted one to the next.
            "trial": self.request.is_trial or self.meaning.refusal is not None,
            **self.meaning.as_configuration(),
            "resumes": checkpoint.first_attempt if checkpoint else None,
        }
