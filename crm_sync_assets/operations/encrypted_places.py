"""Where encrypted values lie, and how each place is moved to another key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from crm_sync_assets.clients import oauth
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError
from crm_sync_assets.warehouse import encryption, quarantine, tables, views, webhook_events
from crm_sync_assets.warehouse.connection import (
    Connection,
    is_worth_repeating,
    message_of,
)
from crm_sync_assets.warehouse.vault import (
    EncryptedColumn,
    Vault,
    encrypted_columns,
    looks_encrypted,
    plain,
)

BATCH = 1_000
"""Rows of one transaction."""

PASSES = 3
_TRIES = 8

T = TypeVar("T")


@dataclass(slots=True)
class Place:
    """A table with sensitive values: rows encrypted just now, rows not under the newest key."""

    name: str
    encrypted: int = 0
    left: int = 0


@dataclass(slots=True)
class Rotation:
    """What became of it. `retired` are ids of keys that nothing is encrypted under any more,
    `in_use` those of older keys that something still is.
    """

    newest: str
    places: list[Place] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return sum(place.left for place in self.places)


def committed(connection: Connection, what: str, transaction: Callable[[], T]) -> T:
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


@dataclass
class EncryptedRows:
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
    def columns(self) -> list[EncryptedColumn]:
        return [c for c in encrypted_columns(self.entity.columns) if c.name in self.existing]

    @property
    def _plain(self) -> list[EncryptedColumn]:
        return [column for column in self.columns if column.index not in self.existing]

    def make_room(self) -> None:
        """Turn sensitive columns to text, each with its blind index, which takes over its index."""
        if self._plain:
            committed(self.connection, self.name, self._widen)
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
        # A view of a column stands in the way of another type for it.
        with views.aside(self.connection, self.name):
            self.connection.execute(
                sql.SQL("ALTER TABLE {} {}").format(
                    sql.Identifier(self.name), sql.SQL(", ").join(actions)
                )
            )
        for column in indexed:
            self.connection.execute(tables.create_index(self.name, self.name, column.index))

    def _drop_index(self, column: EncryptedColumn) -> bool:
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
        """Rows with a value that is not encrypted under this key."""
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

    def encrypt(self, vault: Vault) -> int:
        """Batch by batch in the order of the key; how many rows. A dropped shadow has none."""
        after: tuple[Any, ...] | None = None
        done = 0
        while True:
            try:
                some = committed(
                    self.connection, self.name, partial(self._encrypt_some, vault, after)
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

    def _encrypt_some(self, vault: Vault, after: tuple[Any, ...] | None) -> list[tuple[Any, ...]]:
        """Encrypt the next rows inside the caller's transaction; their keys."""
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
        rows = [self._encrypted(vault, row) for row in found]
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

    def _encrypted(self, vault: Vault, row: tuple[Any, ...]) -> list[Any]:
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
                made += [vault.encrypt(context, value), vault.index(column.kind, value)]
            elif stored.startswith(f"{vault.newest}:"):
                made += [stored, index]
            else:
                made += [vault.reencrypt(context, stored), index]
        return made


@dataclass
class EncryptedQuarantine:
    connection: Connection
    name: str = "ingestion_quarantine"

    def waiting(self, newest: str) -> int:
        return _count(
            self.connection,
            "SELECT count(*) FROM ingestion_quarantine WHERE payload NOT LIKE %s",
            f"{newest}:%",
        )

    def encrypt(self, vault: Vault) -> int:
        done = 0
        while some := committed(self.connection, self.name, lambda: self._encrypt_some(vault)):
            done += some
        return done

    def _encrypt_some(self, vault: Vault) -> int:
        encryption.hold(self.connection, vault)
        found = self.connection.execute(
            "SELECT id, crm_source, sync_type, record_id, payload FROM ingestion_quarantine "
            "WHERE payload NOT LIKE %s ORDER BY id LIMIT %s FOR UPDATE",
            (f"{vault.newest}:%", BATCH),
        ).fetchall()
        for number, crm, sync_type, record_id, payload in found:
            again = vault.reencrypt if looks_encrypted(payload) else vault.encrypt
            self.connection.execute(
                "UPDATE ingestion_quarantine SET payload = %s WHERE id = %s",
                (again(quarantine.context(crm, sync_type, record_id), payload), number),
            )
        return len(found)


@dataclass
class EncryptedEvents:
    connection: Connection
    name: str = "ingestion_webhook_event"

    def waiting(self, newest: str) -> int:
        return _count(
            self.connection,
            "SELECT count(*) FROM ingestion_webhook_event WHERE payload NOT LIKE %s",
            f"{newest}:%",
        )

    def encrypt(self, vault: Vault) -> int:
        done, last = 0, 0
        while True:
            some, last = committed(
                self.connection, self.name, partial(self._encrypt_some, vault, last)
            )
            if not some:
                return done
            done += some

    def _encrypt_some(self, vault: Vault, after: int) -> tuple[int, int]:
        """Encrypt the next ones after an id; how many, and up to which."""
        encryption.hold(self.connection, vault)
        found = self.connection.execute(
            "SELECT id, source, event_key, payload FROM ingestion_webhook_event "
            "WHERE payload NOT LIKE %s AND id > %s ORDER BY id LIMIT %s FOR UPDATE",
            (f"{vault.newest}:%", after, BATCH),
        ).fetchall()
        for number, source, key, payload in found:
            again = vault.reencrypt if looks_encrypted(payload) else vault.encrypt
            self.connection.execute(
                "UPDATE ingestion_webhook_event SET payload = %s WHERE id = %s",
                (again(webhook_events.context(source, key), payload), number),
            )
        return len(found), found[-1][0] if found else after


@dataclass
class EncryptedTokens:
    connection: Connection
    name: str = "ingestion_oauth_token"

    def waiting(self, newest: str) -> int:
        return _count(
            self.connection,
            "SELECT count(*) FROM ingestion_oauth_token WHERE sealed_under IS DISTINCT FROM %s",
            newest,
        )

    def encrypt(self, vault: Vault) -> int:
        return committed(self.connection, self.name, lambda: self._encrypt_all(vault))

    def _encrypt_all(self, vault: Vault) -> int:
        encryption.hold(self.connection, vault)
        found = self.connection.execute(
            "SELECT account, access_token, refresh_token, sealed_under FROM ingestion_oauth_token "
            "WHERE sealed_under IS DISTINCT FROM %s FOR UPDATE",
            (vault.newest,),
        ).fetchall()
        for account, access, refresh, sealed_under in found:
            again = vault.encrypt if sealed_under is None else vault.reencrypt
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


def _list(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
