"""How a session on PostgreSQL begins, whoever opens it.

What its role, its database, the environment and the URL say of a session is kept where it does not
matter to us (a search_path, a role), lifted where it would stop us (time limits), and overruled
where it would change what values mean (zone, date style, encoding).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import pq, sql

from crm_sync_assets.errors import UsageError

VARIABLE = "CRM_SYNC_WAREHOUSE_URL"

APPLICATION = "crm_sync_assets"
CONNECT_SECONDS = 10

MEANING = {
    "timezone": "UTC",
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # It would also quote the names of types.
    "quote_all_identifiers": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
}
"""What decides how a value is read or written; nothing overrules it."""

LIMITS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""A role's limits are lifted; those in the URL are meant for us."""

WRITING = {
    **LIMITS,
    "idle_session_timeout": "0",
    "lock_timeout": "30s",
    "default_transaction_read_only": "off",
    # A policy that hides rows is an error rather than a table that seems to lack them.
    "row_security": "off",
}
"""The warehouse's sessions, beside `MEANING`."""

OLDEST = 14
_NEWER_LIMITS = {"idle_session_timeout": 140_000, "transaction_timeout": 170_000}
"""Limits that not every server knows, with the version that brought them."""

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_KEYWORDS = frozenset(d.keyword.decode() for d in pq.Conninfo.get_defaults())
_SCHEMES = ("postgresql", "postgres")

_hurried: set[str] = set()
"""What is connected to with a limit that ends a session before it can be lifted."""
_proven: set[str] = set()
"""Poolers found to leave a session its server, by what is connected to."""
_proving = threading.Lock()


def reading(seconds: float) -> dict[str, str]:
    """The settings of a session that only reads, whose statements may take so long."""
    return {
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": "0",
        "statement_timeout": f"{int(seconds * 1_000)}",
        "default_transaction_read_only": "on",
    }


def sqlalchemy_url(url: str, variable: str = VARIABLE) -> sa.URL:
    """The URL with the psycopg 3 driver, whatever scheme the user wrote.

    Raises UsageError for what is no URL of a PostgreSQL, and for a parameter that libpq has not.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # What these say quotes pieces of the URL, of its password perhaps.
        raise UsageError(
            f"{variable} is no database URL: write "
            "postgresql://user:password@host:5432/database, with @ : / in the password as "
            "%40 %3A %2F"
        ) from None
    if parsed.get_backend_name() not in _SCHEMES:
        raise UsageError(
            f"{variable} begins with {parsed.drivername}://: a PostgreSQL is needed, "
            "postgresql://user:password@host:5432/database"
        )
    _refuse_unknown(parsed, variable)
    return parsed.set(drivername="postgresql+psycopg")


def _refuse_unknown(url: sa.URL, variable: str) -> None:
    for name, value in url.query.items():
        if name == "schema":
            raise UsageError(
                f"{variable}: PostgreSQL has no parameter 'schema': write "
                f"options=-csearch_path%3D{value} instead"
            )
        if name == "service":
            raise UsageError(
                f"{variable}: 'service' cannot be used in the URL: write what the service says "
                "into the URL, or name it in PGSERVICE"
            )
        if name not in _KEYWORDS:
            raise UsageError(
                f"{variable}: PostgreSQL has no parameter '{name}': leave it out of the URL"
            )
        if name in _FILES and isinstance(value, str) and value != "system":
            _refuse_missing(value, f"{variable}: {name}")


def _refuse_missing(path: str, setting: str) -> None:
    if not Path(path).expanduser().is_file():
        raise UsageError(f"{setting} names the file {path}, which is not there")


def parameters(
    url: sa.URL, settings: Mapping[str, str] = WRITING, *, variable: str = VARIABLE
) -> dict[str, Any]:
    """What `psycopg.connect` takes, from a `sqlalchemy_url`.

    Raises UsageError for options that contradict `MEANING`.
    """
    _, given = url.get_dialect()().create_connect_args(url)
    if str(given.get("client_encoding", "utf8")).replace("-", "").lower() != "utf8":
        raise UsageError(f"{variable} sets client_encoding, which has to be UTF8: leave it out")
    return {
        "application_name": APPLICATION,
        "connect_timeout": CONNECT_SECONDS,
        **given,
        "client_encoding": "UTF8",
        "options": _joined(session_settings(url, settings, variable=variable)),
    }


def session_settings(
    url: sa.URL, settings: Mapping[str, str] = WRITING, *, variable: str = VARIABLE
) -> dict[str, str]:
    """The session's settings: ours, and what the URL (else PGOPTIONS or the service) adds."""
    if str(url) in _hurried:
        settings = {**settings, "transaction_timeout": "0", "idle_session_timeout": "0"}
    said = url.query.get("options")
    if said is None:
        ambient = dict(_split(ambient_options(), "PGOPTIONS"))
        return {**settings, **ambient, **MEANING}
    text = said if isinstance(said, str) else " ".join(said)
    given = dict(_split(text, variable))
    for name, value in given.items():
        if name in MEANING and value.lower().replace(" ", "") != MEANING[name].lower():
            raise UsageError(
                f"{variable} sets {name} to {value}, which has to be {MEANING[name]}: leave it out "
                "of its options"
            )
    return {**settings, **given, **MEANING}


