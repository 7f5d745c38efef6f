"""The words of the declarations: Entity, Crm, and what a client owes the engine.

A declaration is plain data. The asset, its config, its table, its upsert, its history and its
documentation all follow from it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from crm_sync_assets.columns import Column
from crm_sync_assets.strategy import Strategy

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings

Record = dict[str, Any]
"""What the CRM sent, nested as it nests it."""

UNREAD = "crm_sync_unread"
"""In a record that was not read whole: why, and what to do about it.

Such a record is set aside for that reason, and is never taken for one whose values are empty.
"""

Key = tuple[str, ...]
"""The primary key of a row, as text, in the order of the entity's key columns."""

Cursor = Mapping[str, Any]
"""Where the next page starts: JSON, written by a client, read back by the same client."""

SourceKind = Literal["api", "soap", "database", "csv", "webhook"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record the source no longer has: deleted, archived out of sight, or merged away."""

    key: Key
    deleted_at: datetime | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one response.

    `cursor` leads to the page after this one; a sync that crashed resumes there. `tombstones`
    are keys the source proved gone, `confirmed` counts keys it proved alive without sending the
    record. `total` is how many records the source expects of the whole read, said on the first
    page. `state` is what the client wants to be told at the next sync (an ETag); it counts only
    if the read completes. So does `memory`, which is no claim about the stored rows and is handed
    on whatever became of them: which columns were asked for. `withheld` names columns the source
    does not let us read at present: what is stored there stays. `unchanged` says the source
    proved that nothing changed since the state it was handed: a read without records, and no
    stored row is absent.
    """

    records: Sequence[Record] = field(repr=False)
    cursor: Cursor
    tombstones: Sequence[Tombstone] = ()
    confirmed: int = 0
    total: int | None = None
    state: Mapping[str, Any] | None = None
    unchanged: bool = False
    memory: Mapping[str, Any] | None = None
    withheld: Sequence[str] = ()


class Known(Protocol):
    """What the warehouse already holds, for sources that must ask about known records."""

    def keys(
        self,
        table: str,
        *,
        column: str = "id",
        after: str | None = None,
        limit: int,
        deleted_since: datetime | None = None,
    ) -> list[str]:
        """Up to `limit` values of `column` in ascending order, strictly after `after`.

        Live rows only; with `deleted_since`, instead, the rows deleted (and not merged) since
        then. A table that does not exist yet has no keys.
        """
        ...

    def numbers(
        self,
        table: str,
        columns: Sequence[str],
        *,
        low: int | None = None,
        high: int | None = None,
        limit: int | None = None,
    ) -> list[tuple[int, ...]]:
        """Whole-number keys of live rows in ascending order, the first from `low` to below `high`.

        None leaves an end open, or the number of keys.
        """
        ...

    def key_sums(
        self, table: str, columns: Sequence[str], *, low: int, high: int
    ) -> dict[int, tuple[int, int, int]]:
        """What `keysums.terms` gives for such keys: bucket → (count, sum, scrambled sum)."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of one entity, as the engine asks a client for it.

    `cursor` is where an interrupted reading left off, None for the beginning. `page_size` is
    what the user asked for, already within the source's bounds. `limit` is the most records the
    engine will take, 0 for all. `state` is the newest complete sync's `Page.state`, where it can
    be trusted, `memory` its `Page.memory`. `lag` is how late the source may show its changes: the
    next delta starts that much before this reading.
    """

    entity: Entity
    strategy: Strategy
    page_size: int
    known: Known
    cursor: Cursor | None = None
    limit: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    lag: timedelta = timedelta(0)


_counting = threading.Lock()


@dataclass(slots=True)
class Usage:
    """What a reading cost the source; the seconds are the sum over its requests."""

    api_calls: int = 0
    retries: int = 0
    rate_limit_hits: int = 0
    rate_limit_wait_seconds: float = 0.0
    bytes_received: int = 0

    def add(self, **more: float) -> None:
        """Count so much more of what is named; requests under way at once count together."""
        with _counting:
            for name, amount in more.items():
                setattr(self, name, getattr(self, name) + amount)


class Client(Protocol):
    """Pages from one CRM. One instance serves all entities of a process, in many threads."""

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages until the source has no more; ending means complete.

        Whatever keeps the reading from being complete is raised: TransientError once retries
        are used up, FatalError for the rest. Never ends early.
        """
        ...

    def source_time(self) -> datetime | None:
        """The source's clock now (aware UTC), from its newest answer; None if it gives none."""
        ...

    def record_url(self, entity: Entity, key: Key) -> str | None:
        """Where a person can look at the record in the CRM."""
        ...

    def check(self) -> str:
        """One line on what the credentials reach. Raises SyncError with what to do otherwise."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Verifiable(Protocol):
    """What a client adds whose entities can be compared with the warehouse; see `verify`.

    Both raise what `pages` raises, and like it never end early.
    """

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every live record once, shaped as in `pages`, with little more than key and modified.

        From the source itself, not from an index that may lag behind it.
        """
        ...

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """The records of these keys as they are now, whole; a tombstone for each that is gone."""
        ...


@runtime_checkable
class Provable(Protocol):
    """What a client adds whose lists can be held against another place; see `completeness`."""

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        """What a read of everything, whose last page had `read.cursor`, may not have contained.

        Nothing when a count proves the read complete; else at least the key of every live record
        that was there when the read began, from another place than the list. Raises what `pages`
        raises, and like it never ends early.
        """
        ...


@runtime_checkable
class Refreshable(Protocol):
    """What a client adds whose source calculates values and does not call that a change.

    Both raise what `pages` raises, and like it never end early.
    """

    def calculated(self, entity: Entity, usage: Usage) -> Sequence[str]:
        """Names, below the source's root, of the fields that are calculated; none for most."""
        ...

    def values_of(self, read: Read, names: Sequence[str], usage: Usage) -> Iterator[Page]:
        """Every live record once, shaped as in `pages`: these fields, key and modified.

        From the source itself, not from an index that may lag behind it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Meant:
    """One thing that decides what stored values mean: a zone, an account, an object's type id.

    No secret, and nothing that changes while the meaning stays, such as a host. `setting` is where
    it comes from. `equals` says whether another value of it means the same.
    """

    name: str
    value: str
    setting: str
    equals: Callable[[str], bool] | None = field(default=None, repr=False, compare=False)

    def means_other_than(self, before: str | None) -> bool:
        """Whether it differs from what it was; what is not known does not."""
        if before is None or before == self.value:
            return False
        return self.equals is None or not self.equals(before)


@runtime_checkable
class Meaningful(Protocol):
    """What a client adds whose settings or account decide what its records mean."""

    def meaning(self, entity: Entity) -> Sequence[Meant]:
        """All that decides it for this entity. Raises what `pages` raises before its first page."""
        ...


class Source(Protocol):
    """Where an entity's records come from; a CRM's client knows its own kinds of source."""

    @property
    def kind(self) -> SourceKind: ...
    @property
    def root(self) -> str:
        """The path before a column's name where the column gives none (`properties.`)."""
        ...

    @property
    def modified(self) -> str | None:
        """The source's name of the field that says when a record changed, None if it has none."""
        ...

    @property
    def max_page_size(self) -> int: ...


Rule = Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]]
"""A business rule: the row by column name → (field, what is odd about it), if anything is."""


