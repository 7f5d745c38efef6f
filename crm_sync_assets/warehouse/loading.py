"""The warehouse: connections, the load statement, and exact counts.

Rows travel by binary COPY into a temporary table; one statement moves them into the entity's
table, leaves unchanged and newer rows alone, and says how many it created and updated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.columns import SqlType
from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.rows.processor import Row as Row
from crm_sync_assets.warehouse.connection import Connection, message_of
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import key_array
from crm_sync_assets.warehouse.folding import Fold, counted, counts_of, layers
from crm_sync_assets.warehouse.keeping import completed
from crm_sync_assets.warehouse.vault import Vault, encrypted_columns, encryptor

# Classes of SQLSTATE: the value is wrong, the row breaks a constraint, a limit of the server.
_DATA_CLASSES = ("22", "23", "54")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row the database refused, with its reason."""

    row: Row = field(repr=False)
    reason: str


def is_data_error(error: BaseException) -> bool:
    """Whether the rows are at fault, not the server or the connection.

    Some refusals carry no SQLSTATE: the driver cannot even encode the value.
    """
    if isinstance(error, psycopg.Error):
        if error.sqlstate is None:
            return isinstance(error, psycopg.DataError)
        return error.sqlstate.startswith(_DATA_CLASSES)
    return isinstance(error, ValueError | TypeError | ArithmeticError)


FUTURE = timedelta(days=1)
"""A record dated this far ahead of the source's clock is dated wrongly."""