def ambient_options() -> str:
    """What PGOPTIONS or a service adds where a URL has no options."""
    found = {d.keyword: d.val for d in pq.Conninfo.get_defaults()}.get(b"options")
    return found.decode(errors="replace") if found else ""


def _split(options: str, where: str) -> Iterator[tuple[str, str]]:
    """Name and value of each `-c name=value` or `--name=value`, as the server reads them."""
    words = iter(_words(options))
    for word in words:
        said = word[2:] if word.startswith(("-c", "--")) else None
        if said == "" and word == "-c":
            said = next(words, "")
        name, separator, value = (said or "").partition("=")
        if not separator or not name:
            raise UsageError(
                f"{where}: '{word}' in its options is not understood: write -cname%3Dvalue"
                if where != "PGOPTIONS"
                else f"{where}: '{word}' is not understood: write -c name=value"
            )
        yield name.replace("-", "_").lower(), value


def _words(options: str) -> list[str]:
    """Blanks part them; a backslash takes what follows as it is."""
    words, word, begun = [], "", False
    characters = iter(options)
    for one in characters:
        if one.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
            continue
        word += next(characters, "") if one == "\\" else one
        begun = True
    return [*words, word] if begun else words


def _joined(settings: Mapping[str, str]) -> str:
    return " ".join(
        f"-c {name}={value.replace(chr(92), chr(92) * 2).replace(' ', chr(92) + ' ')}"
        for name, value in settings.items()
    )


def connect(
    url: sa.URL, settings: Mapping[str, str] = WRITING, *, variable: str = VARIABLE
) -> psycopg.Connection[Any]:
    """A session, one of the warehouse's if nothing else is said.

    Raises psycopg.Error, and UsageError as `begin` does.
    """
    connection = _opened(url, settings, variable)
    version = connection.info.server_version
    try:
        begin(connection, url, settings, variable=variable)
        return connection
    except psycopg.OperationalError:
        connection.close()
        if str(url) in _hurried or version < max(_NEWER_LIMITS.values()):
            raise
        # One of the newer limits may have ended it; older servers would not let us name them.
        _hurried.add(str(url))
        return connect(url, settings, variable=variable)
    except BaseException:
        connection.close()
        raise


