"""Everything sensitive under the newest key: the first encryption, and every rotation after it.

Syncs go on meanwhile. What still has to be done is read from the data, a batch of rows per
transaction, so whatever ends a rotation half way, the next one finishes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from crm_sync_assets.clients import oauth
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import VARIABLE, key_id
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import attempts, encryption, quarantine, tables
from crm_sync_assets.warehouse.connection import (
    Connection,
    Warehouse,
    is_worth_repeating,
    message_of,
)
from crm_sync_assets.warehouse.vault import (
    SUFFIX,
    Sealed,
    Vault,
    looks_sealed,
    plain,
    sealed_columns,
)

log = logger(__name__)

BATCH = 1_000
"""Rows of one transaction."""

_PASSES = 3
_TRIES = 8

T = TypeVar("T")


@dataclass(slots=True)
class Place:
    """A table with sensitive values: rows sealed just now, rows not under the newest key."""

    name: str
    sealed: int = 0
    left: int = 0


@dataclass(slots=True)
class Rotation:
    """What became of it. `retired` are ids of keys that nothing is sealed under any more, `in_use`
    those of older keys that something still is.
    """

    newest: str
    places: list[Place] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return sum(place.left for place in self.places)


def rotate(warehouse: Warehouse, entities: Iterable[Entity]) -> Rotation:
    """Seal what is plain, seal anew what is under an older key, and retire the keys left empty.

    Raises UsageError when no key is set or one is missing, FatalError when another rotation runs
    or a table cannot be had.
    """
    keys = _keys(warehouse)
    entities = list(entities)
    with _alone(warehouse), warehouse.connection() as connection:
        vault = encryption.register(connection, keys)
        done = Rotation(vault.newest)
        sealed: dict[str, int] = {}
        for _ in range(_PASSES):
            for place in _places(connection, entities, make_room=True):
                log.info("encryption: sealing %s under key %s", place.name, vault.newest)
                sealed[place.name] = sealed.get(place.name, 0) + place.seal(vault)
            done.places = [
                Place(place.name, sealed.get(place.name, 0), place.waiting(vault.newest))
                for place in _places(connection, entities)
            ]
            if not done.left:
                break
        _retire(connection, done, entities)
    return done


def outstanding(warehouse: Warehouse, entities: Iterable[Entity]) -> Rotation:
    """The rows that are not under the newest key. Changes nothing. Raises UsageError for keys."""
    keys = _keys(warehouse)
    with warehouse.connection() as connection:
        known = encryption.registered(connection)
        encryption.refuse_missing(known, keys)
        newest = key_id(keys[0])
        return Rotation(
            newest,
            [
                Place(place.name, 0, place.waiting(newest))
                for place in _places(connection, list(entities))
            ],
            in_use=[name for name in known if name != newest],
        )


def _keys(warehouse: Warehouse) -> Sequence[str]:
    if not warehouse.encryption_keys:
        raise UsageError(
            f"{VARIABLE} is not set: `crm-sync rotate-keys --new` prints a key to put there"
        )
    return warehouse.encryption_keys


@contextmanager
def _alone(warehouse: Warehouse) -> Iterator[None]:
    with warehouse.connection() as connection:
        lock = "hashtextextended('crm_sync rotate keys', 0)"
        row = connection.execute(f"SELECT pg_try_advisory_lock({lock})").fetchone()
        connection.commit()
        if not row or not row[0]:
            raise FatalError("another `crm-sync rotate-keys` is at work on this warehouse")
        try:
            yield
        finally:
            if not connection.closed:
                connection.rollback()
                connection.execute(f"SELECT pg_advisory_unlock({lock})")
                connection.commit()


def _committed(connection: Connection, what: str, transaction: Callable[[], T]) -> T:
    """What `transaction` returns, once committed; again after a deadlock or a lock timeout."""
    for attempt in range(1, _TRIES + 1):
        try:
            with connection.transaction():
                return transaction()
        except psycopg.Error as error:
            if not is_worth_repeating(error) or attempt == _TRIES:
                raise FatalError(
                    f"{what} could not be encrypted: {message_of(error)}. What was done until now "
                    "is kept; run `crm-sync rotate-keys` again"
                ) from error
            time.sleep(min(0.1 * 2**attempt, 5))
    raise AssertionError("unreachable")


# Places


def _places(
    connection: Connection, entities: Sequence[Entity], *, make_room: bool = False
) -> Iterator[_Rows | _Quarantine | _Tokens]:
    """Every place there is. A table comes after the shadows a resumed sync would fill it from."""
    for entity in entities:
        if entity.tombstones_of or not sealed_columns(entity.columns):
            continue
        for table in (*attempts.shadows(connection, entity), entity.table):
            connection.commit()
            rows = _Rows(connection, entity, table)
            if make_room:
                rows.make_room()
            if rows.columns:
                yield rows
    yield _Quarantine(connection)
    yield _Tokens(connection)


@dataclass
class _Rows:
    """An entity's table, or the shadow of one."""

    connection: Connection
    entity: Entity
    name: str

    @cached_property
    def existing(self) -> dict[str, str]:
        found = tables.existing_columns(self.connection, self.name) or {}
        self.connection.commit()
        return found

    @property
    def columns(self) -> list[Sealed]:
        return [c for c in sealed_columns(self.entity.columns) if c.name in self.existing]

    @property
    def _plain(self) -> list[Sealed]:
        return [column for column in self.columns if column.index not in self.existing]

    def make_room(self) -> None:
        """Turn sensitive columns to text, each with its blind index, which takes over its index."""
        if self._plain:
            _committed(self.connection, self.name, self._widen)
            del self.existing

    def _widen(self) -> None:
        # Whoever waits for the table waits behind this, so it gives up soon and comes again.
        self.connection.execute("SET LOCAL lock_timeout = '3s'")
        self.connection.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(self.name))
        )
        declared = {column.name: column.sql for column in self._plain}
        tables.refuse_other_types(self.entity, dict(declared), self.existing)
        indexed = [column for column in self._plain if self._drop_index(column)]
        actions: list[sql.Composable] = []
        for column in self._plain:
            name = sql.Identifier(column.name)
            actions.append(sql.SQL("ADD COLUMN {} text").format(sql.Identifier(column.index)))
            actions.append(sql.SQL("ALTER COLUMN {0} DROP DEFAULT").format(name))
            actions.append(sql.SQL("ALTER COLUMN {0} DROP NOT NULL").format(name))
            if column.sql != "text":
                actions.append(
                    sql.SQL("ALTER COLUMN {0} TYPE text USING to_jsonb({0})::text").format(name)
                )
        self.connection.execute(
            sql.SQL("ALTER TABLE {} {}").format(
                sql.Identifier(self.name), sql.SQL(", ").join(actions)
            )
        )
        for column in indexed:
            self.connection.execute(tables.create_index(self.name, self.name, column.index))

    def _drop_index(self, column: Sealed) -> bool:
        """Drop the index that was made for this column; whether there was one.

        Raises FatalError for an index of somebody else, which nothing could be found by any more.
        """
        found = self.connection.execute(
            "SELECT DISTINCT c.relname FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid "
            "JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
            "WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
            "AND c.relkind = 'i' AND d.refobjid = to_regclass(quote_ident(%s)) AND a.attname = %s",
            (self.name, column.name),
        ).fetchall()
        for (index,) in found:
            ours = tables.index_name(self.entity.table, column.name)
            if index != ours and self.name == self.entity.table:
                raise FatalError(
                    f"{self.name}: the index {index} is on the sensitive column {column.name}, "
                    "which is about to be encrypted. Drop it first; an index on "
                    f"{column.index} finds equal values afterwards"
                )
            self.connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
        return bool(found)

    def waiting(self, newest: str) -> int:
        """Rows with a value that is not sealed under this key."""
        query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
            sql.Identifier(self.name), self._waiting(newest)
        )
        row = self.connection.execute(query).fetchone()
        self.connection.commit()
        return int(row[0]) if row else 0

    def _waiting(self, newest: str) -> sql.Composable:
        """A value without a blind index is plain, whatever it looks like."""
        conditions = []
        for column in self.columns:
            if column.index in self.existing:
                condition = sql.SQL("{0} IS NOT NULL AND ({1} IS NULL OR {0} NOT LIKE {2})")
            else:
                condition = sql.SQL("{0} IS NOT NULL")
            conditions.append(
                condition.format(
                    sql.Identifier(column.name),
                    sql.Identifier(column.index),
                    sql.Literal(f"{newest}:%"),
                )
            )
        return sql.SQL(" OR ").join(conditions)

    def seal(self, vault: Vault) -> int:
        """Batch by batch in the order of the key; how many rows. A dropped shadow has none."""
        after: tuple[Any, ...] | None = None
        done = 0
        while True:
            try:
                some = _committed(
                    self.connection, self.name, partial(self._seal_some, vault, after)
                )
            except FatalError as error:
                gone = isinstance(error.__cause__, psycopg.errors.UndefinedTable)
                if gone and self.name != self.entity.table:
                    return done
                raise
            if not some:
                return done
            done += len(some)
            after = some[-1]

    def _seal_some(self, vault: Vault, after: tuple[Any, ...] | None) -> list[tuple[Any, ...]]:
        """Seal the next rows inside the caller's transaction; their keys."""
        encryption.hold(self.connection, vault)
        keys = [column.name for column in self.entity.key]
        names = [name for column in self.columns for name in (column.name, column.index)]
        types = [column.sql for column in self.entity.key] + ["text" for _ in names]
        beyond = sql.SQL("({}) > ({}) AND ").format(
            _list(keys), sql.SQL(", ").join(map(sql.Literal, after))
        ) if after else sql.SQL("")  # fmt: skip
        found = self.connection.execute(
            sql.SQL("SELECT {}, {} FROM {} WHERE {}({}) ORDER BY {} LIMIT {} FOR UPDATE").format(
                _list(keys),
                _list(names),
                sql.Identifier(self.name),
                beyond,
                self._waiting(vault.newest),
                _list(keys),
                sql.Literal(BATCH),
            )
        ).fetchall()
        if not found:
            return []
        rows = [self._sealed(vault, row) for row in found]
        self.connection.execute(
            sql.SQL("UPDATE {} AS t SET {} FROM unnest({}) AS d({}) WHERE {}").format(
                sql.Identifier(self.name),
                sql.SQL(", ").join(
                    sql.SQL("{0} = d.{0}").format(sql.Identifier(name)) for name in names
                ),
                sql.SQL(", ").join(sql.SQL("%s::" + kind + "[]") for kind in types),
                _list([*keys, *names]),
                sql.SQL(" AND ").join(
                    sql.SQL("t.{0} = d.{0}").format(sql.Identifier(name)) for name in keys
                ),
            ),
            [list(values) for values in zip(*rows, strict=True)],
        )
        return [row[: len(keys)] for row in found]

    def _sealed(self, vault: Vault, row: tuple[Any, ...]) -> list[Any]:
        parts = len(self.entity.key)
        key = tuple(map(str, row[:parts]))
        made = list(row[:parts])
        for column, stored, index in zip(
            self.columns, row[parts::2], row[parts + 1 :: 2], strict=True
        ):
            # A shadow's rows become the table's rows as they are.
            context = (self.entity.table, column.name, *key)
            if stored is None:
                made += [None, None]
            elif index is None:
                try:
                    value = plain(stored, column.sql)
                except ValueError as error:
                    raise FatalError(
                        f"{'/'.join(context)} cannot be encrypted, its value cannot be read "
                        f"({type(error).__name__}): correct it, and run this again"
                    ) from None
                made += [vault.seal(context, value), vault.index(column.kind, value)]
            elif stored.startswith(f"{vault.newest}:"):
                made += [stored, index]
            else:
                made += [vault.reseal(context, stored), index]
        return made


