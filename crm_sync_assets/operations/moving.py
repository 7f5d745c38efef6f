"""A warehouse moved into the schema that CRM_SYNC_SCHEMA names: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import SCHEMA
from crm_sync_assets.warehouse import locks, schemas, views
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of


def move(warehouse: Warehouse, origin: str, entities: Iterable[Entity]) -> int:
    """Move the tables and views of these entities, and the engine's own, in one transaction.

    How many tables. Rows are not touched; grants, and views of others on what is moved, stay.
    Raises UsageError where there is nothing to move or something in the way, FatalError while a
    sync is running.
    """
    target = schemas.own_schema(warehouse.url)
    if target is None:
        raise UsageError(f"{SCHEMA} is not set: it says which schema to move to")
    schemas.make(warehouse.url, anew=True)
    with warehouse.connection() as connection:
        there = schemas.warehouses(connection)
        connection.commit()
        if schemas.internal(target) in there:
            raise UsageError(f"schema {target} has a warehouse already: nothing was moved")
        own = next((s for s in (schemas.internal(origin), origin) if s in there), None)
        if own is None:
            raise UsageError(f"schema {origin} has no warehouse: nothing was moved")
        try:
            with connection.transaction():
                _refuse_while_syncing(connection, origin, own)
                moved = 0
                for kind, name, old, new in _things(connection, origin, own, target, entities):
                    connection.execute(
                        sql.SQL("ALTER {} {} SET SCHEMA {}").format(
                            sql.SQL(kind), sql.Identifier(old, name), sql.Identifier(new)
                        )
                    )
                    moved += kind == "TABLE"
        except psycopg.Error as error:
            raise FatalError(
                f"the warehouse could not be moved from {origin} to {target}: {message_of(error)}. "
                "Nothing was moved; run it again once nobody holds the tables"
            ) from error
    return moved


def _refuse_while_syncing(connection: Connection, origin: str, own: str) -> None:
    """Its sessions would not find the tables any more."""
    path = origin if own == origin else f"{origin}, {own}"
    before = connection.execute("SELECT current_setting('search_path')").fetchone()
    connection.execute("SELECT set_config('search_path', %s, true)", (path,))
    connection.execute("LOCK TABLE ingestion_sync_history IN SHARE ROW EXCLUSIVE MODE")
    running = connection.execute(
        "SELECT crm_source || ' ' || sync_type FROM ingestion_sync_history "  # noqa: S608
        f"WHERE status = 'running' AND {locks.ENTITY_IS_HELD} ORDER BY 1"
    ).fetchall()
    connection.execute("SELECT set_config('search_path', %s, true)", before)
    if running:
        raise FatalError(
            f"{running[0][0]} is being synced: wait for it, or cancel it, and run this again. "
            "Nothing was moved"
        )


def _things(
    connection: Connection, origin: str, own: str, target: str, entities: Iterable[Entity]
) -> Iterator[tuple[str, str, str, str]]:
    """(kind, name, schema it is in, schema it goes to) of all there is to move."""
    found = connection.execute(
        "SELECT relname::text, relkind::text, nspname::text, obj_description(c.oid, 'pg_class') "
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE nspname = ANY (%s) AND relkind IN ('r', 'v') ORDER BY 1",
        ([origin, own],),
    ).fetchall()
    tables = {entity.table for entity in entities}
    live = {views.live_view(table) for table in tables}
    for name, kind, schema, comment in found:
        if kind == "r" and schema == own and name.startswith("ingestion_"):
            yield "TABLE", name, schema, schemas.internal(target)
        elif kind == "r" and schema == origin != target and name in tables:
            yield "TABLE", name, schema, target
        elif kind == "v" and schema == origin != target and name in live and views.is_ours(comment):
            yield "VIEW", name, schema, target
    functions = connection.execute(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = to_regnamespace(quote_ident(%s)) "
        "AND starts_with(proname, 'ingestion_')",
        (own,),
    )
    for (name,) in functions.fetchall():
        yield "FUNCTION", name, own, schemas.internal(target)