def _opened(url: sa.URL, settings: Mapping[str, str], variable: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(**parameters(url, settings, variable=variable))
    except psycopg.OperationalError as error:
        _explain(str(error), variable)
        raise


def _explain(said: str, variable: str) -> None:
    """Raises UsageError for a refusal of what every session of ours says."""
    if 'parameter "idle_session_timeout"' in said:
        raise UsageError(
            f"{variable} leads to a PostgreSQL that is too old: {OLDEST} or newer is needed"
        )
    if "unsupported startup parameter" in said:
        raise UsageError(
            f"{variable} leads to a pooler that lets no session say what it needs "
            f"({said.strip()}): give PostgreSQL's own address; or, for a pool in "
            "session mode, add `options` to pgbouncer's ignore_startup_parameters: all "
            "of it is set again after connecting"
        )


def begin(
    connection: psycopg.Connection[Any],
    url: sa.URL,
    settings: Mapping[str, str] = WRITING,
    *,
    variable: str = VARIABLE,
) -> None:
    """Make a new connection ours.

    The settings are set once more: PGTZ and PGDATESTYLE come after a connection's options, and a
    pooler may have dropped them. Raises UsageError for a database that is not UTF8, a search_path
    without a schema, and a pooler that gives each transaction another server.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8" and settings is WRITING:
        raise UsageError(
            f"{variable}: the database {connection.info.dbname} is encoded as {encoding}, which "
            "has no room for every character: make one with CREATE DATABASE … ENCODING 'UTF8' "
            "TEMPLATE template0"
        )
    connection.autocommit = True
    if _process(connection) != connection.info.backend_pid:
        _refuse_shared_sessions(connection, url, settings, variable)
    wanted = session_settings(url, settings, variable=variable)
    for name, since in _NEWER_LIMITS.items():
        if connection.info.server_version >= since:
            wanted.setdefault(name, "0")
    row = connection.execute(_setting(wanted)).fetchone()
    connection.autocommit = False
    assert row is not None
    if row[0] is None:
        raise UsageError(
            f"{variable}: no schema of the search_path ({row[1]}) is there and may be used: make "
            "it with CREATE SCHEMA, GRANT USAGE on it, or name another; those of CRM_SYNC_SCHEMA "
            "are made by the first sync, or `crm-sync migrate`"
        )


def _setting(settings: Mapping[str, str]) -> sql.Composed:
    """Sets them for the session; gives back the schema that new tables go to, and the path."""
    calls: list[sql.Composable] = [
        sql.SQL("set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value))
        for name, value in settings.items()
    ]
    if settings.get("default_transaction_read_only") == "off":
        # What was reported as stored is on the server's disk.
        calls.append(
            sql.SQL(
                "set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
                "WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"
            )
        )
    return sql.SQL(
        "WITH set_now AS MATERIALIZED (SELECT {}) "
        "SELECT current_schema(), current_setting('search_path') FROM set_now"
    ).format(
        sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(call, sql.Identifier(f"c{number}"))
            for number, call in enumerate(calls)
        )
    )


def _refuse_shared_sessions(
    connection: psycopg.Connection[Any], url: sa.URL, settings: Mapping[str, str], variable: str
) -> None:
    """A pooler stands between, whose session is not the server's: does it keep one for each?

    Raises UsageError where a second session gets the server that the first one had: locks of a
    session, temporary tables and settings are not ours there.
    """
    where = connection.info.dsn
    with _proving:
        if where in _proven:
            return
        if _shares_sessions(connection, parameters(url, settings, variable=variable)):
            raise UsageError(
                f"{variable} leads to a pooler (pgbouncer or the like) that gives each transaction "
                "another session of the server: locks and temporary tables do not survive there. "
                "Give PostgreSQL's own address, or a pool in session mode"
            )
        _proven.add(where)


def _shares_sessions(connection: psycopg.Connection[Any], others: dict[str, Any]) -> bool:
    mine = _process(connection)
    try:
        with psycopg.connect(**others) as other:
            theirs = _process(other)
            return theirs == mine or _process(connection) != mine
    except psycopg.errors.ProtocolViolation:
        # A pool in statement mode has no transactions.
        return True


def _process(connection: psycopg.Connection[Any]) -> int:
    """The server process that answers; in a transaction, it is kept."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
