"""A table of Athena as an entity: what is selected of it, and by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_sync_assets.declarations.entity import Key, Record, SourceKind, WindowedByModified

MOST_ROWS: Final = 1_000
"""Of one page of results, the header's row among them."""


@dataclass(frozen=True, slots=True)
class Several:
    """For rows that bring several records each, which replace those that they brought before.

    `make` gives them, None where the row cannot be read; `keys` all keys that a row may bring, by
    the fields `named` of such a record.
    """

    make: Callable[[Record], Sequence[Record] | None]
    keys: Callable[[Record], Sequence[Key]]
    named: tuple[str, ...]

    def key_of(self, record: Record) -> Key:
        return tuple(str(record[name]) for name in self.named)


@dataclass(frozen=True, slots=True)
class Table(WindowedByModified):
    """A table whose rows say when they changed, in the column `modified`.

    `key` are the columns that tell its rows apart; a row without a value in one that is `needed`
    is nobody's. `select` are the columns that are asked for, where those of the entity do not say
    so themselves. `make` makes of a row the record that is stored; where it is `several`, those
    are. `by` is the column in which the first part of an entity's key stands: rows are asked for
    by it; without it all of them are read.
    """

    name: str
    modified: str | None
    key: tuple[str, ...]
    needed: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    make: Callable[[Record], Record] | None = None
    several: Several | None = None
    by: str | None = None
    root: str = ""
    kind: SourceKind = "database"
    max_page_size: int = MOST_ROWS - 1

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        """What of it decides what a record becomes: functions by their names."""
        parts: list[Any] = [self.name, self.modified, self.key, self.needed, self.select, self.by]
        made = (self.make, self.several.make if self.several else None)
        parts += [one.__qualname__ if one else None for one in made]
        return f"Table{tuple(parts)}"
