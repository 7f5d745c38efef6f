"""What happens to Pipedrive's records: archived, deleted for thirty days, merged, converted."""

import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.pipedrive.directory import Directory
from crm_sync_assets.sandbox.crms.pipedrive.knobs import PipedriveKnobs
from crm_sync_assets.sandbox.crms.pipedrive.values import FIELDS, KINDS, seconds, unique_of
from crm_sync_assets.sandbox.life import Life, Moment
from crm_sync_assets.sandbox.mover import Dice, Mover
from crm_sync_assets.sandbox.people import pools
from crm_sync_assets.sandbox.seeded import Base, Block, blocks_of
from crm_sync_assets.sandbox.store import Table, Version

ARCHIVABLE = ("deals", "leads")
SHARES = {"deals": 1.0, "persons": 1.0, "organizations": 0.5, "activities": 1.0, "products": 0.3,
          "leads": 0.7, "notes": 0.7}  # fmt: skip


class World(Life[Table]):
    """In terms of `Life` a deleted record is archived: in the bin, for thirty days.

    What Pipedrive calls archived is a field of deals and leads: `shelve` and `unshelve`.
    """

    bin_days = 30

    def __init__(
        self, stage: Stage, knobs: PipedriveKnobs, deals: int, archived_every: int
    ) -> None:
        self._knobs = knobs
        self._deals = deals
        self._archived_every = archived_every
        super().__init__(stage)

    def begin(self) -> dict[str, Table]:
        self.directory = Directory()
        self.hidden: set[tuple[str, str]] = set()
        self.cursors = 0
        return {name: self._table(name) for name in KINDS}

    def _table(self, name: str) -> Table:
        kind, blocks = KINDS[name], _blocks(self.seed, name)
        count = kind.enough_for(max(3, round(self._deals * SHARES[name])))
        return Table(Base(self.seed, kind, count, unique_of(name, self._archived_every), blocks))

    def dates(self, act: str) -> bool:  # noqa: ARG002  of what is deleted it is the delete time
        return True

    def read_only(self, table: Table) -> frozenset[str]:
        return table.kind.system | {"is_archived", "archive_time", "source_deal_id"}

    def create(
        self, type: str, properties: Mapping[str, Any] | None = None, at: Moment | None = None
    ) -> str:
        more: dict[str, Any] = {"is_archived": False} if type in ARCHIVABLE else {}
        more |= {"status": "open"} if type == "deals" else {}
        return super().create(type, {**more, **(properties or {})}, at)

    def shelve(self, type: str, id: str) -> None:
        """Archive a deal or a lead, as Pipedrive calls it."""
        self._shelved(type, id, {"is_archived": True, "archive_time": seconds(self.clock.now_ms())})

    def unshelve(self, type: str, id: str) -> None:
        """The reverse."""
        self._shelved(type, id, {"is_archived": False, "archive_time": None})

    def _shelved(self, type: str, id: str, changes: Mapping[str, Any]) -> None:
        with self.lock:
            self.live(type, id)
            if self._knobs.pipedrive_archive_is_change:
                self.edit(type, id, changes)
            else:
                self.recalculate(type, [id], changes)

    def merge(self, type: str, primary: str, other: str) -> str:
        """The other one is deleted; nothing says into what it was merged."""
        with self.lock:
            table, first, _ = self.live(type, primary)
            _, second, _ = self.live(type, other)
            if first.number == second.number:
                raise ValueError("a record cannot be merged with itself")
            united = self.united(table, first, second, keep=True)
            fixed = self.read_only(table)
            self.edit(type, primary, {n: v for n, v in united.items() if n not in fixed})
            self.archive(type, other)
            return str(primary)

    def convert(self, lead: str) -> str:
        """A lead becomes a deal, and is no lead any more; the deal's id."""
        with self.lock:
            values = self.get("leads", lead)["properties"]
            self.live("leads", lead)
            deal = self.create(
                "deals", {"title": values["title"], "person_id": values["person_id"]}
            )
            self.purge("leads", lead)
            return deal

    def hide(self, type: str, id: str) -> None:
        """From the token's user."""
        self.hidden.add((type, str(id)))

    def show(self, type: str, id: str) -> None:
        """To the token's user."""
        self.hidden.discard((type, str(id)))

    def expire_cursors(self) -> None:
        """No cursor leads on any more."""
        self.cursors += 1

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes."""
        return CompanyMover.life(self, n, seed, list(KINDS))

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The final state of a kind, or what the directory has of that name."""
        if what in self.directory.tables:
            return iter([{"state": "live", **row} for row in self.directory.tables[what]])
        return super().truth(what)

    def wire(self, table: Table, number: int, version: Version | None) -> dict[str, Any]:
        """The record as v2 shows it, or v1 for leads and notes."""
        state = "live" if version is None else version.state
        if version is None and table.base.archived(number):
            state = "archived"
        values = table.values(number, version)
        name, is_deleted = table.kind.name, state == "archived"
        if name == "leads":
            # What a lead has of the deals' custom fields stands beside its own.
            custom = values.pop("custom_fields") or {}
            values.pop("archive_time")
            return {**values, **{key: v for key, v in custom.items() if v is not None}}
        row = {**values, "id": int(values["id"])}
        if name == "notes":
            return {**row, "active_flag": not is_deleted}
        if name == "deals" and is_deleted:
            row["status"] = "deleted"
        return {**row, "is_deleted": is_deleted}


