"""Which stored rows Genius no longer has, and which of its rows never arrived.

Neither side is read whole: keys are summed up in buckets on both, and only buckets that differ are
listed. Keys that are text are few and listed all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from crm_sync_assets import keysums
from crm_sync_assets.clients.sql.selection import MOST_EMPTY, Selection
from crm_sync_assets.declarations.contract import Page, Read, Tombstone, Usage
from crm_sync_assets.errors import FatalError

BUCKETS = 200
"""Buckets summed up by one query."""

_KEYS_PER_QUERY = 1_000
_LARGEST = 2**64 - 1

Keys = set[tuple[Any, ...]]


class Comparison:
    """One comparison of an entity's live rows with its table."""

    def __init__(self, read: Read, selection: Selection, usage: Usage) -> None:
        self._read = read
        self._selection = selection
        self._usage = usage
        self._table = read.entity.table
        self._columns = [column.name for column in read.entity.key]
        self._first = selection.keys.columns[0]

    def pages(self, after: list[Any] | None) -> Iterator[Page]:
        """Tombstones of what is gone, records of what is missing; from where a cursor says."""
        start = after[0] if after else None
        by_text = any(self._selection.keys.is_text)
        return self._by_listing(start) if by_text else self._by_sums(start)

    # Whole numbers

    def _by_sums(self, start: int | None) -> Iterator[Page]:
        low = self._next_key(start)
        while low is not None:
            high = low + BUCKETS * keysums.WIDTH
            there = self._sums(low, high)
            here = self._read.known.key_sums(self._table, self._columns, low=low, high=high)
            for bucket in sorted(there.keys() | here.keys()):
                if there.get(bucket) != here.get(bucket):
                    begin = low + bucket
                    yield from self._bucket(begin, begin + keysums.WIDTH)
            low = self._next_key(high)
            if low is not None and low < high:
                raise FatalError(
                    f"{self._read.entity}: pagination loop: asked for keys from {high} on, the "
                    f"database answered {low}"
                )

    def _next_key(self, start: int | None) -> int | None:
        """The lowest first key from `start` on, on either side."""
        if start is not None and start > _LARGEST:
            # MySQL takes a number that is too large for the largest it knows, and finds that one.
            return None
        statement = sa.select(sa.func.min(self._first)).select_from(self._selection.table)
        if start is not None:
            statement = statement.where(self._first >= start)
        there = self._rows(statement)[0][0]
        here = self._read.known.numbers(self._table, self._columns, low=start, limit=1)
        found = [int(there)] if there is not None else []
        return min([*found, *(key[0] for key in here)], default=None)

    def _sums(self, low: int, high: int) -> dict[int, tuple[int, int, int]]:
        database = self._selection.database
        quote = database.engine.dialect.identifier_preparer.quote_identifier
        names = [f"t.{quote(key.name)}" for key in self._selection.keys.columns]
        if not database.is_mysql:
            # MySQL reckons with 64 bits whatever the columns have.
            names = [f"CAST({name} AS bigint)" for name in names]
        bucket, total, scrambled = map(_term, keysums.terms(names, low))
        statement = (
            sa.select(bucket, sa.func.count(), total, scrambled)
            .select_from(self._selection.table)
            .where(self._first >= low, self._first < high)
            .group_by(bucket)
        )
        return {
            int(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in self._rows(statement)
        }

    def _bucket(self, low: int, high: int) -> Iterator[Page]:
        statement = (
            sa.select(*self._selection.keys.columns)
            .select_from(self._selection.table)
            .where(self._first >= low, self._first < high)
        )
        there = {tuple(map(int, row)) for row in self._rows(statement)}
        here = set(self._read.known.numbers(self._table, self._columns, low=low, high=high))
        yield from self._differences(there, here, {"phase": "deleted", "after": [high]})

    # Text

    def _by_listing(self, after: str | None) -> Iterator[Page]:
        while True:
            there = self._listed(after)
            last = max(there)[0] if there else None
            yield from self._differences(
                there, self._stored(after, last), {"phase": "deleted", "after": [last or after]}
            )
            if last is None:
                return
            after = last

    def _listed(self, after: str | None) -> Keys:
        """The next keys; none only where the database counts none either."""
        selection, first = self._selection, [] if after is None else [after]
        statement = sa.select(self._first).select_from(selection.table)
        if first:
            statement = statement.where(selection.keys.after(first))
        statement = statement.order_by(selection.keys.ordered[0]).limit(self._read.page_size)
        left = 0
        for _ in range(MOST_EMPTY):
            there = {(row[0],) for row in self._rows(statement)}
            left = 0 if there else selection.left(first or None)
            if not left:
                return there
        raise selection.nothing_comes(first or None, left)

    def _stored(self, after: str | None, last: str | None) -> Keys:
        """Live keys after one key, up to another one."""
        found: Keys = set()
        while True:
            keys = self._read.known.keys(
                self._table, column=self._columns[0], after=after, limit=self._read.page_size
            )
            wanted = [key for key in keys if last is None or key <= last]
            found |= {(key,) for key in wanted}
            if len(wanted) < self._read.page_size:
                return found
            after = wanted[-1]

    # Either

    def _differences(self, there: Keys, here: Keys, cursor: dict[str, Any]) -> Iterator[Page]:
        missing = sorted(there - here)
        for keys in _parts(missing, self._read.page_size):
            records = self._late(keys)
            if records:
                yield Page(records, {**cursor, "after": self._before(cursor)})
        gone = sorted(here - there)
        tombstones = [
            Tombstone(tuple(str(part) for part in key))
            for keys in _parts(gone, _KEYS_PER_QUERY)
            for key in self._still_gone(keys)
        ]
        if tombstones:
            yield Page([], cursor, tombstones)

    def _before(self, cursor: dict[str, Any]) -> list[Any] | None:
        """Where the bucket begins: a resumed reading compares it again."""
        (end,) = cursor["after"]
        return [end - keysums.WIDTH] if isinstance(end, int) else None

    def _late(self, keys: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Records of these keys, without those that the earlier phases read or will read."""
        selection, records = self._selection, []
        read_already = sa.or_(
            selection.changed(self._read.strategy.since, None), selection.undated()
        )
        unread = sa.not_(sa.func.coalesce(read_already, sa.false()))
        for some in _parts(keys, _KEYS_PER_QUERY):
            condition = sa.and_(selection.keys.is_one_of(some), unread)
            records += selection.records(self._rows(selection.chunk(condition, None, len(some))))
        return records

    def _still_gone(self, keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Those of the keys that Genius does not have now, asked for one by one."""
        statement = (
            sa.select(*self._selection.keys.columns)
            .select_from(self._selection.table)
            .where(self._selection.keys.is_one_of(keys))
        )
        there = {tuple(row) for row in self._rows(statement)}
        return [key for key in keys if key not in there]

    def _rows(self, statement: sa.Executable) -> Sequence[Any]:
        return self._selection.database.rows(statement, str(self._read.entity), self._usage)


def _term(sql: str) -> sa.ColumnElement[Any]:
    return sa.literal_column(sql)


def _parts(keys: Sequence[tuple[Any, ...]], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
