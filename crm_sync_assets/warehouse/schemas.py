"""A schema of one's own for data, and beside it one for what is only the engine's.

CRM_SYNC_SCHEMA=crm keeps tables and views of data in `crm`, all else in `crm_internal`:
SyncHistory, quarantine, tokens, what a replacement is gathered in. Sessions find both by their
search path, so no statement names a schema. Without it everything is where the search path says.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import sqlalchemy as sa
from psycopg import sql

from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import INTERNAL as SUFFIX
from crm_sync_assets.settings import SCHEMA
from crm_sync_assets.warehouse import postgres
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.postgres import VARIABLE, sqlalchemy_url

VERSION = "ingestion_schema_version"


def in_schema(url: str, schema: str | None) -> str:
    """The warehouse's URL, with sessions in this schema and its internal one; as it is for None.

    Raises UsageError for a URL that names other schemas.
    """
    if schema is None:
        return url
    parsed = sqlalchemy_url(url)
    path = f"{schema},{schema}{SUFFIX}"
    said = postgres.session_settings(parsed).get("search_path")
    if said == path:
        return url
    if said is not None:
        raise UsageError(
            f"{SCHEMA} is {schema}, and {VARIABLE} (or PGOPTIONS) sets search_path to {said}: "
            "leave one of them out"
        )
    return _with_path(parsed, path).render_as_string(hide_password=False)


def own_schema(url: str) -> str | None:
    """The schema that `in_schema` has put into this URL."""
    path = postgres.session_settings(sqlalchemy_url(url)).get("search_path", "")
    data, _, internal = path.partition(",")
    return data if data and internal == data + SUFFIX else None


def internal(schema: str) -> str:
    """Where the engine keeps its own tables beside those in this schema."""
    return schema + SUFFIX


def of_internals(connection: Connection) -> str:
    """The schema that a session makes the engine's own tables in."""
    row = connection.execute(
        "SELECT CASE WHEN s[2] = s[1] || '_internal' THEN s[2] ELSE s[1] END "
        "FROM current_schemas(false) AS s"
    ).fetchone()
    assert row is not None
    return str(row[0])


def lacking(url: str, *, anew: bool = False) -> Sequence[str]:
    """The schemas of its own that a warehouse has not yet, without which no session begins.

    Raises UsageError where the database holds another warehouse, unless a new one is asked for.
    """
    schema = own_schema(url)
    if schema is None:
        return ()
    with _anywhere(url) as connection:
        if not anew:
            refuse_another(connection, schema)
        found = connection.execute(
            "SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS n(name, place) "
            "WHERE to_regnamespace(name) IS NULL ORDER BY place",
            ([schema, internal(schema)],),
        )
        return [name for (name,) in found.fetchall()]


def make(url: str, *, anew: bool) -> None:
    """Make what is `lacking`. Raises UsageError as that does, and where the role may not."""
    names = lacking(url, anew=anew)
    if not names:
        return
    with _anywhere(url) as connection:
        try:
            for name in names:
                connection.execute(
                    sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name))
                )
            connection.commit()
        except psycopg.errors.InsufficientPrivilege as error:
            who = connection.info.user
            raise UsageError(
                f"{SCHEMA} is {own_schema(url)}: {who} may not make what is not there: run "
                + "; ".join(f"CREATE SCHEMA {name} AUTHORIZATION {who}" for name in names)
            ) from error


def refuse_another(connection: Connection, schema: str | None) -> None:
    """Raises UsageError for a database whose warehouse is in another schema than the setting says.

    A sync would begin anew beside it. `schema` is the setting, None where there is none: then only
    the warehouses that have a schema of their own are others.
    """
    others = warehouses(connection)
    if schema is None:
        own = [name.removesuffix(SUFFIX) for name in others if name.endswith(SUFFIX)]
        if own:
            raise UsageError(
                f"{SCHEMA} is not set, and this database has its warehouse in schema {own[0]}: set "
                f"{SCHEMA}={own[0]}, or run `crm-sync migrate --anew` for an empty one beside it"
            )
    elif others and internal(schema) not in others:
        other = others[0].removesuffix(SUFFIX)
        raise UsageError(
            f"{SCHEMA} is {schema}, and this database has its warehouse in schema {other}: run "
            f"`crm-sync migrate --from={other}` to move it, or `crm-sync migrate --anew` for an "
            "empty one beside it"
        )


def warehouses(connection: Connection) -> Sequence[str]:
    """The schemas of this database that have core tables."""
    found = connection.execute(
        "SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE c.relname = %s AND c.relkind = 'r' ORDER BY 1",
        (VERSION,),
    ).fetchall()
    return [str(name) for (name,) in found]


def _anywhere(url: str) -> Connection:
    """A session that needs no schema of ours."""
    return postgres.connect(_with_path(sqlalchemy_url(url), "pg_catalog"))


def _with_path(url: sa.URL, path: str) -> sa.URL:
    """What is said last holds."""
    given = url.query.get("options") or postgres.ambient_options()
    options = given if isinstance(given, str) else " ".join(given)
    return url.update_query_dict({"options": f"{options} -csearch_path={path}".strip()})
