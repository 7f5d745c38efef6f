"""What a verification found, and how that reads in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.warehouse import history

Kind = Literal["missing", "stale", "extra"]
KINDS: tuple[Kind, ...] = ("missing", "stale", "extra")
SIDES: Mapping[Kind, str] = {"extra": "here only", "missing": "there only", "stale": "both"}
"""Where the record of a finding is live."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that differs. `stored` and `sent` are the modified moments here and there.

    `dated` says that the difference is older than the watermark, so that a sync missed it. Of
    the others the source does not say since when: they may have come about after the last sync.
    """

    kind: Kind
    key: Key
    dated: bool
    repaired: bool = False
    stored: datetime | None = None
    sent: datetime | None = None


@dataclass(slots=True)
class Verification:
    """What a verification found. `there` and `here` count live records.

    `through` is the moment up to which was compared; `verified_through` is the same, or None when
    it is not proven. `unchecked` counts suspects beyond MOST_FINDINGS. By the kind of finding they
    would have been: `newer` counts what was left out because it changed after `through`,
    `settled` what no longer differed when asked for by key, `explained` what is in quarantine.
    """

    entity: Entity
    through: datetime
    sync_id: int
    there: int = 0
    here: int = 0
    newer: Counter[Kind] = field(default_factory=Counter)
    settled: Counter[Kind] = field(default_factory=Counter)
    explained: Counter[Kind] = field(default_factory=Counter)
    unchecked: int = 0
    findings: list[Difference] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    def count(self, kind: Kind) -> int:
        return sum(finding.kind == kind for finding in self.findings)

    @property
    def quarantined(self) -> int:
        return self.explained.total()

    @property
    def repaired(self) -> int:
        return sum(finding.repaired for finding in self.findings)

    @property
    def left(self) -> list[Difference]:
        """What differs still."""
        return [finding for finding in self.findings if not finding.repaired]

    @property
    def verified_through(self) -> datetime | None:
        proven = not self.unchecked and not any(finding.dated for finding in self.left)
        return self.through if proven else None

    @property
    def status(self) -> history.Status:
        """`partial` when all that is left may have changed since the last sync."""
        if self.verified_through is None:
            return "failed"
        return "partial" if self.left else "success"

    def summary(self) -> str:
        """What was found, in one line; why the numbers of there and here are not the same."""
        counts = [f"{n} {kind}" for kind in KINDS if (n := self.count(kind))]
        text = f"{self.there} records there, {self.here} here; "
        text += ", ".join(counts) if counts else "nothing differs"
        if self.repaired:
            text += f"; {self.repaired} repaired"
        undated = sum(not finding.dated for finding in self.left)
        if undated:
            text += f"; {undated} may have changed since the last sync"
        if self.unchecked:
            text += f"; {self.unchecked} more were not looked at one by one: run it with --full"
        if self.quarantined:
            text += f"; {_sided(self.explained)} differ because they are in quarantine"
        if self.settled:
            text += f"; {_sided(self.settled)} differed no more when asked for one by one"
        if self.newer:
            text += (
                f"; {_sided(self.newer)} changed after {self.through:%Y-%m-%d %H:%M:%S} UTC, up "
                "to which the last complete sync speaks, and were left out"
            )
        return text


def _sided(counts: Counter[Kind]) -> str:
    """How many, and how many of them are live on one side only."""
    sides = [f"{counts[kind]} {side}" for kind, side in SIDES.items() if counts[kind]]
    return f"{counts.total()} ({', '.join(sides)})"
