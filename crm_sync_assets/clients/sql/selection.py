"""What is selected for one entity: columns as the database has them, joins, predicates, keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from crm_sync_assets.clients.sql.database import Database, SourceColumn, named_column, named_table
from crm_sync_assets.clients.sql.sources import Join, Table
from crm_sync_assets.clients.sql.zones import Zone
from crm_sync_assets.declarations.contract import Page, Tombstone, Usage
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

_FIRST_DATE = datetime(1, 1, 1)
"""What is before it is a zero date, MySQL's way to say nothing."""

_UTC = Zone("UTC")
_BINARY = frozenset(["binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bytea"])

MOST_EMPTY = 3
"""Results without a row, one after the other, though the database counts rows that belong there."""

_said: set[tuple[str, str]] = set()


class Selection:
    """One entity's statements, made for the columns its tables turn out to have.

    Raises FatalError for a table, a key or a modified column that is missing. Another column that
    is missing keeps what is stored; that is said once.
    """

    def __init__(self, entity: Entity, database: Database, zone: Zone, usage: Usage) -> None:
        source = entity.source
        assert isinstance(source, Table)
        self.entity = entity
        self.database = database
        self.zone = zone
        self._usage = usage
        self._columns = database.columns(source.name, str(entity), usage)
        self.table = named_table(source.name).alias("t")
        self._aliases: dict[str, sa.FromClause] = {source.name: self.table}
        self._from: sa.FromClause = self.table
        self._selected: dict[str, tuple[sa.ColumnElement[Any], SourceColumn]] = {}
        self._changes: list[tuple[sa.ColumnElement[Any], SourceColumn]] = []
        self.hidden_columns: list[str] = []
        self._linked: list[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = []
        self._references: list[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = []
        joined = {name for join in source.joins for name, _ in join.columns}
        for name in self._wanted(joined):
            self._select(name)
        self.keys = [self._selected[name][0] for name in self.key_names]
        self.is_text_key = [column.sql == "text" for column in entity.key]
        self._refuse_text_for_numbers()
        if source.modified is not None:
            self._changes.append(self._selected[source.modified])
        for join in source.joins:
            self._join(join)
        names = list(self._selected)
        self._names = names
        self._key_places = [names.index(name) for name in self.key_names]
        self._reads = [
            (place, read)
            for place, (name, (_, column)) in enumerate(self._selected.items())
            if (read := self._reader(name, column)) is not None
        ]

    @property
    def key_names(self) -> list[str]:
        return [column.path("") for column in self.entity.key]

    def _wanted(self, joined: set[str]) -> Iterator[str]:
        for column in self.entity.columns:
            if not callable(column.at) and column.path("") not in joined:
                yield column.path("")

    def _select(self, name: str) -> None:
        found = self._columns.get(name.lower())
        if found is not None:
            self._selected[name] = (named_column(self.table, found.name), found)
            return
        needed = [*self.key_names, self.entity.source.modified]
        table = getattr(self.entity.source, "name", "")
        if name in needed:
            raise FatalError(
                f"{self.entity}: table {table} has no column {name}, without which it cannot be "
                "synced. Is it the right database, and may the user read all of its columns?"
            )
        self.hidden_columns += [
            column.name
            for column in self.entity.columns
            if not callable(column.at) and column.path("") == name
        ]
        if (table, name) not in _said:
            _said.add((table, name))
            log.warning(
                "%s: table %s has no column %s; what is stored there stays as it is",
                self.entity,
                table,
                name,
            )

    def _refuse_text_for_numbers(self) -> None:
        """Text is compared with numbers in one order and sorted in another: rows would be lost."""
        for name, is_text in zip(self.key_names, self.is_text_key, strict=True):
            kind = self._selected[name][1].type
            if not is_text and ("char" in kind or "text" in kind):
                raise FatalError(
                    f"{self.entity}: column {name} of table {self.entity.source.name} is {kind} "  # type: ignore[attr-defined]
                    "and was declared a whole number, by which the table is read in order. Make "
                    "it a number again, or declare it as text."
                )

    def _join(self, join: Join) -> None:
        subject = str(self.entity)
        columns = self.database.columns(join.table, subject, self._usage)
        other = named_table(join.table).alias(join.table)

        def there(name: str) -> tuple[sa.ColumnElement[Any], SourceColumn]:
            found = columns.get(name.lower())
            if found is None:
                raise FatalError(f"{subject}: table {join.table} has no column {name}")
            return named_column(other, found.name), found

        own = there(join.on[0])[0]
        where, _, name = join.on[1].partition(".")
        found = self.database.columns(where, subject, self._usage).get(name.lower())
        if found is None:
            raise FatalError(f"{subject}: table {where} has no column {name}")
        equal = named_column(self._aliases[where], found.name)
        self._aliases[join.table] = other
        self._from = self._from.outerjoin(other, own == equal)
        self._references.append((equal, own))
        for label, column in join.columns:
            self._selected[label] = there(column)
        if join.modified is not None:
            changed = there(join.modified)
            self._changes.append(changed)
            self._linked.append((own, changed[0]))

    # Statements

    def chunk(
        self, condition: sa.ColumnElement[bool] | None, after: Sequence[Any] | None, limit: int
    ) -> sa.Select[Any]:
        """Up to `limit` rows that meet the condition, in key order, strictly after a key."""
        columns = [column.label(name) for name, (column, _) in self._selected.items()]
        statement = sa.select(*columns).select_from(self._from)
        if condition is not None:
            statement = statement.where(condition)
        if after is not None:
            statement = statement.where(self.after(after))
        return statement.order_by(*self.ordered_keys).limit(limit)

    def left(self, after: Sequence[Any] | None) -> int:
        """How many rows of the table come after a key.

        A result cut short on its way looks like the end of the table; a count does not.
        """
        statement = sa.select(sa.func.count()).select_from(self.table)
        if after is not None:
            statement = statement.where(self.after(after))
        return int(self.database.rows(statement, str(self.entity), self._usage)[0][0])

    def nothing_comes(self, after: Sequence[Any] | None, left: int) -> FatalError:
        """What it is called when rows are counted after a key, and none is given."""
        return FatalError(
            f"{self.entity}: short read: the database counts {left} rows after {after} and gives "
            f"none, {MOST_EMPTY} times in a row. The next sync resumes there."
        )

    @property
    def ordered_keys(self) -> list[sa.ColumnElement[Any]]:
        """The keys so that the database sorts them as Python and the warehouse do."""
        return [
            self._bytewise(key) if is_text else key
            for key, is_text in zip(self.keys, self.is_text_key, strict=True)
        ]

    def after(self, key: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Rows whose key is greater: (a, b) > (x, y) is a > x or, a = x and b > y."""
        values = [self._bound(value) for value in key]
        columns = self.ordered_keys
        greater = [
            sa.and_(*(c == v for c, v in zip(columns[:n], values[:n], strict=True)), column > value)
            for n, (column, value) in enumerate(zip(columns, values, strict=True))
        ]
        # Said on its own too, so that an index on the first column is used.
        return sa.and_(columns[0] >= values[0], sa.or_(*greater)) if greater[1:] else greater[0]

    def is_one_of(self, keys: Sequence[Sequence[Any]]) -> sa.ColumnElement[bool]:
        """Rows with one of these keys."""
        if len(self.keys) == 1:
            if self.is_text_key[0]:
                return self.ordered_keys[0].in_([self._bound(key[0]) for key in keys])
            return self.keys[0].in_([key[0] for key in keys])
        firsts = sorted({key[0] for key in keys})
        each = [
            sa.and_(*(column == value for column, value in zip(self.keys, key, strict=True)))
            for key in keys
        ]
        return sa.and_(self.keys[0].in_(firsts), sa.or_(*each))

    def changed(self, since: datetime | None, until: datetime | None) -> sa.ColumnElement[bool]:
        """Rows, or rows joined to them, that changed in this span; none of it is left out."""
        return sa.or_(*(self._between(c, kind, since, until) for c, kind in self._changes))

    def columns(self) -> dict[str, sa.ColumnElement[Any]]:
        """What is selected, by its name in a record."""
        return {name: column for name, (column, _) in self._selected.items()}

    def undated(self) -> sa.ColumnElement[bool]:
        """Rows that do not say when they changed: NULL, a zero date, or a joined row deleted."""
        (own, _), *_ = self._changes
        conditions = [own.is_(None), own < _FIRST_DATE]
        conditions += [
            sa.and_(key.is_not(None), sa.or_(modified.is_(None), modified < _FIRST_DATE))
            for key, modified in self._linked
        ]
        # 0 refers to nothing, and to nothing that could have been deleted.
        conditions += [sa.and_(reference > 0, key.is_(None)) for reference, key in self._references]
        return sa.or_(*conditions)

    def _between(
        self,
        column: sa.ColumnElement[Any],
        kind: SourceColumn,
        since: datetime | None,
        until: datetime | None,
    ) -> sa.ColumnElement[bool]:
        conditions: list[sa.ColumnElement[bool]] = [column >= _FIRST_DATE]
        if since is not None:
            floor = since.astimezone(UTC).replace(microsecond=0, tzinfo=None)
            conditions = [
                column >= (self.zone.earliest_wall(since) if kind.is_wall_clock else floor)
            ]
        if until is not None:
            top = until.astimezone(UTC).replace(tzinfo=None)
            conditions.append(
                column < (self.zone.latest_wall(until) if kind.is_wall_clock else top)
            )
        return sa.and_(*conditions)

    def _bytewise(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        if self.database.is_mysql:
            as_utf8 = sa.func.convert(key.op("USING")(sa.literal_column("utf8mb4")))
            return sa.cast(as_utf8, sa.BINARY)
        return sa.collate(key, "C")

    def _bound(self, value: Any) -> Any:
        is_bytewise = isinstance(value, str) and self.database.is_mysql
        return sa.literal(value.encode(), sa.BINARY) if is_bytewise else value

    # Rows

    def page_of(self, keys: Sequence[Key]) -> Page:
        """The rows of these keys, and a tombstone for each that is not there."""
        typed = [
            [
                part if is_text else int(part)
                for part, is_text in zip(key, self.is_text_key, strict=True)
            ]
            for key in keys
        ]
        statement = self.chunk(self.is_one_of(typed), None, len(keys))
        rows = self.database.rows(statement, str(self.entity), self._usage)
        there = {tuple(map(str, self.key_of(row))) for row in rows}
        gone = [Tombstone(key) for key in keys if key not in there]
        return Page(self.records(rows), {}, tombstones=gone, hidden_columns=self.hidden_columns)

    def key_of(self, row: Sequence[Any]) -> list[Any]:
        return [row[place] for place in self._key_places]

    def records(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Rows as records, times of a wall clock turned into moments."""
        names, reads = self._names, self._reads
        if not reads:
            return [dict(zip(names, row, strict=True)) for row in rows]
        records = []
        for row in rows:
            record = dict(zip(names, row, strict=True))
            for place, read in reads:
                value = row[place]
                if value is not None:
                    record[names[place]] = read(value)
            records.append(record)
        return records

    def _reader(self, name: str, column: SourceColumn) -> Callable[[Any], Any] | None:
        is_bits = column.type in ("bit", "bit varying")
        if self._is_truth(name) and column.type not in _BINARY:
            return _truth_of_bits if is_bits else _truth
        if column.is_wall_clock:
            return self._wall_to_utc
        if column.is_moment:
            return _moment_to_utc
        if is_bits:
            return _bits
        return _text if column.type in _BINARY else None

    def _is_truth(self, name: str) -> bool:
        kinds = {
            column.sql
            for column in self.entity.columns
            if not callable(column.at) and column.path("") == name
        }
        return kinds == {"boolean"}

    def _wall_to_utc(self, value: Any) -> Any:
        return self.zone.to_utc(value) if isinstance(value, datetime) else value


def _moment_to_utc(value: Any) -> Any:
    """A moment of a session in UTC; a driver hands some over without their zone."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(value: Any) -> Any:
    """Bytes as text; what is no UTF-8 stays recognisable, and parsing replaces and notes it."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _truth(value: Any) -> Any:
    """A number in a column of truths as the database judges it: whatever is not 0 is true."""
    return value != 0 if isinstance(value, int | float | Decimal) else value


def _truth_of_bits(value: Any) -> Any:
    return _truth(_bits(value))


def _bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value, 2)
