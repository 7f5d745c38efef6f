"""The portal: its records, and everything that happens to one of them."""

import random
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms, iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.associations import Associations
from crm_sync_assets.sandbox.crms.hubspot.data import Base
from crm_sync_assets.sandbox.crms.hubspot.directory import Directory
from crm_sync_assets.sandbox.crms.hubspot.knobs import HubSpotKnobs
from crm_sync_assets.sandbox.crms.hubspot.properties import (
    SYSTEM,
    TYPES,
    object_type,
    properties,
)
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.people import END_MS
from crm_sync_assets.sandbox.store import Record, Version

Moment = datetime | str | int
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


RECYCLE_BIN_MS = 90 * 24 * 3600 * 1000


class Contents:
    """A HubSpot portal. Safe to use from any thread; every id is text.

    Records live, are archived (recycle bin), purged (deleted for good) or merged away. Each write
    takes the sandbox clock as the record's modified date, one millisecond more when that would not
    be later than before. Operations raise LookupError on an unknown type or id and ValueError on
    an unknown property or a state that forbids them.
    """

    def __init__(
        self, stage: Stage, knobs: HubSpotKnobs, contacts: int, counts: Mapping[str, int]
    ) -> None:
        self.clock = stage.clock
        self.common = stage.knobs
        self.knobs = knobs
        self.seed = stage.seed
        self.lock = threading.RLock()
        self._live = {
            name: counts.get(name, min(max(contacts * share // 100, low), high))
            for name, (share, low, high) in _SHARES.items()
        }
        self._live["contacts"] = counts.get("contacts", contacts)
        self.reset()

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        with self.lock:
            self._rng = random.Random(f"{self.seed}/commits")
            totals = {}
            for name, live in self._live.items():
                merges = _SEEDED_MERGES.get(name, 0) if live >= 50 else 0
                # Each merge takes two records and gives one.
                totals[name] = TYPES[name].enough_for(live + merges)
            self.tables = {
                name: Table(Base(self.seed, TYPES[name], total, totals["divisions"]))
                for name, total in totals.items()
            }
            self.associations = Associations(totals)
            self.directory = Directory(self.seed, self.clock, self.lock)
            for name, merges in _SEEDED_MERGES.items():
                for n in range(merges if self._live[name] >= 50 else 0):
                    self._merge(self.tables[name], 3 + n * 2, 4 + n * 2, END_MS + n, quiet=True)

    # -- reading ---------------------------------------------------------------------------------

    def table(self, type_name: str) -> Table:
        """The records of a type, by any of its names. LookupError when there is none."""
        kind = object_type(type_name)
        if kind is None:
            raise LookupError(f"no object type {type_name!r}")
        return self.tables[kind.name]

    def find(self, type_name: str, record_id: str) -> tuple[Table, int]:
        """The table and number of an id that exists or existed."""
        table = self.table(type_name)
        number = table.number_of(str(record_id))
        if number is None:
            raise LookupError(f"no {table.kind.singular} {record_id!r}")
        return table, number

    def ids(self, type_name: str, state: str = "live") -> list[str]:
        """All ids in that state, in truth, ascending."""
        with self.lock:
            table = self.table(type_name)
            numbers = range(table.next_number)
            return [table.id_of(n) for n in numbers if table.state(n, None)[0] == state]

    def get(self, type_name: str, record_id: str) -> dict[str, Any]:
        """One record in truth, in the shape of `truth`."""
        with self.lock:
            table, number = self.find(type_name, record_id)
            return self._true(table, number)

    def _true(self, table: Table, number: int) -> dict[str, Any]:
        state, version = table.state(number, None)
        record = table.records.get(number)
        archived_at = version.archived_at if version else None
        if version is None and state == "archived":
            archived_at = table.archived_at(number)
        into = version.merged_into if version else None
        return {
            "id": table.id_of(number),
            "state": state,
            "merged_into": table.id_of(into) if into is not None else None,
            "archivedAt": iso(archived_at) if archived_at is not None else None,
            "properties": table.values(number, version),
            "createdAt": iso(record.created if record else table.base.created(number)),
            "updatedAt": iso(version.modified if version else table.base.modified(number)),
        }

    # -- writing ---------------------------------------------------------------------------------

    def create(
        self,
        type: str,
        properties: Mapping[str, str | None] | None = None,
        at: Moment | None = None,
    ) -> str:
        """A new record; the id. `at` sets its dates (default: the clock)."""
        with self.lock:
            table = self.table(type)
            changes = self._checked(table, properties or {})
            now = self.clock.now_ms()
            record = table.add(now if at is None else epoch_ms(at))
            self._write(table, record, Version("live", record.created, changes, 0, 0))
            return table.id_of(record.number)

    def edit(
        self,
        type: str,
        id: str,
        properties: Mapping[str, str | None],
        at: Moment | None = None,
    ) -> str:
        """Change properties of a live record; None clears. `at` forces the modified date."""
        with self.lock:
            table, record, latest = self._live_record(type, id)
            changes = {**latest.changes, **self._checked(table, properties)}
            modified = self._later(latest) if at is None else epoch_ms(at)
            self._write(table, record, replace(latest, changes=changes, modified=modified))
            return str(id)

    def archive(self, type: str, id: str) -> None:
        """Into the recycle bin; the modified date stays."""
        with self.lock:
            table, record, latest = self._live_record(type, id)
            gone = replace(latest, state="archived", archived_at=self.clock.now_ms())
            self._write(table, record, gone)

    def restore(self, type: str, id: str) -> None:
        """Out of the recycle bin; the modified date moves only with `restore_bumps_modified`.

        ValueError once it was in there for more than 90 days, as HubSpot empties it then.
        """
        with self.lock:
            table, number = self.find(type, id)
            record = table.record(number)
            latest = record.latest
            if latest.state != "archived":
                raise ValueError(f"{table.kind.singular} {id} is {latest.state}, not archived")
            if self.clock.now_ms() - (latest.archived_at or 0) > RECYCLE_BIN_MS:
                raise ValueError(f"{table.kind.singular} {id} was archived over 90 days ago")
            bump = self.knobs.restore_bumps_modified
            modified = self._later(latest) if bump else latest.modified
            back = replace(latest, state="live", archived_at=None, modified=modified)
            self._write(table, record, back)

    def purge(self, type: str, id: str) -> None:
        """Delete for good, live or archived; what a GDPR delete does."""
        with self.lock:
            table, number = self.find(type, id)
            record = table.record(number)
            if record.latest.state not in ("live", "archived"):
                raise ValueError(f"{table.kind.singular} {id} is {record.latest.state}")
            for other, partner in list(self.associations.partners(table.kind.name, number)):
                self.associations.remove(table.kind.name, number, other, partner)
            self._write(table, record, replace(record.latest, state="purged", archived_at=None))

    gdpr_delete = purge

    def merge(self, type: str, primary: str, other: str) -> str:
        """Merge two live records; the survivor's id, new unless `preserve_primary_id`.

        The primary's values win, the other fills gaps; associations and former ids are united.
        """
        with self.lock:
            table, first, _ = self._live_record(type, primary)
            _, second, _ = self._live_record(type, other)
            if first.number == second.number:
                raise ValueError("a record cannot be merged with itself")
            survivor = self._merge(table, first.number, second.number, self.clock.now_ms())
            return table.id_of(survivor)

    def _merge(self, table: Table, a: int, b: int, now: int, quiet: bool = False) -> int:
        first, second = table.record(a), table.record(b)
        values = table.values(a, first.latest)
        losing = table.values(b, second.latest)
        keep = self.knobs.preserve_primary_id and not quiet
        former = [
            *(values.get("hs_merged_object_ids") or "").split(";"),
            *(losing.get("hs_merged_object_ids") or "").split(";"),
            *([] if keep else [table.id_of(a)]),
            table.id_of(b),
        ]
        united = {n: v if v is not None else losing.get(n) for n, v in values.items()}
        changes = {n: v for n, v in united.items() if n not in SYSTEM}
        changes["hs_merged_object_ids"] = ";".join(dict.fromkeys(f for f in former if f))
        if keep:
            survivor = first
            modified = self._later(first.latest)
        else:
            survivor = table.add(min(first.created, second.created))
            modified = max(now, first.latest.modified + 1, second.latest.modified + 1)
        kind = table.kind.name
        losers = [second] if keep else [first, second]
        for loser in losers:
            for other, partner in list(self.associations.partners(kind, loser.number)):
                self.associations.remove(kind, loser.number, other, partner)
                if (other, partner) != (kind, survivor.number):
                    self.associations.add(kind, survivor.number, other, partner)
            gone = replace(loser.latest, state="merged", merged_into=survivor.number)
            self._write(table, loser, gone, quiet)
        self._write(table, survivor, Version("live", modified, changes, 0, 0), quiet)
        return survivor.number

    def associate(self, a_type: str, a_id: str, b_type: str, b_id: str) -> None:
        """Make a pair; neither record's modified date moves."""
        with self.lock:
            (left, a), (right, b) = self.find(a_type, a_id), self.find(b_type, b_id)
            self.associations.add(left.kind.name, a, right.kind.name, b)

    def dissociate(self, a_type: str, a_id: str, b_type: str, b_id: str) -> bool:
        """Undo a pair; False when there was none."""
        with self.lock:
            (left, a), (right, b) = self.find(a_type, a_id), self.find(b_type, b_id)
            return self.associations.remove(left.kind.name, a, right.kind.name, b)

    def associated(self, a_type: str, a_id: str, b_type: str) -> list[str]:
        """The ids of type b that belong to one record; both sides live, in truth; ascending."""
        with self.lock:
            (left, a), right = self.find(a_type, a_id), self.table(b_type)
            if left.state(a, None)[0] != "live":
                return []
            numbers = self.associations.of(left.kind.name, a, right.kind.name)
            return [right.id_of(b) for b in numbers if right.state(b, None)[0] == "live"]

    def _live_record(self, type_name: str, record_id: str) -> tuple[Table, Record, Version]:
        table, number = self.find(type_name, record_id)
        record = table.record(number)
        if record.latest.state != "live":
            raise ValueError(f"{table.kind.singular} {record_id} is {record.latest.state}")
        return table, record, record.latest

    def _checked(self, table: Table, values: Mapping[str, str | None]) -> dict[str, str | None]:
        known = properties(table.kind.name)
        if unknown := [name for name in values if name not in known or name in SYSTEM]:
            raise ValueError(f"{table.kind.name} has no writable properties {unknown}")
        return {name: None if value is None else str(value) for name, value in values.items()}

    def _later(self, latest: Version) -> int:
        return max(self.clock.now_ms(), latest.modified + 1)

    def _write(self, table: Table, record: Record, version: Version, quiet: bool = False) -> None:
        now = self.clock.now_ms()
        delay = self._rng.uniform(0, self.common.commit_delay) if self.common.commit_delay else 0
        listed = 0 if quiet else now + round(delay * 1000)
        indexed = 0 if quiet else listed + round(self.common.index_lag * 1000)
        record.write(replace(version, listed_at=listed, indexed_at=indexed), now)
        table.changes += 1
