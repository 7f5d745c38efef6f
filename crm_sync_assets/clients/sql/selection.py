"""What is selected for one entity: columns as the database has them, joins, predicates, keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from crm_sync_assets.clients.sql.database import Database, SourceColumn, named_column, named_table
from crm_sync_assets.clients.sql.keys import Keys
from crm_sync_assets.clients.sql.records import Records
from crm_sync_assets.clients.sql.sources import Join, Table
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.contract import Page, Tombstone, Usage
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

_FIRST_DATE = datetime(1, 1, 1)
"""What is before it is a zero date, MySQL's way to say nothing."""

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
        self.keys = Keys(
            [self._selected[column.path("")][0] for column in entity.key],
            [column.sql == "text" for column in entity.key],
            is_mysql=database.is_mysql,
        )
        self._refuse_text_for_numbers()
        if source.modified is not None:
            self._changes.append(self._selected[source.modified])
        for join in source.joins:
            self._join(join)
        self._records = Records(
            entity, {name: column for name, (_, column) in self._selected.items()}, zone
        )

    def _wanted(self, joined: set[str]) -> Iterator[str]:
        for column in self.entity.columns:
            if not callable(column.at) and column.path("") not in joined:
                yield column.path("")

    def _select(self, name: str) -> None:
        found = self._columns.get(name.lower())
        if found is not None:
            self._selected[name] = (named_column(self.table, found.name), found)
            return
        needed = [*(key.path("") for key in self.entity.key), self.entity.source.modified]
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
        for key, is_text in zip(self.entity.key, self.keys.is_text, strict=True):
            name = key.path("")
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
            statement = statement.where(self.keys.after(after))
        return statement.order_by(*self.keys.ordered).limit(limit)

    def left(self, after: Sequence[Any] | None) -> int:
        """How many rows of the table come after a key.

        A result cut short on its way looks like the end of the table; a count does not.
        """
        statement = sa.select(sa.func.count()).select_from(self.table)
        if after is not None:
            statement = statement.where(self.keys.after(after))
        return int(self.database.rows(statement, str(self.entity), self._usage)[0][0])

    def nothing_comes(self, after: Sequence[Any] | None, left: int) -> FatalError:
        """What it is called when rows are counted after a key, and none is given."""
        return FatalError(
            f"{self.entity}: short read: the database counts {left} rows after {after} and gives "
            f"none, {MOST_EMPTY} times in a row. The next sync resumes there."
        )

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

    # Rows

    def page_of(self, keys: Sequence[Key]) -> Page:
        """The rows of these keys, and a tombstone for each that is not there."""
        condition = self.keys.is_one_of([self.keys.typed(key) for key in keys])
        statement = self.chunk(condition, None, len(keys))
        rows = self.database.rows(statement, str(self.entity), self._usage)
        there = {tuple(map(str, self.key_of(row))) for row in rows}
        gone = [Tombstone(key) for key in keys if key not in there]
        return Page(self.records(rows), {}, tombstones=gone, hidden_columns=self.hidden_columns)

    def records(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Rows as records, times of a wall clock turned into moments."""
        return self._records.of(rows)

    def key_of(self, row: Sequence[Any]) -> list[Any]:
        return self._records.key_of(row)