class Table:
    """One entity's table, and the statements that load it, composed once per sync.

    `source` of a statement is the temporary staging table, or the shadow table of a replacement.
    Columns in `hidden_columns` could not be read: a stored row keeps what it has there. So it does
    in its rest column by other names than those `asked` for, where that is not None. A stored
    version dated after `future` is dated wrongly, so any other may replace it. With a vault,
    sensitive values are encrypted on their way into the staging table. Of rows that are put
    together of several records only a shadow table's overwrite what is newer: what a sync has read
    is gathered there, and its own records never overwrite one another.
    """

    def __init__(
        self, entity: Entity, *, overwrite: bool, keep_issues: bool, vault: Vault | None = None
    ) -> None:
        self.entity = entity
        self.overwrite = overwrite
        self.keep_issues = keep_issues
        self.vault = vault
        self.hidden_columns: frozenset[str] = frozenset()
        self.asked: frozenset[str] | None = None
        self.future: datetime | None = None
        self.names = [column.name for column in entity.columns] + ["sync_issues"]
        self.types: list[SqlType] = [column.sql for column in entity.columns] + ["jsonb"]
        self.encryptor = encryptor(vault, entity) if vault else None
        self._encrypted = encrypted_columns(entity.columns) if vault else ()
        for column in self._encrypted:
            self.types[self.names.index(column.name)] = "text"
        self.names += [column.index for column in self._encrypted]
        self.types += ["text"] * len(self._encrypted)
        self.stage = sql.Identifier("pg_temp", f"stage_{entity.table}"[:63])
        self.target = sql.Identifier(entity.table)

    def note_shown(self, pages: Sequence[Page]) -> None:
        """Remember what the source does not show with these pages."""
        self.hidden_columns |= {name for page in pages for name in page.hidden_columns}
        for page in pages:
            if page.asked is not None:
                asked = frozenset(page.asked)
                self.asked = asked if self.asked is None else self.asked & asked

    def create_stage(self) -> sql.Composed:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(cast(LiteralString, kind)))
            for name, kind in zip(self.names, self.types, strict=True)
        )
        return sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
            sql.Identifier(f"stage_{self.entity.table}"[:63]), columns
        )

    def copy(self) -> sql.Composed:
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            self.stage, sql.SQL(", ").join(map(sql.Identifier, self.names))
        )

    def upsert(self, source: sql.Composable, target: sql.Composable) -> sql.Composed:
        """Move `source`'s rows into `target`; returns one row: created, updated."""
        return sql.SQL(
            "WITH loaded AS ({}) "
            "SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created) "
            "FROM loaded"
        ).format(self._insert(source, target, sql.SQL("(xmax = 0) AS created")))

    def counting(
        self, source: sql.Composable, target: sql.Composable, sync_id: int, *, settles: bool = False
    ) -> sql.Composed:
        """The same where several records make a row, which is counted once; see `folding`."""
        told = sql.SQL("{} AS key, (xmax = 0) AS created").format(key_array(self.entity, "t"))
        insert = self._insert(source, target, told)
        return counted(insert, self.entity, source, sync_id, settles=settles)

    @property
    def fold(self) -> Fold | None:
        """How its rows are put together, where they are."""
        if not self.entity.parts:
            return None
        indexes = {column.name: column.index for column in self._encrypted}
        return Fold(self.entity, indexes, self.future)

    def _insert(
        self, source: sql.Composable, target: sql.Composable, told: sql.Composable
    ) -> sql.Composed:
        key = [column.name for column in self.entity.key]
        indexes = {column.index for column in self._encrypted if column.name in self.hidden_columns}
        left_out = {*key, *self.hidden_columns, *indexes}
        changing = [name for name in self.names if name not in left_out]
        if self.keep_issues:
            changing.remove("sync_issues")
        # Two encryptions of one value differ; their blind indexes do not.
        uncompared = {column.name for column in self._encrypted}
        uncompared |= {column.name for column in self.entity.columns if column.follows}
        sets: list[sql.Composable] = []
        differs: list[sql.Composable] = []
        for names, brought in self._brought(changing, overwrite=source != self.stage):
            sets += [_set(name, brought) for name in names]
            # An association is all key: without issues, there is nothing to compare.
            compared = [name for name in names if name not in uncompared]
            if compared:
                differ = sql.SQL("({}) IS DISTINCT FROM ({})").format(
                    _list(compared, "t"), _list(compared, "excluded")
                )
                differs.append(
                    differ if brought is None else sql.SQL("({} AND {})").format(brought, differ)
                )
        if "deleted_at" not in self.names:
            # A record that comes back loses its deleted_at.
            sets.append(sql.SQL("deleted_at = NULL"))
            differs.append(sql.SQL("t.deleted_at IS NOT NULL"))
            if self.entity.merges_told:
                # It says itself that it is merged no more.
                sets.append(sql.SQL("merged_into = NULL"))
        return sql.SQL(
            "INSERT INTO {target} AS t ({names}, sync_created_at, sync_updated_at) "
            "SELECT {names}, now(), now() FROM {source} ORDER BY {key} "
            "ON CONFLICT ({key}) DO UPDATE SET {sets} "
            "WHERE {newer} AND ({differs}) "
            "RETURNING {told}"
        ).format(
            target=target,
            source=source,
            names=_list(self.names),
            key=_list(key),
            sets=sql.SQL(", ").join([*sets, sql.SQL("sync_updated_at = now()")]),
            newer=self._newer(),
            differs=sql.SQL(" OR ").join(differs) if differs else sql.SQL("false"),
            told=told,
        )

    def _brought(
        self, changing: Sequence[str], *, overwrite: bool
    ) -> Iterator[tuple[list[str], sql.Composable | None]]:
        """Columns that change together, and whether a row brings them; None: it always does."""
        fold = self.fold
        if fold is None:
            yield list(changing), None
            return
        for part in self.entity.parts:
            own = fold.names(part)
            brought = fold.brings(part, overwrite=overwrite and self.overwrite)
            yield [name for name in changing if name in own], brought

    def _newer(self) -> sql.Composable:
        conditions: list[sql.Composable] = []
        if self.entity.modified is not None and not self.overwrite and not self.entity.parts:
            # A wrong clock dated a row in the future: no edit would ever be newer.
            conditions.append(
                sql.SQL(
                    "(excluded.{0} >= t.{0}{1} OR (excluded.{0} >= t.{0}) IS NULL "
                    "OR (t.{0} > {2}) IS TRUE)"
                ).format(
                    sql.Identifier(self.entity.modified.name),
                    self._step_back(),
                    sql.Literal(self.future),
                )
            )
        if self.entity.merged_ids:
            # A merge is final: a late copy of the loser does not bring it back.
            conditions.append(sql.SQL("t.merged_into IS NULL"))
        return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")

    def _step_back(self) -> sql.Composable:
        step = self.entity.clock_steps_back
        return sql.SQL(" - {}").format(sql.Literal(step)) if step else sql.SQL("")

    def newest_per_key(self, rows: Sequence[Row]) -> list[Row]:
        """One row per key, the newest; ties go to the row that came later.

        Of rows that are put together, one for each part.
        """
        if self.fold is not None:
            return self.fold.newest(rows)
        positions = [i for i, column in enumerate(self.entity.columns) if column.key]
        modified = self.entity.modified
        moment = self.names.index(modified.name) if modified else None
        newest: dict[Any, Row] = {}
        first = positions[0] if len(positions) == 1 else None
        for row in rows:
            key = row[first] if first is not None else tuple(row[i] for i in positions)
            seen = newest.get(key)
            if seen is None or moment is None or not _older(row[moment], seen[moment]):
                newest[key] = row
        return list(newest.values())

    def key_of(self, row: Row) -> Key:
        return tuple(str(row[i]) for i, column in enumerate(self.entity.columns) if column.key)

    def value_of(self, row: Row, name: str) -> Any:
        """What the row has in this column; None where the table loads no such column."""
        return row[self.names.index(name)] if name in self.names else None


