"""What a sync reads of a table: everything, or what changed since the watermark.

A delta asks for rows from a moment on, that moment included, and for nothing beyond: what is dated
ahead is read too, and no watermark is ever taken from a row. Rows that do not say when they changed
are in no window. A read of everything has them first, so that whatever is dated comes after them
and wins; it counts them, and each delta says what it does not see.

A delta without a row is believed if the table has any: one that is written anew is empty for a
while, and the watermark would pass what it has afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crm_sync_assets.clients.athena.queries import Place, Results
from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.clients.athena.sql import Select
from crm_sync_assets.declarations.contract import Cursor, Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.errors import TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

UNDATED, NAMELESS = COUNTED = ("undated", "nameless")
ResultsOf = Callable[[Select, int], Results]
"""The result of a statement, in pages of so many rows."""


def select_of(entity: Entity, source: Table, database: str, spelled: Mapping[str, str]) -> Select:
    """All of the entity's rows, in order."""
    columns = source.select or tuple(column.path(source.root) for column in entity.columns)
    order = [*source.key, *([source.modified] if source.modified else [])]
    columns += tuple(name for name in order if name not in columns)
    return Select(database, source.name, columns, source.modified, source.key, spelled=spelled)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one entity. `select` are all of its rows."""

    read: Read
    source: Table
    select: Select
    results_of: ResultsOf

    def pages(self) -> Iterator[Page]:
        """Pages of records, with what of each row is there no more."""
        read, strategy = self.read, self.read.strategy
        is_whole = strategy.since is None and strategy.until is None
        if not is_whole:
            self._say_what_is_unseen()
        # What replaces its records is read up to the newest: an older row alone would bring back
        # what that has replaced.
        until = None if self.source.several else strategy.until
        select = replace(self.select, since=strategy.since, until=until)
        cursor = read.cursor or {}
        query, counted = cursor.get("query"), {name: int(cursor.get(name, 0)) for name in COUNTED}
        has_rows = False
        for rows, place in self.results_of(select, read.page_size).pages(Place.of(cursor)):
            has_rows = has_rows or bool(rows)
            if place.ended and not is_whole and not has_rows and self._is_emptied():
                # Without a place: the next sync orders another query.
                yield Page([], {})
                raise TransientError(
                    f"{read.entity}: {self.source} has no row at all, and {read.entity.table} has "
                    "some: it may be written anew just now. The next sync reads it again. If all "
                    f"of it is gone, run `crm-sync {read.entity.crm} {read.entity.sync_type} "
                    "--full --force`"
                )
            if place.query != query:
                query, counted = place.query, dict.fromkeys(COUNTED, 0)
            named = [row for row in rows if all(row[name] for name in self.source.needed)]
            counted[NAMELESS] += len(rows) - len(named)
            counted[UNDATED] += sum(row[select.modified or ""] is None for row in named)
            page = self.page(named, {**place.cursor(), **counted})
            if is_whole and place.ended:
                page = replace(page, memory={UNDATED: counted[UNDATED]})
            yield page
        if counted[NAMELESS]:
            log.warning(
                "%s: %d rows without a value in %s are nobody's, and were left out",
                read.entity,
                counted[NAMELESS],
                " or ".join(self.source.needed),
            )

    def by(self, values: Sequence[str]) -> Iterator[Page]:
        """The records of rows that have one of these values in the column `by`."""
        assert self.source.by is not None
        select = replace(self.select, among=(self.source.by, values))
        for rows, _ in self.results_of(select, self.read.page_size).pages(Place()):
            yield self.page(rows, {})

    def page(self, rows: Sequence[Record], cursor: Cursor) -> Page:
        """The records of these rows; a tombstone for each that a row might have, and has not.

        What a row cannot tell stays as it is.
        """
        make, several = self.source.make, self.source.several
        if several is None:
            return Page([make(row) for row in rows] if make else rows, cursor)
        # Of the rows of one key the last: what an older one brings would stay beside it.
        newest = {tuple(row[name] for name in self.source.key): row for row in rows}
        records, gone, kept = list[Record](), list[Tombstone](), list[Key]()
        for row in newest.values():
            keys, made = several.keys(row), several.make(row)
            if made is None:
                kept += keys
                continue
            records += made
            there = {several.key_of(record) for record in made}
            gone += [Tombstone(key, may_be=True) for key in keys if key not in there]
        return Page(records, cursor, gone, kept=kept)

    def _is_emptied(self) -> bool:
        """Whether the table has no row, and ours has."""
        entity = self.read.entity
        if not self.read.known.keys(entity.table, column=entity.key[0].name, limit=1):
            return False
        one = replace(self.select, columns=self.source.key[:1], modified=None, key=(), most=1)
        return not any(rows for rows, _ in self.results_of(one, 1).pages(Place()))

    def _say_what_is_unseen(self) -> None:
        undated: Any = self.read.memory.get(UNDATED)
        if undated:
            log.warning(
                "%s: %d rows had no %s at the last full read: what becomes of them only a full "
                "read sees",
                self.read.entity,
                undated,
                self.select.modified,
            )
