"""Connections to the warehouse: a pool, what a failure means, and what is asked of known rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, cast

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import set_json_dumps

from crm_sync_assets import keysums
from crm_sync_assets.errors import SyncError, Unavailable
from crm_sync_assets.told import cause, words
from crm_sync_assets.warehouse import postgres
from crm_sync_assets.warehouse.postgres import sqlalchemy_url

Connection = psycopg.Connection[tuple[Any, ...]]

set_json_dumps(msgspec.json.encode)
_TRY_AGAIN = {"40P01", "40001", "55P03"}
_CONNECTION_CLASSES = ("08", "57P")


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

    `encryption_keys` are what its sensitive values are encrypted under, the newest first.
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
            raise Unavailable(
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


def message_of(error: BaseException) -> str:
    """What the database or the driver said, in one line with its SQLSTATE and without values."""
    return words(error)
