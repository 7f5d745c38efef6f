"""Everything that happens to records of any CRM: written, archived, restored, merged, touched."""

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from crm_sync_assets.sandbox.clock import epoch_ms, iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.store import Record, Table, Version

Moment = datetime | str | int
T = TypeVar("T", bound=Table)

Listener = Callable[[Table, Record, Version | None, Version], None]
"""Hears of each write: the record, its version before (None: it is new) and the one written."""

DAY_MS = 24 * 3600 * 1000


class Records(ABC, Generic[T]):
    """Records of several kinds, as they are in truth. Safe to use from any thread; every id is
    text. A CRM says in `begin` what there is in the beginning.
    """

    def __init__(self, stage: Stage) -> None:
        self.clock = stage.clock
        self.common = stage.knobs
        self.seed = stage.seed
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self.reset()

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        with self.lock:
            self._rng = random.Random(f"{self.seed}/commits")
            self.tables: Mapping[str, T] = self.begin()

    @abstractmethod
    def begin(self) -> Mapping[str, T]:
        """The records of the beginning, by the name of their kind."""

    def table(self, type_name: str) -> T:
        """The records of a kind, by any of its names. LookupError when there is none."""
        if type_name not in self.tables:
            raise LookupError(f"no kind {type_name!r}, have {list(self.tables)}")
        return self.tables[type_name]

    def find(self, type_name: str, record_id: str) -> tuple[T, int]:
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

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """Every record of a kind that ever existed, as it finally is, whatever reads show yet.

        A record is {"id", "state", "merged_into", "archivedAt", "properties", "createdAt",
        "updatedAt"}. LookupError on anything else than a kind.
        """
        table = self.table(what)
        for number in range(table.next_number):
            with self.lock:
                record = self._true(table, number)
            yield record

    def _true(self, table: T, number: int) -> dict[str, Any]:
        state, version = table.state(number, None)
        archived_at = table.archived_at(number, version)
        into = version.merged_into if version else None
        return {
            "id": table.id_of(number),
            "state": state,
            "merged_into": table.id_of(into) if into is not None else None,
            "archivedAt": iso(archived_at) if archived_at is not None else None,
            "properties": table.values(number, version),
            "createdAt": iso(table.created(number)),
            "updatedAt": iso(table.modified(number, version)),
        }


