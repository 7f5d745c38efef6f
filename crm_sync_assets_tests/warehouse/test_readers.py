"""Roles that may read: the data of now and of later, and nothing that is only the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import text
from crm_sync_assets.settings import SCHEMA
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets.warehouse.schemas import in_schema
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.scripted import PEOPLE, THINGS, FakeClient, person, rows, sync

__all__ = ["run"]

READER = 'an "odd" reader'
INTERNAL = [
    f"ingestion_{name}"
    for name in ("quarantine", "oauth_token", "encryption_key", "sync_keys", "alert", "reader")
]


@pytest.fixture(autouse=True)
def reader(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The role, and a registry that has the test's entities alone."""
    ours = {entity.name: entity for entity in (PEOPLE, THINGS)}
    monkeypatch.setattr(registry, "all_entities", lambda: ours)
    quoted = READER.replace('"', '""')
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "{quoted}" LOGIN'.encode())
        yield
        connection.execute(f'DROP OWNED BY "{quoted}"'.encode())
        connection.execute(f'DROP ROLE "{quoted}"'.encode())


def reads(url: str, what: str) -> int | str:
    """How many rows the role sees there, or why it sees none."""
    with psycopg.connect(url, user=READER) as connection:
        try:
            query = f"SELECT count(*) FROM {what}"  # noqa: S608
            found = connection.execute(query.encode()).fetchone()
        except psycopg.errors.InsufficientPrivilege as error:
            return str(error.diag.message_primary)
        assert found is not None
        return int(found[0])


def test_a_reader_reads_data_and_history_and_nothing_else(
    run: Run, warehouse: Warehouse, database_url: str
) -> None:
    sync(warehouse, FakeClient([person(1), person(2)]))
    assert reads(database_url, "test_people") == "permission denied for table test_people"
    status, out, _ = run("migrate", "--grant", READER)
    assert status == exits.SUCCESS
    assert f"{READER} may read 2 tables and views of data" in out
    assert reads(database_url, "test_people") == reads(database_url, "test_people_live") == 2
    assert reads(database_url, "ingestion_sync_history") == 1
    for name in INTERNAL:
        assert reads(database_url, name) == f"permission denied for table {name}"
    with (
        psycopg.connect(database_url, user=READER) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("DELETE FROM test_people_live")


def test_a_reader_reads_what_is_made_later(
    run: Run, warehouse: Warehouse, database_url: str
) -> None:
    assert run("migrate", "--grant", READER)[0] == exits.SUCCESS
    sync(warehouse, FakeClient([person(1)]))
    assert reads(database_url, "test_people") == reads(database_url, "test_people_live") == 1
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, text("colour")))
    sync(warehouse, FakeClient([person(1, at=1, colour="red")]), wider)
    assert reads(database_url, "test_people_live WHERE colour = 'red'") == 1

    def look(begun: int) -> None:
        gathered = "SELECT tablename FROM pg_tables WHERE tablename ~ '^ingestion_shadow'"
        ((shadow,),) = rows(warehouse, gathered)
        seen.append(reads(database_url, shadow))

    seen: list[int | str] = []
    client = FakeClient([person(n) for n in range(150)], before_page=look)
    sync(warehouse, client, full=True, force=True)
    assert str(seen[-1]).startswith("permission denied for table ingestion_shadow")
    assert reads(database_url, "test_people_live") == 150


def test_a_reader_is_sent_away_again(run: Run, warehouse: Warehouse, database_url: str) -> None:
    sync(warehouse, FakeClient([person(1)]))
    assert run("migrate", "--grant", READER)[0] == exits.SUCCESS
    assert run("migrate", "--revoke", READER)[0] == exits.SUCCESS
    for name in ("test_people", "ingestion_sync_history"):
        assert reads(database_url, name) == f"permission denied for table {name}"
    status, _, err = run("migrate", "--revoke", READER)
    assert status == exits.USAGE
    assert "was not let in" in err


def test_a_reader_follows_into_a_schema_of_its_own(
    run: Run, warehouse: Warehouse, database_url: str, environment: pytest.MonkeyPatch
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    assert run("migrate", "--grant", READER)[0] == exits.SUCCESS
    environment.setenv(SCHEMA, "crm")
    assert run("migrate", "--from=public")[0] == exits.SUCCESS
    with closing(Warehouse(in_schema(database_url, "crm"))) as moved:
        sync(moved, FakeClient([person(2)]), THINGS)
    for name in ("crm.test_people_live", "crm.test_things_live"):
        assert reads(database_url, name) == 1
    assert reads(database_url, "crm_internal.ingestion_sync_history") == 2
    name = "ingestion_quarantine"
    assert reads(database_url, f"crm_internal.{name}") == f"permission denied for table {name}"


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("nobody's", "there is no role nobody's: CREATE ROLE \"nobody's\" LOGIN PASSWORD"),
        ("postgres", "may read and write everything already"),
    ],
)
def test_a_role_that_cannot_be_a_reader_is_one_line(run: Run, role: str, said: str) -> None:
    status, _, err = run("migrate", "--grant", role)
    assert status == exits.USAGE
    assert said in err
    assert len(err.splitlines()) == 1


def test_who_may_not_give_it_gives_nothing(
    run: Run, warehouse: Warehouse, database_url: str, environment: pytest.MonkeyPatch
) -> None:
    """PostgreSQL only warns, and says nothing of what it did not grant."""
    sync(warehouse, FakeClient([person(1)]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE not_owner LOGIN")
        try:
            connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO not_owner")
            url = database_url.replace("//postgres", "//not_owner")
            environment.setenv("CRM_SYNC_WAREHOUSE_URL", url)
            status, _, err = run("migrate", "--grant", READER)
            assert status == exits.FAILED
            assert "belongs to another role" in err
        finally:
            connection.execute("DROP OWNED BY not_owner")
            connection.execute("DROP ROLE not_owner")
    assert rows(warehouse, "SELECT count(*) FROM ingestion_reader") == [(0,)]
    assert reads(database_url, "test_people") == "permission denied for table test_people"


def test_a_reader_that_is_gone_stops_no_sync(
    run: Run, warehouse: Warehouse, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE passing LOGIN")
        assert run("migrate", "--grant", "passing")[0] == exits.SUCCESS
        connection.execute("DROP OWNED BY passing")
        connection.execute("DROP ROLE passing")
    assert sync(warehouse, FakeClient([person(1)])).status == "success"
    assert run("migrate")[0] == exits.SUCCESS
    assert migrate(warehouse) is False
