"""A database somebody else owns: what is asked of it, and what is said when it will not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from crm_sync_assets.clients.sql.database import Database, parsed_url
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.declarations.readers import READERS, client_kind
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests.mariadb import MariaDB, mariadb, mysql_database

__all__ = ["mariadb", "mysql_database"]

NEW_YORK = Zone("America/New_York")
SETTINGS = SyncSettings(timeout_seconds=5)


@pytest.fixture
def opened() -> Iterator[list[Database]]:
    databases: list[Database] = []
    yield databases
    for database in databases:
        database.close()


@pytest.fixture
def database(mariadb: MariaDB, mysql_database: str, opened: list[Database]) -> Database:
    mariadb.execute(
        "CREATE TABLE thing (id INT PRIMARY KEY, at DATETIME, name VARCHAR(9))",
        "INSERT INTO thing VALUES (1, '2025-01-01 10:00:00', 'one'), (2, NULL, 'two')",
        database=mysql_database,
    )
    opened.append(Database(mariadb.url(mysql_database), SETTINGS, sleep=lambda _: None))
    return opened[0]


def ask(database: Database, sql: str, usage: Usage | None = None) -> Any:
    return database.rows(sa.text(sql), "test", usage or Usage())


# Sessions


def test_a_session_is_utc_and_cannot_write(database: Database) -> None:
    assert ask(database, "SELECT @@time_zone, @@autocommit")[0] == ("+00:00", 1)
    for statement in ("DELETE FROM thing", "CREATE TABLE other (id INT)", "DROP TABLE thing"):
        with pytest.raises(FatalError, match=r"READ ONLY|read.only"):
            ask(database, statement)
    assert len(ask(database, "SELECT * FROM thing")) == 2


def test_reading_locks_nobody_out(
    database: Database, mariadb: MariaDB, mysql_database: str
) -> None:
    """A write to the very rows is done while a slow read of them is under way."""
    slow = threading.Thread(target=ask, args=(database, "SELECT id, SLEEP(0.7) FROM thing"))
    slow.start()
    mariadb.execute(
        "SET innodb_lock_wait_timeout = 1",
        "SET lock_wait_timeout = 1",
        "UPDATE thing SET name = 'new' WHERE id = 1",
        database=mysql_database,
    )
    assert slow.is_alive()
    slow.join()


def test_a_killed_connection_is_replaced(database: Database, mariadb: MariaDB) -> None:
    usage = Usage()
    (number,) = ask(database, "SELECT CONNECTION_ID()")[0]

    def kill() -> None:
        mariadb.execute("DO SLEEP(0.3)", f"KILL {number}")

    killer = threading.Thread(target=kill)
    killer.start()
    rows = ask(database, "SELECT id, SLEEP(0.4) FROM thing", usage)
    killer.join()
    assert [row[0] for row in rows] == [1, 2]
    assert usage.retries == 1
    assert usage.api_calls == 2


def test_a_query_that_takes_too_long_says_what_helps(
    mariadb: MariaDB, mysql_database: str, opened: list[Database]
) -> None:
    opened.append(Database(mariadb.url(mysql_database), SyncSettings(timeout_seconds=0.2)))
    with pytest.raises(FatalError, match=r"longer than 0\.2 s"):
        ask(opened[0], "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b")


def test_bytes_that_are_no_text_cost_only_themselves(
    database: Database, mariadb: MariaDB, mysql_database: str
) -> None:
    mariadb.execute(
        "CREATE TABLE old (id INT, name VARCHAR(20) CHARACTER SET latin1)",
        "INSERT INTO old VALUES (1, 'Jos\u00e9')",
        database=mysql_database,
    )
    assert ask(database, "SELECT name FROM old")[0][0] == "Jos\u00e9"
    # What a driver of old left in a column that calls itself UTF-8.
    odd = b"Jos\xe9 \xff!".decode("utf-8", "surrogateescape")
    assert b"Jos\xe9".decode("utf-8-lenient") == odd[:4]


def test_the_clock_is_the_databases(database: Database) -> None:
    assert database.now() is None
    database.note_clock("test", Usage())
    now = database.now()
    assert now is not None
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


# Refusals


@pytest.mark.parametrize(
    ("user", "name", "message"),
    [
        ("nobody:secret", "", "refuses the login. Check user and password in GENIUS"),
        ("root", "missing", "does not exist. Check the database's name"),
    ],
)
def test_a_wrong_url_says_what_is_wrong(
    mariadb: MariaDB, mysql_database: str, opened: list[Database], user: str, name: str,
    message: str,
) -> None:  # fmt: skip
    url = f"mysql://{user}@127.0.0.1:{mariadb.port}/{name or mysql_database}"
    opened.append(Database(url, SETTINGS, variable="GENIUS_DATABASE_URL"))
    with pytest.raises(FatalError) as caught:
        ask(opened[0], "SELECT 1")
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_away_is_asked_again_and_then_named(opened: list[Database]) -> None:
    waits: list[float] = []
    url = "mysql://reader:secret@127.0.0.1:1/genius"
    opened.append(Database(url, SETTINGS, variable="GENIUS_DATABASE_URL", sleep=waits.append))
    usage = Usage()
    with pytest.raises(FatalError) as caught:
        ask(opened[0], "SELECT 1", usage)
    assert "cannot be reached" in str(caught.value)
    assert "GENIUS_DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert usage.retries == len(waits) == SETTINGS.max_attempts - 1


def test_a_missing_table_and_one_that_is_closed(
    database: Database, mariadb: MariaDB, mysql_database: str, opened: list[Database]
) -> None:
    with pytest.raises(FatalError, match="table nothing: there is no such table"):
        database.columns("nothing", "test", Usage())
    mariadb.execute(
        "CREATE OR REPLACE USER narrow IDENTIFIED BY 'pw'",
        f"CREATE TABLE {mysql_database}.open (id INT)",
        f"GRANT SELECT ON {mysql_database}.open TO narrow",
    )
    opened.append(Database(mariadb.url(mysql_database, "narrow", "pw"), SETTINGS))
    assert set(opened[-1].columns("open", "test", Usage())) == {"id"}
    with pytest.raises(FatalError, match=rf"GRANT SELECT ON {mysql_database}\.\* TO narrow"):
        opened[-1].columns("thing", "test", Usage())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("genius", "is no database URL"),
        ("oracle://host/db", "which nothing here reads"),
    ],
)
def test_what_is_no_url_is_refused(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed_url(url, "GENIUS_DATABASE_URL")


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+mysqldb"])
def test_any_scheme_of_mysqls_will_do(scheme: str) -> None:
    url = parsed_url(f"{scheme}://user:p%40ss@host:3307/db?charset=latin1", "X")
    assert (url.drivername, url.password, url.port) == ("mysql+pymysql", "p@ss", 3307)
    assert not url.query


# Zones

# Around both transitions of 2025 in New York, and days without any.
moments = st.one_of(
    st.datetimes(datetime(2025, 11, 1), datetime(2025, 11, 4)),
    st.datetimes(datetime(2025, 3, 8), datetime(2025, 3, 11)),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),
).map(lambda moment: moment.replace(tzinfo=UTC))
zones = st.sampled_from(
    ["UTC", "America/New_York", "US/Pacific", "Asia/Kolkata", "Australia/Lord_Howe"]
)


@given(zones, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_no_wall_clock_ever_shows_less_than_the_earliest(
    name: str, since: datetime, later: timedelta
) -> None:
    wall = (since + later).astimezone(ZoneInfo(name)).replace(tzinfo=None)
    assert Zone(name).earliest_wall(since) <= wall
    before = (since - later).astimezone(ZoneInfo(name)).replace(tzinfo=None)
    assert Zone(name).latest_wall(since) >= before


def test_the_earliest_wall_is_no_earlier_than_it_has_to_be() -> None:
    noon = datetime(2025, 7, 1, 16, 0, 0, 999, tzinfo=UTC)
    assert NEW_YORK.earliest_wall(noon) == datetime(2025, 7, 1, 12)
    assert NEW_YORK.latest_wall(noon) == datetime(2025, 7, 1, 12, 0, 1)


@pytest.mark.parametrize(
    ("wall", "moment"),
    [
        (datetime(2025, 7, 1, 12), datetime(2025, 7, 1, 16, tzinfo=UTC)),
        (datetime(2025, 11, 2, 1, 30), datetime(2025, 11, 2, 5, 30, tzinfo=UTC)),
        (datetime(2025, 3, 9, 2, 30), datetime(2025, 3, 9, 7, 30, tzinfo=UTC)),
        (datetime(9999, 12, 31, 23, 59), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
        (datetime(1, 1, 1), datetime(1, 1, 1, 4, 56, 2, tzinfo=UTC)),
    ],
    ids=["summer", "twice", "never", "last", "first"],
)
def test_a_wall_clock_time_is_one_moment(wall: datetime, moment: datetime) -> None:
    assert NEW_YORK.to_utc(wall) == moment


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "EST5"):
        with pytest.raises(UsageError, match="GENIUS_TIME_ZONE is"):
            Zone(name, "GENIUS_TIME_ZONE")


# The factory


def test_every_kind_of_source_has_a_reader() -> None:
    found = {}
    for kind in READERS:
        module, _, name = client_kind(kind).partition(":")
        found[kind] = getattr(import_module(module), name)
    assert found["database"] is Database
    assert all(isinstance(reader, type) for reader in found.values())
    with pytest.raises(UsageError, match="'telex'; there are: api, csv, database"):
        client_kind("telex")