class Life(Records[T]):
    """What happens to records.

    They live, are archived (recycle bin), purged (deleted for good) or merged away. Each write
    takes the sandbox clock as the record's modified date, one millisecond more when that would not
    be later than before. Operations raise LookupError on an unknown kind or id and ValueError on
    an unknown field or a state that forbids them.

    A CRM overrides the rules that are others there.
    """

    bin_days: int | None = None
    """Days after which the recycle bin is emptied, and nothing comes back."""

    # -- the CRM's own rules ---------------------------------------------------------------------

    def sample(self, table: T, count: int, rng: random.Random) -> dict[str, Any]:
        """Believable values for some writable fields, `count` at most: what others say there."""
        names = sorted(set(table.base.names()) - self.read_only(table))
        chosen = rng.sample(names, min(count, len(names)))
        return {name: table.base.reader(name)(rng.randrange(table.base.count)) for name in chosen}

    def read_only(self, table: T) -> frozenset[str]:
        """Fields that a random life leaves alone."""
        return table.kind.system

    def dates(self, act: str) -> bool:  # noqa: ARG002  for who knows more
        """Whether "archive" or "restore" sets the modified date."""
        return False

    def keeps_primary(self) -> bool:
        """Whether the primary of a merge keeps its id; otherwise the survivor is a new record."""
        return True

    def checked(self, table: T, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as they are stored. ValueError on a field that there is not, or not to write."""
        known = set(table.base.names()) - table.kind.system
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"{table.kind.name} has no writable fields {unknown}")
        return dict(values)

    def united(self, table: T, first: Record, second: Record, *, keep: bool) -> dict[str, Any]:  # noqa: ARG002
        """What the survivor of a merge says: the primary's values win, the other fills gaps."""
        losing = table.values(second.number, second.latest)
        values = table.values(first.number, first.latest)
        united = {n: v if v is not None else losing.get(n) for n, v in values.items()}
        return {n: v for n, v in united.items() if n not in table.kind.system}

    def let_go(self, table: T, gone: int, heir: int | None) -> None:
        """A record went away, merged into the heir where there is one: what hung on it follows."""

    # -- writing ---------------------------------------------------------------------------------

    def create(
        self, type: str, properties: Mapping[str, Any] | None = None, at: Moment | None = None
    ) -> str:
        """A new record; the id. `at` sets its dates (default: the clock)."""
        with self.lock:
            table = self.table(type)
            changes = self.checked(table, properties or {})
            record = table.add(self.clock.now_ms() if at is None else epoch_ms(at))
            self.write(table, record, Version("live", record.created, changes, 0, 0))
            return table.id_of(record.number)

    def edit(
        self, type: str, id: str, properties: Mapping[str, Any], at: Moment | None = None
    ) -> str:
        """Change fields of a live record; None clears. `at` forces the modified date."""
        with self.lock:
            table, record, latest = self.live(type, id)
            changes = {**latest.changes, **self.checked(table, properties)}
            modified = self.later(latest) if at is None else epoch_ms(at)
            self.write(table, record, replace(latest, changes=changes, modified=modified))
            return str(id)

    def archive(self, type: str, id: str) -> None:
        """Into the recycle bin."""
        with self.lock:
            table, record, latest = self.live(type, id)
            modified = self.later(latest) if self.dates("archive") else latest.modified
            at = self.clock.now_ms()
            gone = replace(latest, state="archived", archived_at=at, modified=modified)
            self.write(table, record, gone)

    def restore(self, type: str, id: str) -> None:
        """Out of the recycle bin. ValueError once it was in there for more than `bin_days`."""
        with self.lock:
            table, number = self.find(type, id)
            record = table.record(number)
            latest = record.latest
            if latest.state != "archived":
                raise ValueError(f"{table.kind.singular} {id} is {latest.state}, not archived")
            if self.is_emptied(latest.archived_at or 0):
                raise ValueError(
                    f"{table.kind.singular} {id} was archived over {self.bin_days} days ago"
                )
            modified = self.later(latest) if self.dates("restore") else latest.modified
            back = replace(latest, state="live", archived_at=None, modified=modified)
            self.write(table, record, back)

    def is_emptied(self, archived_at: int) -> bool:
        """Whether what was archived then (ms) has left the recycle bin."""
        days = self.bin_days
        return days is not None and self.clock.now_ms() - archived_at > days * DAY_MS

    def purge(self, type: str, id: str) -> None:
        """Delete for good, live or archived."""
        with self.lock:
            table, number = self.find(type, id)
            record = table.record(number)
            if record.latest.state not in ("live", "archived"):
                raise ValueError(f"{table.kind.singular} {id} is {record.latest.state}")
            self.let_go(table, number, None)
            self.write(table, record, replace(record.latest, state="purged", archived_at=None))

    def merge(self, type: str, primary: str, other: str) -> str:
        """Merge two live records; the survivor's id."""
        with self.lock:
            table, first, _ = self.live(type, primary)
            _, second, _ = self.live(type, other)
            if first.number == second.number:
                raise ValueError("a record cannot be merged with itself")
            keep, now = self.keeps_primary(), self.clock.now_ms()
            return table.id_of(self.join(table, first, second, now, keep=keep))

    def join(
        self, table: T, first: Record, second: Record, now: int, *, keep: bool, quiet: bool = False
    ) -> int:
        """Merge into the first record or, without `keep`, into a new one; its number."""
        changes = self.united(table, first, second, keep=keep)
        if keep:
            survivor, modified = first, self.later(first.latest)
        else:
            survivor = table.add(min(first.created, second.created))
            modified = max(now, first.latest.modified + 1, second.latest.modified + 1)
        for loser in [second] if keep else [first, second]:
            self.let_go(table, loser.number, survivor.number)
            gone = replace(loser.latest, state="merged", merged_into=survivor.number)
            self.write(table, loser, gone, quiet=quiet)
        self.write(table, survivor, Version("live", modified, changes, 0, 0), quiet=quiet)
        return survivor.number

    def bulk_touch(
        self,
        type: str,
        ids: Sequence[str] | None = None,
        count: int | None = None,
        timestamp: Moment | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Give many live records one exact modified date (default: the clock); their ids.

        The records are `ids`, or the first `count` live ones, or all.
        """
        with self.lock:
            table = self.table(type)
            stamp = self.clock.now_ms() if timestamp is None else epoch_ms(timestamp)
            chosen = list(ids) if ids is not None else self.ids(type)[:count]
            changes = self.checked(table, properties or {})
            for record_id in chosen:
                _, record, latest = self.live(type, record_id)
                merged = {**latest.changes, **changes}
                self.write(table, record, replace(latest, modified=stamp, changes=merged))
            return chosen

    def recalculate(self, type: str, ids: Sequence[str], properties: Mapping[str, Any]) -> None:
        """Change fields of records, of archived ones too, while the modified date stays."""
        with self.lock:
            table = self.table(type)
            changes = self.checked(table, properties)
            for record_id in ids:
                record = table.record(self.find(type, record_id)[1])
                merged = {**record.latest.changes, **changes}
                self.write(table, record, replace(record.latest, changes=merged))

    # -- what writing is made of -----------------------------------------------------------------

    def live(self, type_name: str, record_id: str) -> tuple[T, Record, Version]:
        """A live record to write to, with its latest version."""
        table, number = self.find(type_name, record_id)
        record = table.record(number)
        if record.latest.state != "live":
            raise ValueError(f"{table.kind.singular} {record_id} is {record.latest.state}")
        return table, record, record.latest

    def later(self, latest: Version) -> int:
        """The modified date of a write after that one; epoch ms."""
        return max(self.clock.now_ms(), latest.modified + 1)

    def write(self, table: T, record: Record, version: Version, *, quiet: bool = False) -> None:
        """Add a version, seen when the knobs let it; a `quiet` one is of the beginning."""
        now = self.clock.now_ms()
        delay = self._rng.uniform(0, self.common.commit_delay) if self.common.commit_delay else 0
        listed = 0 if quiet else now + round(delay * 1000)
        indexed = 0 if quiet else listed + round(self.common.index_lag * 1000)
        before = record.versions[-1] if record.versions else None
        record.write(replace(version, listed_at=listed, indexed_at=indexed), now)
        table.changes += 1
        for listener in [] if quiet else self.listeners:
            listener(table, record, before, version)