@dataclass
class _Quarantine:
    connection: Connection
    name: str = "ingestion_quarantine"

    def waiting(self, newest: str) -> int:
        return _count(
            self.connection,
            "SELECT count(*) FROM ingestion_quarantine WHERE payload NOT LIKE %s",
            f"{newest}:%",
        )

    def seal(self, vault: Vault) -> int:
        done = 0
        while some := _committed(self.connection, self.name, lambda: self._seal_some(vault)):
            done += some
        return done

    def _seal_some(self, vault: Vault) -> int:
        encryption.hold(self.connection, vault)
        found = self.connection.execute(
            "SELECT id, crm_source, sync_type, record_id, payload FROM ingestion_quarantine "
            "WHERE payload NOT LIKE %s ORDER BY id LIMIT %s FOR UPDATE",
            (f"{vault.newest}:%", BATCH),
        ).fetchall()
        for number, crm, sync_type, record_id, payload in found:
            again = vault.reseal if looks_sealed(payload) else vault.seal
            self.connection.execute(
                "UPDATE ingestion_quarantine SET payload = %s WHERE id = %s",
                (again(quarantine.context(crm, sync_type, record_id), payload), number),
            )
        return len(found)


@dataclass
class _Tokens:
    connection: Connection
    name: str = "ingestion_oauth_token"

    def waiting(self, newest: str) -> int:
        return _count(
            self.connection,
            "SELECT count(*) FROM ingestion_oauth_token WHERE sealed_under IS DISTINCT FROM %s",
            newest,
        )

    def seal(self, vault: Vault) -> int:
        return _committed(self.connection, self.name, lambda: self._seal_all(vault))

    def _seal_all(self, vault: Vault) -> int:
        encryption.hold(self.connection, vault)
        found = self.connection.execute(
            "SELECT account, access_token, refresh_token, sealed_under FROM ingestion_oauth_token "
            "WHERE sealed_under IS DISTINCT FROM %s FOR UPDATE",
            (vault.newest,),
        ).fetchall()
        for account, access, refresh, sealed_under in found:
            again = vault.seal if sealed_under is None else vault.reseal
            self.connection.execute(
                "UPDATE ingestion_oauth_token SET access_token = %s, refresh_token = %s, "
                "sealed_under = %s WHERE account = %s",
                (
                    access and again(oauth.context(account, "access"), access),
                    refresh and again(oauth.context(account, "refresh"), refresh),
                    vault.newest,
                    account,
                ),
            )
        return len(found)


