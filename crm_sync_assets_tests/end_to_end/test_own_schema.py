"""CRM_SYNC_SCHEMA: data in a schema of its own, the engine's tables beside it, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
import yaml

from crm_sync_assets.cli import exits
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import SCHEMA
from crm_sync_assets.warehouse import schemas
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.encrypted import NEW
from crm_sync_assets_tests.scripted import FakeClient, history, people, person, rows, start, sync
from crm_sync_assets_tests.surroundings import database

__all__ = ["run"]

URL = "CRM_SYNC_WAREHOUSE_URL"


@pytest.fixture
def empty_url(server_url: str, environment: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment's database: one without any table."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS of_schemas WITH (FORCE)")
        connection.execute("CREATE DATABASE of_schemas")
        url = database(server_url, "of_schemas")
        environment.setenv(URL, url)
        yield url


@contextmanager
def within(url: str, schema: str | None) -> Iterator[Warehouse]:
    with closing(Warehouse(schemas.in_schema(url, schema))) as warehouse:
        yield warehouse


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def places(url: str) -> dict[str, set[str]]:
    """Schema → the beginnings of the names of what is there."""
    found: dict[str, set[str]] = {}
    for schema, kind in query(
        url,
        "SELECT DISTINCT nspname, split_part(relname, '_', 1) FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relkind IN ('r', 'v', 'i', 'S') "
        "AND nspname !~ '^(pg_|information_schema)' AND relname !~ '^(ix|one)_'",
    ):
        found.setdefault(schema, set()).add(kind)
    return found


def test_every_command_works_in_a_schema_of_its_own(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch, empty_url: str
) -> None:
    environment.setenv(URL, empty_url)
    environment.setenv(SCHEMA, "crm")
    asked = ["contacts", "deals", "tickets", "associations"]

    def well(line: str) -> str:
        status, out, err = run(*line.split())
        assert status == exits.SUCCESS, (line, err)
        return out

    status, _, err = run("history")
    assert status == exits.FAILED
    assert "has no SyncHistory yet" in err
    assert "crm and crm_internal are not there yet" in well("doctor hubspot")
    assert places(empty_url) == {}
    well(f"hubspot {' '.join(asked)} --quiet")
    sandbox.move(30, seed=3)
    well(f"hubspot {' '.join(asked)} --quiet")
    well("hubspot contacts --full --force --quiet")
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", NEW)
    for line in (
        "rotate-keys",
        "verify hubspot contacts deals",
        "refresh hubspot deals",
        "quarantine list",
        "doctor hubspot",
        "history",
        "health hubspot",
        "alerts list",
        "dashboard --output page.html",
        "history prune --older-than 30d --yes",
    ):
        well(line)
    found = json.loads(run("sql", "SELECT count(*) FROM hubspot_contact_live", "--json")[1])
    assert found[0]["count"] == len(sandbox.hubspot.ids("contacts"))
    assert places(empty_url) == {"crm": {"hubspot"}, "crm_internal": {"ingestion"}}


def test_dbt_is_told_where_the_tables_are(run: Run, environment: pytest.MonkeyPatch) -> None:
    environment.setenv(SCHEMA, "crm")
    (source,) = yaml.safe_load(run("entities", "hubspot", "--dbt")[1])["sources"]
    assert source["schema"] == "crm"
    assert 'FROM "crm_internal"."ingestion_sync_history"' in source["tables"][0]["loaded_at_field"]


def test_two_warehouses_in_one_database_know_nothing_of_each_other(empty_url: str) -> None:
    with within(empty_url, "one") as one, within(empty_url, "two") as two:
        migrate(one)
        migrate(two, anew=True)
        sync(one, FakeClient([person(1, at=1)]))
        going_on = start(one, FakeClient([person(2, at=2)]))
        done = sync(two, FakeClient([person(1, at=1), person(3)]))
        assert done.strategy.name == "initial_full"
        assert len(people(two)) == 2
        assert going_on.status == "running"
        going_on.session.release()
        assert len(people(one)) == 1


def test_a_replacement_is_gathered_beside_the_data(empty_url: str) -> None:
    with within(empty_url, "crm") as warehouse:
        migrate(warehouse)
        sync(warehouse, FakeClient([person(1)]))

        def look(begun: int) -> None:
            where = query(
                empty_url,
                "SELECT relnamespace::regnamespace::text FROM pg_class "
                "WHERE relname ~ '^ingestion_shadow' AND relkind = 'r'",
            )
            seen.append(where)

        seen: list[Any] = []
        client = FakeClient([person(n) for n in range(250)], before_page=look)
        sync(warehouse, client, full=True, force=True)
        assert seen[-1] == [("crm_internal",)]
        assert len(people(warehouse)) == 250


def test_a_warehouse_elsewhere_is_named_and_moved_when_asked(
    run: Run, environment: pytest.MonkeyPatch, empty_url: str
) -> None:
    with within(empty_url, None) as before:
        migrate(before)
        sync(before, FakeClient([person(n) for n in range(3)]))
    query(
        empty_url,
        "CREATE VIEW report AS SELECT id FROM test_people_live; "
        "GRANT SELECT ON test_people_live TO PUBLIC",
    )
    environment.setenv(SCHEMA, "crm")
    environment.setenv("HUBSPOT_TOKEN", "never-asked")
    environment.setenv("HUBSPOT_BASE_URL", "http://127.0.0.1:9")
    for words in (["migrate"], ["hubspot", "owners"]):
        status, _, err = run(*words)
        assert status == exits.USAGE
        assert "warehouse in schema public: run `crm-sync migrate --from=public`" in err
    assert "crm" not in places(empty_url)
    environment.setattr("crm_sync_assets.declarations.registry.all_entities", _with_people)
    assert run("migrate", "--from=nowhere")[0] == exits.USAGE
    status, out, _ = run("migrate", "--from=public")
    assert status == exits.SUCCESS
    assert out.startswith("moved ")
    assert places(empty_url) == {
        "crm": {"test"},
        "crm_internal": {"ingestion"},
        "public": {"report"},
    }
    with within(empty_url, "crm") as after:
        done = sync(after, FakeClient([person(9, at=9)]))
        assert done.strategy.name == "incremental"
        assert len(people(after)) == 4
        assert len(history(after)) == 2
        assert rows(after, "SELECT count(*) FROM public.report") == [(4,)]
        assert rows(after, "SELECT has_table_privilege('public', 'test_people_live', 'SELECT')")
    assert run("migrate", "--from=public")[0] == exits.USAGE
    environment.delenv(SCHEMA)
    status, _, err = run("migrate")
    assert status == exits.USAGE
    assert "its warehouse in schema crm: set CRM_SYNC_SCHEMA=crm" in err
    assert run("migrate", "--anew")[0] == exits.SUCCESS
    assert run("migrate")[0] == exits.SUCCESS


def _with_people() -> dict[str, Any]:
    from crm_sync_assets_tests.scripted import PEOPLE

    return {PEOPLE.name: PEOPLE}


def test_nothing_is_moved_while_a_sync_is_running(
    run: Run, environment: pytest.MonkeyPatch, empty_url: str
) -> None:
    with within(empty_url, None) as before:
        migrate(before)
        begun = start(before, FakeClient([person(1)]))
        environment.setenv(SCHEMA, "crm")
        status, _, err = run("migrate", "--from=public")
        assert status == exits.FAILED
        assert "test people is being synced" in err
        assert len(err.splitlines()) == 1
        begun.session.release()
    assert "ingestion" in places(empty_url)["public"]
    assert "crm" not in places(empty_url)
    status, _, err = run("migrate", "--from=public")
    assert (status, err.split()) == (exits.SUCCESS, [])


@pytest.mark.parametrize("name", ["Crm", "crm-1", "pg_crm", "crm_internal", "x" * 55, "a,b", "é"])
def test_a_name_that_would_need_quoting_is_refused(
    run: Run, environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(SCHEMA, name)
    status, _, err = run("migrate")
    assert status == exits.USAGE
    assert f"CRM_SYNC_SCHEMA is {name!r}: give a name of small letters" in err


def test_a_schema_in_the_url_too_is_refused_unless_it_is_the_same(
    environment: pytest.MonkeyPatch, empty_url: str, run: Run
) -> None:
    environment.setenv(SCHEMA, "crm")
    environment.setenv(URL, schemas.in_schema(empty_url, "crm"))
    assert run("migrate")[0] == exits.SUCCESS
    assert schemas.own_schema(open_warehouse().url) == "crm"
    environment.setenv(URL, schemas.in_schema(empty_url, "other"))
    status, _, err = run("migrate")
    assert status == exits.USAGE
    assert "sets search_path to other,other_internal: leave one of them out" in err


def test_options_of_the_url_and_of_the_environment_stay(
    environment: pytest.MonkeyPatch, empty_url: str
) -> None:
    environment.setenv("PGOPTIONS", "-c work_mem=7MB")
    with within(empty_url, "crm") as warehouse:
        migrate(warehouse)
        assert rows(warehouse, "SELECT current_setting('work_mem'), current_schema()") == [
            ("7MB", "crm")
        ]


def test_a_role_that_may_not_make_schemas_is_told_the_statements(
    environment: pytest.MonkeyPatch, empty_url: str, run: Run
) -> None:
    query(empty_url, "CREATE ROLE no_schemas LOGIN")
    try:
        environment.setenv(SCHEMA, "crm")
        environment.setenv(URL, empty_url.replace("//postgres", "//no_schemas"))
        status, _, err = run("migrate")
        assert status == exits.USAGE
        assert "run CREATE SCHEMA crm AUTHORIZATION no_schemas; CREATE SCHEMA crm_int" in err
        for name in ("crm", "crm_internal"):
            query(empty_url, f"CREATE SCHEMA {name} AUTHORIZATION no_schemas")
        assert run("migrate")[0] == exits.SUCCESS
        assert places(empty_url) == {"crm_internal": {"ingestion"}}
    finally:
        query(empty_url, "DROP OWNED BY no_schemas CASCADE")
        query(empty_url, "DROP ROLE no_schemas")
