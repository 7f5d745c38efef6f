"""The warehouse: connections, the load statement, and exact counts.

Rows travel by binary COPY into a temporary table; one statement moves them into the entity's
table, leaves unchanged and newer rows alone, and says how many it created and updated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, LiteralString, cast

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import set_json_dumps

from crm_sync_assets import keysums, postgres
from crm_sync_assets.declarations.columns import SqlType
from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.postgres import sqlalchemy_url
from crm_sync_assets.told import cause, words
from crm_sync_assets.vault import Vault, sealed_columns, sealer

Row = tuple[Any, ...]
Connection = psycopg.Connection[tuple[Any, ...]]

set_json_dumps(msgspec.json.encode)

# Classes of SQLSTATE: the value is wrong, the row breaks a constraint, a limit of the server.
_DATA_CLASSES = ("22", "23", "54")
_TRY_AGAIN = {"40P01", "40001", "55P03"}
_CONNECTION_CLASSES = ("08", "57P")


@dataclass(slots=True)
class Counts:
    """What happened to the records of a sync; processed is the sum of the next four."""

    processed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    deleted: int = 0
    warnings: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def add_up(self) -> bool:
        return self.processed == self.created + self.updated + self.unchanged + self.failed


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


def is_lost_connection(error: BaseException) -> bool:
    """Whether the same batch may succeed on a new connection."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_CONNECTION_CLASSES)


def is_worth_repeating(error: BaseException) -> bool:
    """A deadlock, a serialization failure, a lock timeout: the same transaction may pass next."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _TRY_AGAIN


class Warehouse:
    """A pool of connections to one PostgreSQL database.

    `encryption_keys` are what its sensitive values are sealed under, the newest first.
    """

    def __init__(self, url: str, encryption_keys: Sequence[str] = ()) -> None:
        self.url = url
        self.encryption_keys = tuple(encryption_keys)

    @cached_property
    def engine(self) -> sa.Engine:
        url = sqlalchemy_url(self.url)
        return sa.create_engine(
            url,
            creator=lambda: postgres.connect(url),
            pool_size=5,
            max_overflow=20,
            pool_pre_ping=True,
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A pooled psycopg connection; what was not committed is rolled back on the way out.

        Raises FatalError, saying what to check, when the server cannot be reached.
        """
        with self.checkout() as pooled:
            connection = cast(Connection, pooled.driver_connection)
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.rollback()

    def checkout(self) -> sa.PoolProxiedConnection:
        try:
            return self.engine.raw_connection()
        except SyncError:
            raise
        except Exception as error:
            server = sqlalchemy_url(self.url).render_as_string(hide_password=True)
            raise FatalError(
                f"the warehouse {server} cannot be reached: {cause(error)}. "
                f"Check {postgres.VARIABLE}, or unset it to use the embedded PostgreSQL."
            ) from error

    def keys(
        self,
        table: str,
        *,
        column: str = "id",
        after: str | None = None,
        limit: int,
        deleted_since: datetime | None = None,
    ) -> list[str]:
        """See `Known.keys`."""
        chosen: sql.Composable = sql.SQL("deleted_at IS NULL")
        if deleted_since is not None:
            chosen = sql.SQL("deleted_at >= {} {}").format(
                sql.Literal(deleted_since),
                sql.SQL("AND merged_into IS NULL")
                if self._has(table, "merged_into")
                else sql.SQL(""),
            )
        query = sql.SQL(
            'SELECT {column}::text COLLATE "C" AS key FROM {table} '
            'WHERE {chosen} AND (%s::text IS NULL OR {column}::text COLLATE "C" > %s) '
            "ORDER BY 1 LIMIT %s"
        ).format(column=sql.Identifier(column), table=sql.Identifier(table), chosen=chosen)
        if not self._has(table, column):
            return []
        with self.connection() as connection:
            return [row[0] for row in connection.execute(query, (after, after, limit))]

    def numbers(
        self,
        table: str,
        columns: Sequence[str],
        *,
        low: int | None = None,
        high: int | None = None,
        limit: int | None = None,
    ) -> list[tuple[int, ...]]:
        """See `Known.numbers`."""
        if not self._has(table, columns[0]):
            return []
        query = sql.SQL(
            "SELECT {keys} FROM {table} WHERE deleted_at IS NULL AND {first} >= {low} "
            "AND {first} < {high} ORDER BY {keys} LIMIT {limit}"
        ).format(
            keys=sql.SQL(", ").join(map(sql.Identifier, columns)),
            table=sql.Identifier(table),
            first=sql.Identifier(columns[0]),
            low=sql.SQL("'-infinity'::numeric") if low is None else sql.Literal(low),
            high=sql.SQL("'infinity'::numeric") if high is None else sql.Literal(high),
            limit=sql.Literal(limit),
        )
        with self.connection() as connection:
            return connection.execute(query).fetchall()

    def key_sums(
        self, table: str, columns: Sequence[str], *, low: int, high: int
    ) -> dict[int, tuple[int, int, int]]:
        """See `Known.key_sums`."""
        if not self._has(table, columns[0]):
            return {}
        quoted = [sql.Identifier(name).as_string() for name in columns]
        bucket, total, scrambled = keysums.terms(quoted, low)
        query = (
            f"SELECT {bucket}, count(*), {total}, {scrambled} "  # noqa: S608  quoted above
            f"FROM {sql.Identifier(table).as_string()} "
            f"WHERE deleted_at IS NULL AND {quoted[0]} >= %s AND {quoted[0]} < %s GROUP BY 1"
        )
        with self.connection() as connection:
            found = connection.execute(query, (low, high))
            return {int(b): (int(n), int(a), int(c)) for b, n, a, c in found}

    def _has(self, table: str, column: str) -> bool:
        with self.connection() as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(%s)) "
                "AND attname = %s AND NOT attisdropped",
                (table, column),
            ).fetchone()
        return found is not None

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()