def _count(connection: Connection, query: Any, value: str) -> int:
    row = connection.execute(query, (value,)).fetchone()
    connection.commit()
    return int(row[0]) if row else 0


# Retirement


def _retire(connection: Connection, done: Rotation, entities: Sequence[Entity]) -> None:
    """Strike the older keys that nothing is sealed under off the register."""
    for name in encryption.registered(connection):
        if name != done.newest:
            connection.commit()
            gone = _strike_unless_busy(connection, name, entities)
            (done.retired if gone else done.in_use).append(name)
    connection.commit()


def _strike_unless_busy(connection: Connection, name: str, entities: Sequence[Entity]) -> bool:
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '10s'")
            return _strike(connection, name, entities)
    except psycopg.Error as error:
        if is_worth_repeating(error):
            return False
        raise FatalError(
            f"key {name} could not be retired: {message_of(error)}. Everything is under the newest "
            "key; run `crm-sync rotate-keys` again"
        ) from error


def _strike(connection: Connection, name: str, entities: Sequence[Entity]) -> bool:
    # Waits for the batches that are being written with it; the next of them find it gone.
    connection.execute("SELECT FROM ingestion_encryption_key WHERE key_id = %s FOR UPDATE", (name,))
    if any(
        _holds(connection, table, column, name)
        for table, column in _sealed_in(connection, entities)
    ):
        return False
    for query in (
        "SELECT EXISTS (SELECT FROM ingestion_quarantine WHERE payload LIKE %s || ':%%')",
        "SELECT EXISTS (SELECT FROM ingestion_oauth_token WHERE sealed_under = %s)",
    ):
        row = connection.execute(query, (name,)).fetchone()
        if row and row[0]:
            return False
    connection.execute("DELETE FROM ingestion_encryption_key WHERE key_id = %s", (name,))
    return True


def _sealed_in(connection: Connection, entities: Sequence[Entity]) -> set[tuple[str, str]]:
    """(table, column) of everything that may be sealed, also in tables of no declared entity."""
    by_index = {
        column.index: column.name
        for entity in entities
        for column in sealed_columns(entity.columns)
    }
    found = connection.execute(
        "SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a "
        "ON a.attrelid = c.oid WHERE c.relkind = 'r' AND c.relpersistence <> 't' "
        "AND pg_table_is_visible(c.oid) AND NOT a.attisdropped AND a.attnum > 0"
    ).fetchall()
    names = set(found)
    return {
        (table, column)
        for table, index in names
        if index.endswith(SUFFIX)
        and (table, column := by_index.get(index, index.removesuffix(SUFFIX))) in names
    }


def _holds(connection: Connection, table: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}::text LIKE {})").format(
        sql.Identifier(table), sql.Identifier(column), sql.Literal(f"{name}:%")
    )
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def _list(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
