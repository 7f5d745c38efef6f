"""The words of the declarations: Entity, Crm, and what a client owes the engine.

A declaration is plain data. The asset, its config, its table, its upsert, its history and its
documentation all follow from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Protocol

from crm_sync_assets.declarations.columns import Column

Record = dict[str, Any]
"""What the CRM sent, nested as it nests it."""

UNREAD = "crm_sync_unread"
"""In a record that was not read whole: why, and what to do about it.

Such a record is set aside for that reason, and is never taken for one whose values are empty.
"""

Key = tuple[str, ...]
"""The primary key of a row, as text, in the order of the entity's key columns."""

SourceKind = Literal["api", "soap", "database", "csv", "webhook"]


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
        """The source's name of the field that says when a record changed: it orders the versions.

        None if it has none: the last one read is taken for the newest.
        """
        ...

    @property
    def windowed_by(self) -> str | None:
        """The source's name of the field a window, and with it a delta, is about.

        None where the source cannot be asked for a window: it is read whole every time.
        """
        ...

    @property
    def max_page_size(self) -> int: ...


class WindowedByModified:
    """For sources whose windows are about the field that orders the versions: most of them."""

    __slots__ = ()
    modified: str | None

    @property
    def windowed_by(self) -> str | None:
        return self.modified


Rule = Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]]
"""A business rule: the row by column name → (field, what is odd about it), if anything is."""


Cadence = Literal["daily", "weekly", "monthly"]


@dataclass(frozen=True, slots=True)
class Resweep:
    """Reading again, at a cadence, what the source may have changed without saying so.

    `back` is how far, in whole days; None reads everything.
    """

    cadence: Cadence
    back: timedelta | None = None

    def __str__(self) -> str:
        return f"{self.cadence} " + (
            "whole" if self.back is None else f"{self.back.days} days back"
        )


UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""The version of what is better than nothing, and worse than anything that has a version."""


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of a row that come together, from the newest of the records that have them.

    For sources that tell of one thing in several records, as events: a row is put together of them,
    and is the same in whichever order and however often they come. `version` names the columns that
    say which is the newest: a moment and, among records of one moment, texts. A record without that
    moment does not have this part, and leaves it as it is; one whose moment is UNDATED fills it
    where there is none, and overwrites nothing dated, forced or not. `columns` are the others;
    without any, it is all that no other part has, and what was odd about it.
    """

    version: tuple[str, ...]
    columns: tuple[str, ...] = ()


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
    `feed_keeps` is how far back the source's feed of changes or deletions reaches, None for ever;
    a delta from before that becomes a full read. `parts` say what of a row comes from which record,
    where it is put together of several. `resweeps` say what is read again now and then. A read of
    everything is stored `at_once`, where readers must not see a part of it: in one transaction.
    `merged_ids` names the column in which a survivor has the ids of what was merged into it; where
    the loser names its survivor, in its tombstone, it is `merges_told`.
    `after` lists entities that a run of the whole CRM takes first; one that is not `in_all` is
    left out of such a run. `refers` says which column holds the key of another entity, over
    what `Crm.refers` says of columns of that name.
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
    feed_keeps: timedelta | None = None
    parts: tuple[Part, ...] = ()
    resweeps: tuple[Resweep, ...] = ()
    at_once: bool = False
    merged_ids: str | None = None
    merges_told: bool = False
    after: tuple[str, ...] = ()
    refers: Mapping[str, str] = field(default_factory=dict)
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
    def merges(self) -> bool:
        """Whether a row may be merged into another, which `merged_into` then names."""
        return self.merged_ids is not None or self.merges_told

    def columns_of(self, part: Part) -> tuple[Column, ...]:
        """All columns of one of its parts, in their order."""
        others = {name for one in self.parts for name in (*one.version, *one.columns)}
        own = {*part.version, *part.columns}
        return tuple(
            column
            for column in self.columns
            if column.name in own or not (part.columns or column.key or column.name in others)
        )

    @property
    def tracks_changes(self) -> bool:
        """Whether the source can be asked for what falls into a window."""
        return self.source.windowed_by is not None

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the declaration changes what a record becomes."""
        parts = [self.name, self.table, repr(self.source)]
        parts += [column.signature for column in self.columns]
        parts += [rule.__qualname__ for rule in self.rules]
        parts += map(repr, self.parts)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
