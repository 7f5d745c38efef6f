"""The warehouse: connections, the load statement, and exact counts.

Rows travel by binary COPY into a temporary table; one statement moves them into the entity's
table, leaves unchanged and newer rows alone, and says how many it created and updated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.columns import SqlType
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.rows.processor import Row as Row
from crm_sync_assets.warehouse.connection import Connection, message_of
from crm_sync_assets.warehouse.counts import Counts
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
    Columns in `hidden_columns` could not be read: a stored row keeps what it has there. A stored
    version dated after `future` is dated wrongly, so any other may replace it. With a vault,
    sensitive values are encrypted on their way into the staging table.
    """

    def __init__(
        self, entity: Entity, *, overwrite: bool, keep_issues: bool, vault: Vault | None = None
    ) -> None:
        self.entity = entity
        self.overwrite = overwrite
        self.keep_issues = keep_issues
        self.hidden_columns: frozenset[str] = frozenset()
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
        key = [column.name for column in self.entity.key]
        indexes = {column.index for column in self._encrypted if column.name in self.hidden_columns}
        left_out = {*key, *self.hidden_columns, *indexes}
        changing = [name for name in self.names if name not in left_out]
        if self.keep_issues:
            changing.remove("sync_issues")
        # Two encryptions of one value differ; their blind indexes do not.
        encrypted = {column.name for column in self._encrypted}
        compared = [name for name in changing if name not in encrypted]
        sets: list[sql.Composable] = [
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changing
        ]
        differs: list[sql.Composable] = []
        # An association is all key: without issues, there is nothing to compare.
        if compared:
            differs.append(
                sql.SQL("({}) IS DISTINCT FROM ({})").format(
                    _list(compared, "t"), _list(compared, "excluded")
                )
            )
        if "deleted_at" not in self.names:
            # A record that comes back loses its deleted_at.
            sets.append(sql.SQL("deleted_at = NULL"))
            differs.append(sql.SQL("t.deleted_at IS NOT NULL"))
        return sql.SQL(
            "WITH loaded AS ("
            "INSERT INTO {target} AS t ({names}, sync_created_at, sync_updated_at) "
            "SELECT {names}, now(), now() FROM {source} ORDER BY {key} "
            "ON CONFLICT ({key}) DO UPDATE SET {sets} "
            "WHERE {newer} AND ({differs}) "
            "RETURNING (xmax = 0) AS created) "
            "SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created) "
            "FROM loaded"
        ).format(
            target=target,
            source=source,
            names=_list(self.names),
            key=_list(key),
            sets=sql.SQL(", ").join([*sets, sql.SQL("sync_updated_at = now()")]),
            newer=self._newer(),
            differs=sql.SQL(" OR ").join(differs) if differs else sql.SQL("false"),
        )

    def _newer(self) -> sql.Composable:
        conditions: list[sql.Composable] = []
        if self.entity.modified is not None and not self.overwrite:
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
        """One row per key, the newest; ties go to the row that came later."""
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
) -> tuple[Counts, list[Rejected]]:
    """Upsert `rows` inside the caller's transaction; what the database refuses comes back.

    A refused set is halved until the culprits stand alone, so a bad row costs about
    2·log₂(rows) statements and its neighbours load. Raises whatever is not the rows' fault.
    `after_copy` runs while the rows are staged.
    """
    try:
        with connection.transaction():
            if not fresh_stage:
                connection.execute(sql.SQL("TRUNCATE {}").format(table.stage))
            _copy(connection, table, rows)
            found = connection.execute(table.upsert(table.stage, target)).fetchone()
            if after_copy is not None:
                after_copy()
    except Exception as error:
        if not is_data_error(error):
            raise
        if len(rows) == 1:
            return Counts(processed=1, failed=1), [Rejected(rows[0], message_of(error))]
        middle = len(rows) // 2
        counts, rejected = Counts(), []
        for half in (rows[:middle], rows[middle:]):
            more, refused = load(
                connection, table, half, target=target, fresh_stage=False, after_copy=after_copy
            )
            counts += more
            rejected += refused
        return counts, rejected
    created, updated = found or (0, 0)
    unchanged = len(rows) - created - updated
    return Counts(len(rows), created, updated, unchanged), []


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(table.copy()) as copy:
        copy.set_types(table.types)
        write = copy.write_row
        for row in rows if table.encryptor is None else map(table.encryptor, rows):
            write(row)