def _older(moment: datetime | None, than: datetime | None) -> bool:
    return moment is not None and than is not None and moment < than


def _set(name: str, brought: sql.Composable | None) -> sql.Composed:
    column = sql.Identifier(name)
    if brought is None:
        return sql.SQL("{0} = excluded.{0}").format(column)
    return sql.SQL("{0} = CASE WHEN {1} THEN excluded.{0} ELSE t.{0} END").format(column, brought)


def _list(names: Sequence[str], prefix: str | None = None) -> sql.Composed:
    parts = (sql.Identifier(prefix, n) if prefix else sql.Identifier(n) for n in names)
    return sql.SQL(", ").join(parts)


def load(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    *,
    target: sql.Composable,
    fresh_stage: bool,
    after_copy: Callable[[], None] | None = None,
    counted_in: int | None = None,
) -> tuple[Counts, list[Rejected]]:
    """Upsert `rows` inside the caller's transaction; what the database refuses comes back.

    A refused set is halved until the culprits stand alone, so a bad row costs about
    2·log₂(rows) statements and its neighbours load. Raises whatever is not the rows' fault.
    `after_copy` runs while the rows are staged. What was refused counts as failed; with
    `counted_in`, the sync in which rows of several records are counted once, it is left to the
    caller to count it.
    """
    loading = _Loading(connection, table, target, after_copy, counted_in)
    counts, rejected = Counts(), list[Rejected]()
    key = table.names.index(table.entity.key[0].name)
    for layer in layers(rows, key) if table.entity.parts else [rows]:
        more, refused = loading.load(layer, fresh_stage=fresh_stage)
        counts += more
        rejected += refused
        fresh_stage = False
    return counts, rejected


@dataclass(frozen=True, slots=True)
class _Loading:
    connection: Connection
    table: Table
    target: sql.Composable
    after_copy: Callable[[], None] | None
    counted_in: int | None

    def load(self, rows: Sequence[Row], *, fresh_stage: bool) -> tuple[Counts, list[Rejected]]:
        """Rows of which each has a key of its own."""
        try:
            with self.connection.transaction():
                return self._moved(rows, fresh_stage=fresh_stage), []
        except Exception as error:
            if not is_data_error(error):
                raise
            if len(rows) == 1:
                failed = 1 if self.counted_in is None else 0
                refused = Rejected(rows[0], message_of(error))
                return Counts(processed=failed, failed=failed), [refused]
            middle = len(rows) // 2
            counts, rejected = self.load(rows[:middle], fresh_stage=False)
            more, refused_too = self.load(rows[middle:], fresh_stage=False)
            return counts + more, rejected + refused_too

    def _moved(self, rows: Sequence[Row], *, fresh_stage: bool) -> Counts:
        connection, table = self.connection, self.table
        if not fresh_stage:
            connection.execute(sql.SQL("TRUNCATE {}").format(table.stage))
        _copy(
            connection, table, completed(connection, table.entity, rows, table.asked, table.vault)
        )
        if self.counted_in is None:
            found = connection.execute(table.upsert(table.stage, self.target)).fetchone()
            created, updated = found or (0, 0)
            counts = Counts(len(rows), created, updated, len(rows) - created - updated)
        else:
            statement = table.counting(table.stage, self.target, self.counted_in)
            counts = counts_of(connection.execute(statement).fetchone())
        if self.after_copy is not None:
            self.after_copy()
        return counts


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    fold = table.fold
    bare = rows if fold is None else map(fold.bare, rows)
    with connection.cursor() as cursor, cursor.copy(table.copy()) as copy:
        copy.set_types(table.types)
        write = copy.write_row
        for row in bare if table.encryptor is None else map(table.encryptor, bare):
            write(row)
