"""What was written since the beginning: records with their versions, and who sees which."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from crm_sync_assets.sandbox.people import END_MS
from crm_sync_assets.sandbox.seeded import Base

State = Literal["live", "archived", "purged", "merged"]


@dataclass(frozen=True, slots=True)
class Version:
    """A record as of one write. Times are epoch ms; `changes` are the fields that differ."""

    state: State
    modified: int
    changes: Mapping[str, Any]
    listed_at: int
    indexed_at: int
    archived_at: int | None = None
    merged_into: int | None = None


@dataclass(slots=True)
class Record:
    """A record that was written to; the oldest version may be gone when nobody can see it."""

    number: int
    created: int
    versions: list[Version] = field(default_factory=list)

    @property
    def latest(self) -> Version:
        """The truth."""
        return self.versions[-1]

    def listed(self, now: int) -> Version | None:
        """What lists and single reads see."""
        return next((v for v in reversed(self.versions) if v.listed_at <= now), None)

    def indexed(self, now: int) -> Version | None:
        """What search sees."""
        return next((v for v in reversed(self.versions) if v.indexed_at <= now), None)

    def write(self, version: Version, now: int) -> None:
        """Add a version; drop those that neither lists nor search will look back to."""
        seen = next((i for i, v in enumerate(self.versions) if v.indexed_at > now), None)
        keep = len(self.versions) - 1 if seen is None else seen - 1
        self.versions = [*self.versions[max(0, keep) :], version]


class Table:
    """All records of one kind: the base and, over it, the written ones."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.kind = base.kind
        self.next_number = base.count
        self.records: dict[int, Record] = {}
        self.written: list[int] = []
        self.changes = 0

    def record(self, number: int) -> Record:
        """The record to write to, made from the base when untouched. KeyError: no such number."""
        record = self.records.get(number)
        if record is None:
            if not 0 <= number < self.base.count:
                raise KeyError(number)
            archived = self.base.archived(number)
            first = Version(
                "archived" if archived else "live",
                self.base.modified(number),
                {},
                listed_at=0,
                indexed_at=0,
                archived_at=self.archived_at(number, None),
            )
            record = Record(number, self.base.created(number), [first])
            self.records[number] = record
            insort(self.written, number)
        return record

    def add(self, created: int) -> Record:
        """A new record without versions."""
        record = Record(self.next_number, created)
        self.next_number += 1
        self.records[record.number] = record
        self.written.append(record.number)
        return record

    def archived_at(self, number: int, version: Version | None) -> int | None:
        """When a record was archived as of a version, None where it is not; epoch ms."""
        if version is not None:
            return version.archived_at
        if not self.base.archived(number):
            return None
        return min(END_MS, self.base.modified(number) + 60_000)

    def number_of(self, record_id: str) -> int | None:
        """The number of an id that exists or existed."""
        found = self.kind.read_id(record_id)
        if found is None:
            return None
        number = self.base.number_from(found)
        known = number < self.next_number and self.base.id_of(number) == found
        return number if known else None

    def created(self, number: int) -> int:
        """When a record was created, epoch ms."""
        record = self.records.get(number)
        return record.created if record else self.base.created(number)

    def modified(self, number: int, version: Version | None) -> int:
        """When it was last modified as of a version; None means untouched."""
        return version.modified if version else self.base.modified(number)

    def id_of(self, number: int) -> str:
        """The id of a number."""
        return self.kind.write_id(self.base.id_of(number))

    def values(self, number: int, version: Version | None) -> dict[str, Any]:
        """All fields in one version; None means untouched."""
        if number < self.base.count:
            values = self.base.values(number)
        else:
            values = dict.fromkeys(self.base.names())
            values[self.kind.id_field] = self.id_of(number)
            values[self.kind.created] = self.kind.moment(self.records[number].created)
        if version is not None:
            values.update(version.changes)
            values[self.kind.modified] = self.kind.moment(version.modified)
        return values

    def walk(self, start: int, archived: bool, now: int) -> Iterator[tuple[int, Version | None]]:
        """Numbers from `start` up that a list shows, with their version (None: untouched)."""
        wanted = "archived" if archived else "live"
        numbers = self._archived_candidates(start) if archived else range(start, self.next_number)
        for number in numbers:
            record = self.records.get(number)
            if record is None:
                if self.base.archived(number) == archived:
                    yield number, None
            else:
                version = record.listed(now)
                if version is not None and version.state == wanted:
                    yield number, version

    def _archived_candidates(self, start: int) -> Iterator[int]:
        written = self.written[bisect_left(self.written, start) :]
        every = self.base.archived_every
        first = start + (every - 1 - start) % every
        place = 0
        for number in range(first, self.base.count, every):
            while place < len(written) and written[place] <= number:
                if written[place] != number:
                    yield written[place]
                place += 1
            yield number
        yield from written[place:]

    def state(self, number: int, now: int | None) -> tuple[State | None, Version | None]:
        """State and version as lists see them at `now`, or in truth when `now` is None."""
        record = self.records.get(number)
        if record is None:
            return ("archived" if self.base.archived(number) else "live"), None
        version = record.latest if now is None else record.listed(now)
        return (version.state if version else None), version
