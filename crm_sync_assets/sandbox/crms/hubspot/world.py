"""The portal: its records, who belongs to whom, owners and pipelines, and the truth about them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.associations import Associations
from crm_sync_assets.sandbox.crms.hubspot.catalogue import CALCULATED
from crm_sync_assets.sandbox.crms.hubspot.data import Base
from crm_sync_assets.sandbox.crms.hubspot.directory import Directory
from crm_sync_assets.sandbox.crms.hubspot.knobs import HubSpotKnobs
from crm_sync_assets.sandbox.crms.hubspot.mover import PortalMover
from crm_sync_assets.sandbox.crms.hubspot.properties import (
    READ_ONLY,
    SYSTEM,
    TYPES,
    properties,
)
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.crms.hubspot.related import Related
from crm_sync_assets.sandbox.crms.hubspot.values import sample
from crm_sync_assets.sandbox.people import END_MS, pools
from crm_sync_assets.sandbox.store import Record

# How many of the others come with so many contacts (percent), at least, at most.
_SHARES = {
    "contacts": (100, 0, 10**9),
    "companies": (10, 5, 10**9),
    "deals": (30, 5, 10**9),
    "tickets": (5, 5, 10**9),
    "products": (4, 8, 60),
    "line_items": (60, 10, 10**9),
    "appointments": (60, 5, 10**9),
    "calls": (50, 5, 10**9),
    "emails": (40, 5, 10**9),
    "meetings": (20, 5, 10**9),
    "notes": (40, 5, 10**9),
    "tasks": (30, 5, 10**9),
    "divisions": (12, 12, 12),
    "genius_users": (8, 20, 400),
}
_SEEDED_MERGES = {"contacts": 3, "companies": 1}


class World(Related):
    """A HubSpot portal. Archiving leaves the modified date; restoring and merging are as the knobs
    say."""

    bin_days = 90

    def __init__(
        self, stage: Stage, knobs: HubSpotKnobs, contacts: int, counts: Mapping[str, int]
    ) -> None:
        self.knobs = knobs
        self._live = {
            name: counts.get(name, min(max(contacts * share // 100, low), high))
            for name, (share, low, high) in _SHARES.items()
        }
        self._live["contacts"] = counts.get("contacts", contacts)
        super().__init__(stage)

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        with self.lock:
            super().reset()
            for name in _SEEDED_MERGES:
                table = self.tables[name]
                for n in range(self._seeded_merges(name)):
                    first, second = table.record(3 + n * 2), table.record(4 + n * 2)
                    self.join(table, first, second, END_MS + n, keep=False, quiet=True)

    def begin(self) -> dict[str, Table]:
        """The records, associations, owners and pipelines of the beginning."""
        totals = {
            # Each merge takes two records and gives one.
            name: TYPES[name].enough_for(live + self._seeded_merges(name))
            for name, live in self._live.items()
        }
        self.associations = Associations(totals)
        self.directory = Directory(self.seed, self.clock, self.lock)
        return {
            name: Table(Base(self.seed, TYPES[name], total, totals["divisions"]))
            for name, total in totals.items()
        }

    def _seeded_merges(self, name: str) -> int:
        return _SEEDED_MERGES.get(name, 0) if self._live[name] >= 50 else 0

    # -- HubSpot's rules -------------------------------------------------------------------------

    def dates(self, act: str) -> bool:
        """Restoring does so where the knob says it."""
        return act == "restore" and self.knobs.restore_bumps_modified

    def keeps_primary(self) -> bool:
        """As the knob says."""
        return self.knobs.preserve_primary_id

    def checked(self, table: Table, values: Mapping[str, Any]) -> dict[str, str | None]:
        """Every value is text on the wire."""
        known = properties(table.kind.name)
        if unknown := [name for name in values if name not in known or name in SYSTEM]:
            raise ValueError(f"{table.kind.name} has no writable properties {unknown}")
        return {name: None if value is None else str(value) for name, value in values.items()}

    def united(self, table: Table, first: Record, second: Record, *, keep: bool) -> dict[str, Any]:
        """The survivor knows the former ids of both."""
        found = super().united(table, first, second, keep=keep)
        both = [table.values(one.number, one.latest) for one in (first, second)]
        former = [
            *(i for one in both for i in (one.get("hs_merged_object_ids") or "").split(";")),
            *([] if keep else [table.id_of(first.number)]),
            table.id_of(second.number),
        ]
        found["hs_merged_object_ids"] = ";".join(dict.fromkeys(f for f in former if f))
        return {name: value for name, value in found.items() if name not in SYSTEM}

    def sample(self, table: Table, count: int, rng: random.Random) -> dict[str, str | None]:
        """Values of so many properties that can be written."""
        kind, p = table.kind.name, pools(self.seed)
        names = [n for n in properties(kind) if n not in READ_ONLY]
        chosen = rng.sample(names, min(count, len(names)))
        return {name: sample(kind, name, rng, p) for name in chosen}

    def read_only(self, table: Table) -> frozenset[str]:  # noqa: ARG002  the same for all
        """What HubSpot writes itself."""
        return READ_ONLY

    def recalculate(self, type: str, ids: Sequence[str], properties: Mapping[str, Any]) -> None:
        """Give calculated properties of records, of archived ones too, what a change elsewhere
        makes of them, such as an edit of their parent; the modified date stays."""
        if own := [name for name in properties if name not in CALCULATED]:
            raise ValueError(f"{own} of {self.table(type).kind.name} are not calculated")
        super().recalculate(type, ids, properties)

    def gdpr_delete(self, type: str, id: str) -> None:
        """Delete for good."""
        self.purge(type, id)

    def move(self, n: int = 1, seed: int = 0, types: Sequence[str] | None = None) -> list[str]:
        """`n` random believable mutations over all object types; what they were, one line each."""
        return PortalMover.life(self, n, seed, list(types or TYPES))

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """Every record that ever existed, as it finally is, whatever lists and search show yet.

        `what` is an object type, "owners", "pipelines", "pipeline_stages" or
        "associations/{a}/{b}"; a pair is {"from", "to"} of ids, both live.
        LookupError on anything else.
        """
        head, _, rest = what.partition("/")
        if head == "associations":
            a, _, b = rest.partition("/")
            yield from self.true_pairs(self.table(a).kind, self.table(b).kind)
        elif rows := self.directory.truth(what):
            yield from rows
        else:
            yield from super().truth(what)
