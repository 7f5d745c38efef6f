"""A PostgreSQL that is a source: its role's and its database's settings change nothing we read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from crm_sync_assets.clients.sql.database import Database
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests import conftest
from crm_sync_assets_tests.warehouse.test_postgres import HOSTILE, with_options

SETTINGS = SyncSettings(timeout_seconds=5, max_attempts=2)
Open = Callable[[str], Database]


@pytest.fixture
def start() -> Iterator[Open]:
    databases: list[Database] = []

    def start(url: str) -> Database:
        found = Database(url, SETTINGS, variable="GENIUS_DATABASE_URL", sleep=lambda _: None)
        databases.append(found)
        return found

    yield start
    for database in databases:
        database.close()


def ask(database: Database, statement: str) -> Any:
    return database.rows(sa.text(statement), "test", Usage())


def test_a_session_is_ours_whatever_the_database_says(
    database_url: str, server_url: str, start: Open
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute(
            "CREATE TABLE mine.thing (id int, at timestamptz, part float, raw bytea)"
        )
        connection.execute(
            "INSERT INTO mine.thing VALUES (1, '2025-01-01 10:00Z', 0.1 + 0.2::float8, '\\x00ff')"
        )
    with psycopg.connect(server_url, autocommit=True) as connection:
        for setting, value in HOSTILE.items():
            connection.execute(f"ALTER DATABASE {name} SET {setting} = {value}")
    database = start(with_options(database_url, "-csearch_path=mine"))
    assert set(database.columns("thing", "test", Usage())) == {"id", "at", "part", "raw"}
    (row,) = ask(database, "SELECT id, at::text, part, raw, pg_sleep(0.05)::text FROM thing")
    assert row[:4] == (1, "2025-01-01 10:00:00+00", 0.30000000000000004, b"\x00\xff")
    with pytest.raises(FatalError, match="read-only transaction"):
        ask(database, "DELETE FROM thing")
    with pytest.raises(FatalError, match=r"longer than 5 s"):
        ask(database, "SELECT pg_sleep(9)")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ssl-mode=REQUIRED", "no parameter 'ssl-mode'"),
        ("useSSL=true", "no parameter 'useSSL'"),
        ("schema=mine", "options=-csearch_path%3Dmine"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert names the file /nowhere/ca.pem"),
        ("options=-cdatestyle%3DGerman", "datestyle to German"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    said: str, message: str, database_url: str, start: Open
) -> None:
    with pytest.raises(UsageError, match="GENIUS_DATABASE_URL") as caught:
        start(f"{database_url}&{said}")
    assert message in str(caught.value)


def test_encryption_that_the_server_has_not_is_refused(start: Open) -> None:
    # Nobody listens there; the mode is understood.
    with pytest.raises(FatalError, match="cannot be reached"):
        ask(start("postgresql://me@127.0.0.1:1/db?sslmode=require"), "SELECT 1")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_another_encoding_is_read_right_or_named(
    encoding: str, server_url: str, start: Open
) -> None:
    name = f"src_{encoding.lower()}_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc "
            "LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
        try:
            url = conftest.database(server_url, name)
            with psycopg.connect(url, autocommit=True, client_encoding="LATIN1") as writer:
                writer.execute("CREATE TABLE thing (name text)")
                writer.execute("INSERT INTO thing VALUES (convert_from('\\x4a6f73c3a9', 'UTF8'))"
                               if encoding == "LATIN1" else
                               "INSERT INTO thing VALUES (E'Jos\\xe9')")  # fmt: skip
            database = start(url)
            if encoding == "LATIN1":
                assert ask(database, "SELECT name FROM thing")[0][0] == "José"
            else:
                with pytest.raises(
                    FatalError, match=r"an encoding that it does not name.*SQL_ASCII"
                ):
                    ask(database, "SELECT name FROM thing")
            database.close()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
