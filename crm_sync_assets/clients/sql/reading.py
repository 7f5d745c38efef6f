"""Reading one table: what changed, what does not say when, what is gone; each in key order.

- `all`: every row, for a full read. The engine then knows which stored rows are gone.
- `changed`: rows that changed since the watermark, or whose joined row did.
- `undated`: rows whose modified column is NULL or a zero date. Nobody knows when they changed, so
  all of them are read every time.
- `gained`: rows with a value in a column that Genius, or the declaration, did not have at the last
  sync. It may have been filled without changing the rows' time. All rows where it had the column
  before: what is stored of it may be none by now.
- `deleted`: keys on both sides are compared, bucket by bucket. What is stored and no longer in
  Genius is gone; what is in Genius and not stored came late (its transaction was committed after
  its time had been read) and is read now.

A bounded window reads `changed` alone, and one that begins after the watermark leaves out
`deleted`: what it was not asked for is not its business. The cursor is the phase and the last key
read.

A chunk that is short is not the end: a full read is over when the database counts no rows after the
last key, any other phase when a chunk is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from crm_sync_assets.clients import gaining
from crm_sync_assets.clients.sql.comparing import Comparison
from crm_sync_assets.clients.sql.selection import MOST_EMPTY, Selection
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

SHAPE = "shape"
"""In a cursor: of the columns that the rows before it were read with."""

NAMES = "columns"
"""In what 0.1 remembers of a sync: the names of the columns."""


class TableReading:
    """One reading of one entity; `pages` may be asked for once."""

    def __init__(self, read: Read, selection: Selection, usage: Usage) -> None:
        self._read = _translated(read)
        self._selection = selection
        self._usage = usage
        self._size = min(read.page_size, read.limit) if read.limit else read.page_size
        self._names = list(selection.columns())

    def pages(self) -> Iterator[Page]:
        """Pages of records, each a row by column name, and at last what is gone."""
        shape = gaining.shape_of(self._names)
        anew = self._read.cursor is not None and self._read.cursor.get(SHAPE) != shape
        if anew:
            log.info("%s: the table has other columns than before: anew", self._read.entity)
            self._read = replace(self._read, cursor=None)
        memory = gaining.memory(self._read, self._names, without=(), unsure=anew)
        hidden = self._selection.hidden_columns
        page: Page | None = None
        for page in self._phase_by_phase():
            cursor = {**page.cursor, SHAPE: shape}
            yield replace(page, cursor=cursor, hidden_columns=hidden, memory=memory)
        if page is None:
            cursor = {"phase": self._phases()[0], **(self._read.cursor or {}), SHAPE: shape}
            yield Page([], cursor, memory=memory)

    def _phase_by_phase(self) -> Iterator[Page]:
        phases = self._phases()
        cursor: Mapping[str, Any] = self._read.cursor or {}
        phase, after = cursor.get("phase", phases[0]), cursor.get("after")
        if phase not in phases:
            raise FatalError(f"{self._read.entity}: the checkpoint is in no phase of this reading")
        for each in phases[phases.index(phase) :]:
            start = after if each == phase else None
            if each == "deleted":
                yield from Comparison(self._read, self._selection, self._usage).pages(start)
            else:
                yield from self._chunks(each, start)

    def _phases(self) -> list[str]:
        strategy = self._read.strategy
        if strategy.reads_everything:
            return ["all"]
        if strategy.until is not None:
            return ["changed"]
        wanted = ["changed", "undated"]
        if self._gained():
            wanted.append("gained")
        return [*wanted, "deleted"] if strategy.closes_gap else wanted

    def _condition(self, phase: str) -> sa.ColumnElement[bool] | None:
        strategy = self._read.strategy
        if phase == "changed":
            return self._selection.changed(strategy.since, strategy.until)
        if phase == "undated":
            return self._selection.undated()
        if phase != "gained" or gaining.returned(self._read, self._names):
            return None
        columns = self._selection.columns()
        return sa.or_(*(columns[name].is_not(None) for name in self._gained()))

    def _gained(self) -> list[str]:
        return gaining.gained(self._read, self._names)

    def _chunks(self, phase: str, after: list[Any] | None) -> Iterator[Page]:
        condition = self._condition(phase)
        empty = 0
        while True:
            rows = self._rows(self._selection.chunk(condition, after, self._size))
            if rows:
                empty = 0
                keys = [self._selection.key_of(row) for row in rows]
                self._check_order(after, keys)
                after = [key if isinstance(key, str) else int(key) for key in keys[-1]]
                yield Page(self._selection.records(rows), {"phase": phase, "after": after})
                if phase != "all" or len(rows) == self._size:
                    continue
            left = self._selection.left(after) if phase == "all" else 0
            if not left:
                return
            empty += not rows
            if empty == MOST_EMPTY:
                raise self._selection.nothing_comes(after, left)

    def _rows(self, statement: sa.Executable) -> Sequence[Any]:
        return self._selection.database.rows(statement, str(self._read.entity), self._usage)

    def _check_order(self, after: list[Any] | None, keys: Sequence[list[Any]]) -> None:
        before = after
        for key in keys:
            if before is not None and not before < key:
                raise FatalError(
                    f"{self._read.entity}: pagination loop: key {key} came after {before}, though "
                    "rows were asked for in ascending order of their key"
                )
            before = key


def _translated(read: Read) -> Read:
    """With what was remembered by names as marks."""
    names = read.memory.get(NAMES)
    if not names:
        return read
    return replace(read, memory=gaining.memory(replace(read, memory={}), names, without=()))