FUTURE = timedelta(days=1)
"""A record dated this far ahead of the source's clock is dated wrongly."""


class Table:
    """One entity's table, and the statements that load it, composed once per sync.

    `source` of a statement is the temporary staging table, or the shadow table of a replacement.
    Columns in `withheld` could not be read: a stored row keeps what it has there. A stored version
    dated after `future` is dated wrongly, so any other may replace it. With a vault, sensitive
    values are sealed on their way into the staging table.
    """

    def __init__(
        self, entity: Entity, *, overwrite: bool, keep_issues: bool, vault: Vault | None = None
    ) -> None:
        self.entity = entity
        self.overwrite = overwrite
        self.keep_issues = keep_issues
        self.withheld: frozenset[str] = frozenset()
        self.future: datetime | None = None
        self.names = [column.name for column in entity.columns] + ["sync_issues"]
        self.types: list[SqlType] = [column.sql for column in entity.columns] + ["jsonb"]
        self.sealer = sealer(vault, entity) if vault else None
        self._sealed = sealed_columns(entity.columns) if vault else ()
        for column in self._sealed:
            self.types[self.names.index(column.name)] = "text"
        self.names += [column.index for column in self._sealed]
        self.types += ["text"] * len(self._sealed)
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
        indexes = {column.index for column in self._sealed if column.name in self.withheld}
        left_out = {*key, *self.withheld, *indexes}
        changing = [name for name in self.names if name not in left_out]
        if self.keep_issues:
            changing.remove("sync_issues")
        # Two seals of one value differ; their blind indexes do not.
        sealed = {column.name for column in self._sealed}
        compared = [name for name in changing if name not in sealed]
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


def _older(moment: datetime | None, than: datetime | None) -> bool:
    return moment is not None and than is not None and moment < than


def _list(names: Sequence[str], prefix: str | None = None) -> sql.Composed:
    parts = (sql.Identifier(prefix, n) if prefix else sql.Identifier(n) for n in names)
    return sql.SQL(", ").join(parts)


def key_array(entity: Entity, alias: str) -> sql.Composed:
    """SQL for a row's key as text[]: what `ingestion_sync_keys` holds."""
    return sql.SQL("ARRAY[{}]").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(alias, column.name)) for column in entity.key
        )
    )


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
            return Counts(processed=1, failed=1), [Rejected(rows[0], reason(error))]
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
        for row in rows if table.sealer is None else map(table.sealer, rows):
            write(row)


def reason(error: BaseException) -> str:
    """The database's refusal in one line, without the values it quotes."""
    return words(error)


