"""Which keys the warehouse needs: every process that opens or encrypts a value asks here first.

`ingestion_encryption_key` has a row for each key that something may be encrypted under, with the
key of the blind indexes wrapped in it. A batch holds its key's row to the end of its
transaction, so a key is retired only when nobody writes with it any more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import Unavailable, UsageError
from crm_sync_assets.keyring import VARIABLE, key_id
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import tables
from crm_sync_assets.warehouse.connection import Warehouse, is_worth_repeating, message_of
from crm_sync_assets.warehouse.vault import Vault, new_index_key, unwrap, wrap

log = logger(__name__)

AnyConnection = psycopg.Connection[Any]

_TRIES = 5


def registered(connection: AnyConnection) -> dict[str, str]:
    """Key id → the wrapped index key, the key used first first; none before the migration."""
    found = connection.execute("SELECT to_regclass('ingestion_encryption_key')").fetchone()
    if not found or found[0] is None:
        return {}
    return dict(
        connection.execute(
            "SELECT key_id, index_key FROM ingestion_encryption_key ORDER BY first_used, key_id"
        ).fetchall()
    )


def open_vault(connection: AnyConnection, keys: Sequence[str]) -> Vault | None:
    """What opens the encrypted values of this database, None if there are none.

    Writes nothing. Raises UsageError when a key is missing that something is encrypted under.
    """
    known = registered(connection)
    refuse_missing(known, keys)
    return Vault(keys, _index_key(known, keys)) if known else None


def check(warehouse: Warehouse) -> None:
    """Raises UsageError when a key is missing that something is encrypted under."""
    with warehouse.connection() as connection:
        refuse_missing(registered(connection), warehouse.encryption_keys)


def vault_for_writing(
    warehouse: Warehouse, entity: Entity | None = None, *, dry: bool = False
) -> Vault | None:
    """What encrypts the values about to be written, None where no key is set.

    The newest key is registered, unless the run is `dry`. Raises UsageError when a key is
    missing, FatalError when the entity's table still has to be encrypted.
    """
    keys = warehouse.encryption_keys
    with warehouse.connection() as connection:
        known = registered(connection)
        refuse_missing(known, keys)
        if not keys:
            return None
        if entity is not None:
            tables.refuse_half_encrypted(connection, entity)
        connection.rollback()
        if dry:
            return Vault(keys, _index_key(known, keys) if known else new_index_key())
        return register(connection, keys)


def register(connection: AnyConnection, keys: Sequence[str]) -> Vault:
    """A vault whose newest key everybody knows of from now on; commits."""
    for attempt in range(1, _TRIES + 1):
        try:
            with connection.transaction():
                return Vault(keys, _registered_index_key(connection, keys))
        except psycopg.Error as error:
            if not is_worth_repeating(error) or attempt == _TRIES:
                raise Unavailable(
                    f"the newest key of {VARIABLE} could not be registered: {message_of(error)}. "
                    "Nothing was read or written; try again"
                ) from error
            time.sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def _registered_index_key(connection: AnyConnection, keys: Sequence[str]) -> bytes:
    newest = key_id(keys[0])
    known = registered(connection)
    refuse_missing(known, keys)
    if newest in known:
        return _index_key(known, keys)
    # Waits for the batches of processes that know of no key, or not of this one; see `hold`.
    connection.execute("LOCK TABLE ingestion_encryption_key IN ACCESS EXCLUSIVE MODE")
    known = registered(connection)
    refuse_missing(known, keys)
    index_key = _index_key(known, keys) if known else new_index_key()
    connection.execute(
        "INSERT INTO ingestion_encryption_key (key_id, index_key) VALUES (%s, %s) "
        "ON CONFLICT (key_id) DO NOTHING",
        (newest, wrap(keys[0], index_key)),
    )
    log.info("encryption: values are encrypted under key %s from now on", newest)
    return index_key


def _index_key(known: Mapping[str, str], keys: Sequence[str]) -> bytes:
    by_id = {key_id(key): key for key in keys}
    name, wrapped = next(iter(known.items()))
    return unwrap(by_id[name], wrapped)


def refuse_missing(known: Mapping[str, str], keys: Sequence[str]) -> None:
    """Raises UsageError naming the keys that are registered but not given."""
    missing = [name for name in known if name not in set(map(key_id, keys))]
    if not missing:
        return
    several = len(missing) > 1
    raise UsageError(
        f"the warehouse holds values encrypted under key{'s' if several else ''} "
        f"{', '.join(missing)}, "
        + (f"not among the {len(keys)} given in" if keys else "none is set in")
        + f" {VARIABLE}: add {'those keys' if several else 'that key'} to it. "
        "Nothing was read or written"
    )


def hold(connection: AnyConnection, vault: Vault | None) -> None:
    """Keep the key from being retired, or a first key from appearing, until the commit.

    First in every transaction that stores something. Raises FatalError when that has happened.
    """
    if vault is None:
        # Reading the table is enough: registering a key locks it against readers.
        found = connection.execute("SELECT 1 FROM ingestion_encryption_key LIMIT 1").fetchone()
        if found is not None:
            raise Unavailable(
                "the warehouse is encrypted now, and this process has no key: restart it with "
                f"{VARIABLE} set"
            )
        return
    found = connection.execute(
        "SELECT 1 FROM ingestion_encryption_key WHERE key_id = %s FOR KEY SHARE", (vault.newest,)
    ).fetchone()
    if found is None:
        raise Unavailable(
            f"this process still writes with the retired key {vault.newest}: restart it with the "
            f"current keys in {VARIABLE}"
        )
