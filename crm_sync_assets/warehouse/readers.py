"""Roles that may read the data and nothing else: tables, views of live rows, and SyncHistory.

Who may is written down, and given every table and view when it is made. Default privileges would
do that for whatever else the same role makes in the schema, the engine's own tables among it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.warehouse import schemas, views
from crm_sync_assets.warehouse.connection import Connection, message_of

HISTORY = "ingestion_sync_history"
"""The one table of the engine's that readers see: when each table was last complete."""


def admit(connection: Connection, relation: str) -> None:
    """Let the readers read a table or view that was made just now, in the caller's transaction."""
    for role in _readers(connection):
        connection.execute(
            sql.SQL("GRANT SELECT ON {} TO {}").format(
                sql.Identifier(relation), sql.Identifier(role)
            )
        )


def grant(connection: Connection, role: str, entities: Iterable[Entity]) -> int:
    """Let a role read what there is and what will be made; how many tables and views there are.

    Raises UsageError for a role that is not there, or needs no grant, and FatalError when we may
    not give what we have. Commits.
    """
    _check(connection, role)
    there = _relations(connection, entities)
    with _refusing(role), connection.transaction():
        connection.execute(
            "INSERT INTO ingestion_reader (role) VALUES (%s) ON CONFLICT DO NOTHING", (role,)
        )
        _give(connection, role, there)
    connection.commit()
    return len(there) - 1


def revoke(connection: Connection, role: str, entities: Iterable[Entity]) -> None:
    """Take back what `grant` gave. Raises UsageError for a role that was given nothing. Commits."""
    with connection.transaction():
        known = connection.execute(
            "DELETE FROM ingestion_reader WHERE role = %s RETURNING role", (role,)
        ).fetchone()
        if known is None:
            raise UsageError(f"the role {role} was not let in by `crm-sync migrate --grant`")
        if role in _existing(connection):
            name = sql.Identifier(role)
            there = sql.SQL(", ").join(_relations(connection, entities))
            connection.execute(sql.SQL("REVOKE SELECT ON {} FROM {}").format(there, name))
            for schema in _schemas(connection):
                connection.execute(
                    sql.SQL("REVOKE USAGE ON SCHEMA {} FROM {}").format(
                        sql.Identifier(schema), name
                    )
                )
    connection.commit()


def renew(connection: Connection, entities: Sequence[Entity]) -> None:
    """Give all readers what there is: after a move, in schemas they have not seen. Commits."""
    for role in _readers(connection):
        with _refusing(role), connection.transaction():
            _give(connection, role, _relations(connection, entities))
    connection.commit()


def _give(connection: Connection, role: str, there: Sequence[sql.Identifier]) -> None:
    name = sql.Identifier(role)
    for schema in _schemas(connection):
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), name)
        )
    connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.SQL(", ").join(there), name))
    # Who may not give it is only warned of that by PostgreSQL.
    for relation in there:
        text = relation.as_string(connection)
        if connection.execute(
            "SELECT has_table_privilege(%s, %s, 'SELECT')", (role, text)
        ).fetchone() != (True,):
            raise FatalError(
                f"{role} could not be let in: {text} belongs to another role: run this as that one"
            )


@contextmanager
def _refusing(role: str) -> Iterator[None]:
    """Raises FatalError for what PostgreSQL refuses to give."""
    try:
        yield
    except psycopg.Error as error:
        raise FatalError(f"{role} could not be let in: {message_of(error)}") from error


def _check(connection: Connection, role: str) -> None:
    found = connection.execute(
        "SELECT rolsuper OR rolname = current_user FROM pg_roles WHERE rolname = %s", (role,)
    ).fetchone()
    connection.commit()
    if found is None:
        quoted = sql.Identifier(role).as_string(connection)
        raise UsageError(
            f"there is no role {role}: CREATE ROLE {quoted} LOGIN PASSWORD '…' makes one that can "
            "connect, then run this again"
        )
    if found[0]:
        raise UsageError(f"the role {role} may read and write everything already: name another")


def _existing(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT rolname::text FROM pg_roles")}


def _readers(connection: Connection) -> list[str]:
    """Those that are still there."""
    found = connection.execute(
        "SELECT r.role FROM ingestion_reader AS r JOIN pg_roles ON rolname = r.role ORDER BY 1"
    )
    return [role for (role,) in found.fetchall()]


def _schemas(connection: Connection) -> list[str]:
    row = connection.execute("SELECT current_schema()").fetchone()
    assert row is not None
    return list(dict.fromkeys([str(row[0]), schemas.of_internals(connection)]))


def _relations(connection: Connection, entities: Iterable[Entity]) -> list[sql.Identifier]:
    """What there is of the entities' tables and of our views of them; SyncHistory is the last."""
    tables = sorted({entity.table for entity in entities})
    found = connection.execute(
        "SELECT relname::text, relkind::text, nspname::text, obj_description(c.oid, 'pg_class') "
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE nspname = current_schema() AND relname = ANY (%s) ORDER BY 1",
        ([*tables, *map(views.live_view, tables)],),
    ).fetchall()
    there = [
        sql.Identifier(schema, name)
        for name, kind, schema, comment in found
        if (kind in "rp" and name in tables) or (kind == "v" and views.is_ours(comment))
    ]
    return [*there, sql.Identifier(schemas.of_internals(connection), HISTORY)]
