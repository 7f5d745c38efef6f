"""What a client owes the engine: pages of records, and what it may say beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import SyncError

Cursor = Mapping[str, Any]
"""Where the next page starts: JSON, written by a client, read back by the same client."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record the source no longer has: deleted, archived out of sight, or merged away.

    One that `may_be` is of a key that the source might have used and did not: it counts only where
    it marks a row.
    """

    key: Key
    deleted_at: datetime | None = None
    merged_into: str | None = None
    may_be: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one response.

    `cursor` leads to the page after this one; a sync that crashed resumes there. `tombstones`
    are keys the source proved gone, `confirmed` counts keys it proved alive without sending the
    record. `total` is how many records the source expects of the whole read, said on the first
    page. `state` is what the client wants to be told at the next sync (an ETag); it counts only
    if the read completes. So does `memory`, which is no claim about the stored rows and is handed
    on whatever became of them: which columns were asked for. `hidden_columns` names columns the
    source does not let us read at present: what is stored there stays. `asked` are the names that
    records may have in the column of what no other takes: what a stored row has there by another
    name stays, where that is not None. `unchanged` says the source
    proved that nothing changed since the state it was handed: a read without records, and no
    stored row is absent. `kept` are keys whose records are not sent and whose rows stay: they may
    be there and hidden from us, or a part of the source is known to be what it was.
    `incomplete` is what keeps a part of the source from being read: the rest is stored as by any
    read of everything, with the rows of that part among those `kept`, and then the sync fails with
    it. `labels` are what the source calls its
    fields, by column, for people; said with a call that is made anyway.
    """

    records: Sequence[Record] = field(repr=False)
    cursor: Cursor
    tombstones: Sequence[Tombstone] = ()
    confirmed: int = 0
    total: int | None = None
    state: Mapping[str, Any] | None = None
    unchanged: bool = False
    memory: Mapping[str, Any] | None = None
    hidden_columns: Sequence[str] = ()
    asked: Sequence[str] | None = None
    kept: Sequence[Key] = ()
    incomplete: SyncError | None = None
    labels: Mapping[str, str] | None = None


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
    next delta starts that much before this reading. More rows than `bulk_rows` are read by a bulk
    job where the source has such; 0 for never.
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
    bulk_rows: int = 0


_counting = threading.Lock()


@dataclass(slots=True)
class Usage:
    """What a reading cost the source; the seconds are the sum over its requests.

    `quota_units` are what its requests took of the longest window of the account's budget,
    `bytes_scanned` what its queries read, where that is what the source charges for.
    """

    api_calls: int = 0
    quota_units: int = 0
    retries: int = 0
    rate_limit_hits: int = 0
    rate_limit_wait_seconds: float = 0.0
    bytes_received: int = 0
    bytes_scanned: int = 0

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

    def list_url(self, entity: Entity) -> str | None:
        """Where a person can look at all of the entity's records in the CRM."""
        ...

    def check(self) -> str:
        """One line on whom the credentials reach, for a request or two.

        Raises SyncError with what to do otherwise.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class Probeable(Protocol):
    """What a client adds that can say of each entity whether it may be read; see `doctor`."""

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Ask once for as little of the entity as there is; what comes is of no interest.

        From many threads at once. Raises what `pages` raises before its first page.
        """
        ...


@runtime_checkable
class Cautious(Protocol):
    """What a client adds whose credentials may reach less than there is; see `doctor`."""

    def cautions(self) -> Sequence[str]:
        """What they lack, a sentence each with what to do. Raises what `check` raises."""
        ...


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