def message_of(error: BaseException) -> str:
    """What the database or the driver said, in one line with its SQLSTATE and without values."""
    return words(error)


def bury(
    connection: Connection, entity: Entity, tombstones: Sequence[Tombstone]
) -> tuple[int, int]:
    """Mark rows as deleted inside the caller's transaction; (newly marked, already or unknown).

    `entity` is the one whose table holds the rows. A row merged away also names its survivor.
    """
    if not tombstones:
        return 0, 0
    merged = sql.SQL(", merged_into = coalesce(d.merged_into, t.merged_into)")
    query = sql.SQL(
        "UPDATE {table} AS t SET deleted_at = coalesce(t.deleted_at, d.deleted_at, now()), "
        "sync_updated_at = now(){archived}{merged} "
        "FROM (SELECT string_to_array(k, E'\\x1f') AS key, at AS deleted_at, m AS merged_into "
        "FROM unnest(%s::text[], %s::timestamptz[], %s::text[]) AS d(k, at, m)) AS d "
        "WHERE {key} = d.key AND (t.deleted_at IS NULL{or_merged})"
    ).format(
        table=sql.Identifier(entity.table),
        archived=_archived(entity),
        merged=merged if entity.merged_ids else sql.SQL(""),
        key=key_array(entity, "t"),
        or_merged=sql.SQL(
            " OR (d.merged_into IS DISTINCT FROM t.merged_into AND d.merged_into IS NOT NULL)"
        )
        if entity.merged_ids
        else sql.SQL(""),
    )
    columns = (
        ["\x1f".join(t.key) for t in tombstones],
        [t.deleted_at for t in tombstones],
        [t.merged_into for t in tombstones],
    )
    marked = connection.execute(query, columns).rowcount
    return marked, len(tombstones) - marked


def _archived(entity: Entity) -> sql.Composable:
    has_flag = any(column.name == "archived" for column in entity.columns)
    return sql.SQL(", archived = true") if has_flag else sql.SQL("")


def bury_absent(connection: Connection, entity: Entity, seen: sql.Composable) -> int:
    """Mark live rows whose key is not in `seen` (a query giving one text[] column) as deleted."""
    query = sql.SQL(
        "UPDATE {table} AS t SET deleted_at = now(), sync_updated_at = now(){archived} "
        "WHERE {absent}"
    ).format(
        table=sql.Identifier(entity.table), archived=_archived(entity), absent=absent(entity, seen)
    )
    return connection.execute(query).rowcount


def absent(entity: Entity, seen: sql.Composable) -> sql.Composed:
    """Of the table as `t`: live rows whose key is not in `seen`, a query of one text[] column."""
    return sql.SQL(
        "t.deleted_at IS NULL AND NOT EXISTS "
        "(SELECT FROM ({seen}) AS seen(key) WHERE seen.key = {key})"
    ).format(seen=seen, key=key_array(entity, "t"))


def point_losers_to_survivors(connection: Connection, entity: Entity) -> int:
    """Mark rows that a surviving record names in its merged ids; how many changed.

    A loser named by several survivors (a chain of merges) goes to the one still alive.
    """
    if not entity.merged_ids:
        return 0
    (key,) = entity.key
    query = sql.SQL(
        "WITH claims AS ("
        "SELECT DISTINCT ON (m.id) m.id, s.{key} AS survivor FROM {table} AS s, "
        "jsonb_array_elements_text(s.{merged}) AS m(id) "
        "WHERE s.{merged} IS NOT NULL AND m.id <> s.{key} "
        "ORDER BY m.id, (s.deleted_at IS NULL) DESC, s.{modified} DESC NULLS LAST, s.{key} DESC) "
        "UPDATE {table} AS t SET merged_into = claims.survivor, "
        "deleted_at = coalesce(t.deleted_at, now()), sync_updated_at = now(){archived} "
        "FROM claims WHERE t.{key} = claims.id AND t.merged_into IS DISTINCT FROM claims.survivor"
    ).format(
        key=sql.Identifier(key.name),
        table=sql.Identifier(entity.table),
        merged=sql.Identifier(entity.merged_ids),
        modified=sql.Identifier(entity.modified.name if entity.modified else key.name),
        archived=_archived(entity),
    )
    return connection.execute(query).rowcount