TOLD = ("deals", "notes")
"""Kinds of which a list tells what was deleted; of the others it is purged, as far as one sees."""


class CompanyMover(Mover):
    """What people do in a company: archive, delete, merge, convert."""

    world: World
    busy: ClassVar = {"deals": 8, "persons": 4, "activities": 4, "leads": 4}
    mergeable: ClassVar = ("deals", "persons", "organizations")

    def dice(self) -> Dice:
        return [
            (self.edit, 40), (self.create, 15), (self.clear, 8), (self.archive, 6),
            (self.restore, 4), (self.merge, 4), (self.purge, 3), (self.shelve, 8),
            (self.unshelve, 6), (self.convert, 3),
        ]  # fmt: skip

    def purge(self) -> str:
        """Leads alone are deleted at once and for good."""
        if (one := self.pick("leads")) is None:
            return ""
        self.world.purge("leads", one)
        return f"purge leads {one}"

    def archive(self) -> str:
        kind = self.kind()
        if kind == "leads" or (one := self.pick(kind)) is None:
            return ""
        self.world.archive(kind, one)
        return f"{'delete' if kind in TOLD else 'purge'} {kind} {one}"

    def merge(self) -> str:
        """The loser is deleted."""
        kind = self.rng.choice(self.mergeable)
        a, b = self.pick(kind), self.pick(kind)
        if a is None or b is None or a == b:
            return ""
        self.world.merge(kind, a, b)
        return f"{'delete' if kind in TOLD else 'purge'} {kind} {b} merged into {a}"

    def shelve(self) -> str:
        """Archived, as Pipedrive calls it."""
        return self._shelved("shelve", False)

    def unshelve(self) -> str:
        """And back."""
        return self._shelved("unshelve", True)

    def _shelved(self, act: str, is_archived: bool) -> str:
        kind = self.rng.choice(ARCHIVABLE)
        for _ in range(20):
            one = self.pick(kind)
            if one and bool(self.world.get(kind, one)["properties"]["is_archived"]) == is_archived:
                getattr(self.world, act)(kind, one)
                return f"{act} {kind} {one}"
        return ""

    def convert(self) -> str:
        """A lead less, a deal more."""
        if (one := self.pick("leads")) is None:
            return ""
        return f"purge leads {one} converted into {self.world.convert(one)}"


def day_of(milliseconds: int) -> str:
    """2026-11-20"""
    return iso(milliseconds)[:10]


@lru_cache(maxsize=64)
def _blocks(seed: int, name: str) -> tuple[Block, ...]:
    """What records of a kind say in the beginning."""
    rng, p = random.Random(f"{seed}/{name}/values"), pools(seed)
    return blocks_of(list(FIELDS[name]), lambda field: FIELDS[name][field](rng, p))
