"""The advisory locks of the warehouse, by name: one holder among all processes.

A lock belongs to a database session and ends with it, so whoever gets one knows that the holder
before it is gone. PostgreSQL wants a number; it is the hash of the name.
Locks are the database's: in a schema of its own a warehouse has names of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from crm_sync_assets.warehouse.connection import Connection

ALERTS = "crm_sync alerts"
MIGRATION = "crm_sync migrate"
PRUNING = "crm_sync prune"
ROTATION = "crm_sync rotate keys"

_KEY: LiteralString = (
    "hashtextextended({name} || CASE "
    "WHEN (current_schemas(false))[2] = (current_schemas(false))[1] || '_internal' "
    "THEN ' in ' || (current_schemas(false))[1] ELSE '' END, 0)"
)
_GIVEN = _KEY.replace("{name}", "%s::text")

_Any = psycopg.Connection[Any]


def entity(name: str) -> str:
    """Held by a sync, and by whatever else writes the rows of this entity."""
    return f"crm_sync {name}"


def passing(name: str) -> str:
    """Held, beside the entity's, by who soon gives that back: others may wait for it."""
    return f"crm_sync passing {name}"


def table(name: str) -> str:
    """Held by a transaction that makes this table or adds columns to it."""
    return f"schema {name}"


def rate_budget(account: str) -> str:
    """Held by a transaction that books a place in the account's budget."""
    return f"rate budget {account}"


def oauth_token(account: str) -> str:
    """Held by who refreshes the account's access token."""
    return f"oauth token {account}"


def try_take(connection: _Any, name: str) -> bool:
    """Take the lock for this session if it is free; whether it was."""
    row = connection.execute(f"SELECT pg_try_advisory_lock({_GIVEN})", (name,))
    return row.fetchone() == (True,)


def take(connection: _Any, name: str) -> None:
    """Take the lock for this session, and wait for it as long as `lock_timeout` allows."""
    connection.execute(f"SELECT pg_advisory_lock({_GIVEN})", (name,))


def take_until_commit(connection: _Any, name: str, *, prepare: bool | None = None) -> None:
    """Take the lock, waiting for it, until the transaction ends."""
    connection.execute(f"SELECT pg_advisory_xact_lock({_GIVEN})", (name,), prepare=prepare)


def release(connection: _Any, name: str) -> None:
    connection.execute(f"SELECT pg_advisory_unlock({_GIVEN})", (name,))


@contextmanager
def held(connection: Connection, name: str, *, wait: bool = False) -> Iterator[bool]:
    """The lock inside the block; whether it was to be had, always so with `wait`. Commits.

    A transaction that an error left open is rolled back before the lock is released.
    """
    if wait:
        take(connection, name)
    taken = wait or try_take(connection, name)
    connection.commit()
    if not taken:
        yield False
        return
    try:
        yield True
    finally:
        if not connection.closed:
            connection.rollback()
            release(connection, name)
            connection.commit()


_HOLDERS: LiteralString = (
    "FROM pg_locks AS l, LATERAL (SELECT {key} AS key) AS k "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid = ((k.key >> 32) & 4294967295)::oid "
    "AND l.objid = (k.key & 4294967295)::oid"
).replace("{key}", _KEY)

ENTITY_IS_HELD: LiteralString = (
    "EXISTS (SELECT "
    + _HOLDERS.replace("{name}", "'crm_sync ' || (configuration ->> 'lock')")
    + ")"
)
"""SQL: somebody holds the lock that this row of SyncHistory names."""

_HOLDER = "SELECT l.pid " + _HOLDERS.replace("{name}", "%s")


def holder(connection: _Any, name: str) -> int | None:
    """The server process that holds this lock in this database, if any. Commits."""
    row = connection.execute(_HOLDER, (name,)).fetchone()
    connection.commit()
    return int(row[0]) if row else None
