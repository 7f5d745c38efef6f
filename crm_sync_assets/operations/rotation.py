"""Everything sensitive under the newest key: the first encryption, and every rotation after it.

Syncs go on meanwhile. What still has to be done is read from the data, a batch of rows per
transaction, so whatever ends a rotation half way, the next one finishes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import VARIABLE, key_id
from crm_sync_assets.log import logger
from crm_sync_assets.operations.encrypted_places import (
    PASSES,
    EncryptedEvents,
    EncryptedQuarantine,
    EncryptedRows,
    EncryptedTokens,
    Place,
    Rotation,
)
from crm_sync_assets.warehouse import attempts, encryption, locks
from crm_sync_assets.warehouse.connection import (
    Connection,
    Warehouse,
    is_worth_repeating,
    message_of,
)
from crm_sync_assets.warehouse.vault import (
    SUFFIX,
    encrypted_columns,
)

log = logger(__name__)


def rotate(warehouse: Warehouse, entities: Iterable[Entity]) -> Rotation:
    """Encrypt what is plain or under an older key, and retire the keys left empty.

    Raises UsageError when no key is set or one is missing, FatalError when another rotation runs
    or a table cannot be had.
    """
    keys = _keys(warehouse)
    entities = list(entities)
    with _alone(warehouse), warehouse.connection() as connection:
        vault = encryption.register(connection, keys)
        done = Rotation(vault.newest)
        encrypted: dict[str, int] = {}
        for _ in range(PASSES):
            for place in _places(connection, entities, make_room=True):
                log.info("encryption: encrypting %s under key %s", place.name, vault.newest)
                encrypted[place.name] = encrypted.get(place.name, 0) + place.encrypt(vault)
            done.places = [
                Place(place.name, encrypted.get(place.name, 0), place.waiting(vault.newest))
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
    with (
        warehouse.connection() as connection,
        locks.held(connection, locks.ROTATION) as alone,
    ):
        if not alone:
            raise FatalError("another `crm-sync rotate-keys` is at work on this warehouse")
        yield


# Places


def _places(
    connection: Connection, entities: Sequence[Entity], *, make_room: bool = False
) -> Iterator[EncryptedRows | EncryptedQuarantine | EncryptedEvents | EncryptedTokens]:
    """Every place there is. A table comes after the shadows a resumed sync would fill it from."""
    for entity in entities:
        if entity.tombstones_of or not encrypted_columns(entity.columns):
            continue
        for table in (*attempts.shadows(connection, entity), entity.table):
            connection.commit()
            rows = EncryptedRows(connection, entity, table)
            if make_room:
                rows.make_room()
            if rows.columns:
                yield rows
    yield EncryptedQuarantine(connection)
    yield EncryptedEvents(connection)
    yield EncryptedTokens(connection)


# Retirement


def _retire(connection: Connection, done: Rotation, entities: Sequence[Entity]) -> None:
    """Strike the older keys that nothing is encrypted under off the register."""
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
        for table, column in _encrypted_in(connection, entities)
    ):
        return False
    for query in (
        "SELECT EXISTS (SELECT FROM ingestion_quarantine WHERE payload LIKE %s || ':%%')",
        "SELECT EXISTS (SELECT FROM ingestion_webhook_event WHERE payload LIKE %s || ':%%')",
        "SELECT EXISTS (SELECT FROM ingestion_oauth_token WHERE sealed_under = %s)",
    ):
        row = connection.execute(query, (name,)).fetchone()
        if row and row[0]:
            return False
    connection.execute("DELETE FROM ingestion_encryption_key WHERE key_id = %s", (name,))
    return True


def _encrypted_in(connection: Connection, entities: Sequence[Entity]) -> set[tuple[str, str]]:
    """(table, column) of everything that may be encrypted, also in tables of no declared entity."""
    by_index = {
        column.index: column.name
        for entity in entities
        for column in encrypted_columns(entity.columns)
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