@dataclass(frozen=True)
class Entity:
    """One CRM entity: where its records come from, which columns they become.

    `name` is "crm.entity"; `absent` says what a complete enumeration proves about a stored row
    it did not contain; `vanish_limit` is the share of live rows that may vanish at once without
    `force`. `tombstones` says how the client knows of deletions: from a feed of the source, which
    is believed, or found by comparing, which is held back to the last page and refused when it is
    too many. `tombstones_of` names the entity whose rows this one only marks as deleted.
    `clock_steps_back` is how far the clock behind the modified field may be put back: a version
    that seems that much older may be the newest one.
    `after` lists entities that a run of the whole CRM takes first; one that is not `in_all` is
    left out of such a run.
    """

    name: str
    about: str
    source: Source
    columns: tuple[Column, ...]
    table: str
    indexes: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    absent: Literal["deleted", "kept"] = "deleted"
    vanish_limit: float = 0.20
    tombstones: Literal["fed", "found"] = "fed"
    tombstones_of: str | None = None
    clock_steps_back: timedelta = timedelta(0)
    merged_ids: str | None = None
    after: tuple[str, ...] = ()
    in_all: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def crm(self) -> str:
        return self.name.partition(".")[0]

    @property
    def sync_type(self) -> str:
        return self.name.partition(".")[2]

    @cached_property
    def key(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.key)

    @cached_property
    def modified(self) -> Column | None:
        """The column that holds the record's modified moment."""
        if self.source.modified is None:
            return None
        path = self.source.root + self.source.modified
        for column in self.columns:
            if column.path(self.source.root) == path:
                return column
        raise ValueError(f"{self.name}: no column holds the modified field {path}")

    @property
    def tracks_changes(self) -> bool:
        return self.source.modified is not None

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the declaration changes what a record becomes."""
        parts = [self.name, self.table, repr(self.source)]
        parts += [column.signature for column in self.columns]
        parts += [f"{rule.__module__}.{rule.__qualname__}" for rule in self.rules]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Crm:
    """One CRM: its name, how to reach it, what its settings default to.

    `client` builds the client from the environment; it raises UsageError naming the variable
    that is missing. `minute` is the minute of the hour its delta schedule fires. `order` names the
    entities a run of the whole CRM begins with; `groups` are names for several entities at once.
    One that `calculates` gets a job that refreshes calculated values; its client is Refreshable.
    """

    name: str
    title: str
    client: Callable[[Environment, SyncSettings], Client]
    settings: Mapping[str, Any] = field(default_factory=dict)
    minute: int = 0
    order: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    calculates: bool = False
