"""Core tables by Alembic: the head is known, and many processes may start at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from crm_sync_assets.clients.oauth import TableStore
from crm_sync_assets.errors import FatalError, Unavailable
from crm_sync_assets.warehouse import migrations, schemas, views
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import HEAD, migrate, revision
from crm_sync_assets_tests.scripted import FakeClient, person, rows, sync
from crm_sync_assets_tests.surroundings import database


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """A database without any table."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS not_migrated")
        connection.execute("CREATE DATABASE not_migrated")
        yield database(server_url, "not_migrated")
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier("not_migrated"))
        )


def test_the_head_the_code_knows_is_alembics() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_warehouse_is_migrated_once(empty_url: str) -> None:
    warehouse = Warehouse(empty_url)
    with warehouse.connection() as connection:
        assert revision(connection) is None
    assert migrate(warehouse) is True
    assert migrate(warehouse) is False
    with warehouse.connection() as connection:
        assert revision(connection) == HEAD
    assert sync(warehouse, FakeClient([person(1)])).status == "success"
    warehouse.close()


def test_a_migration_that_breaks_leaves_nothing_and_frees_its_lock(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(empty_url)

    def broken(url: str) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_upgrade", broken)
        with pytest.raises(RuntimeError):
            migrate(warehouse)
    assert rows(warehouse, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    assert migrate(warehouse) is True
    warehouse.close()


PROGRAM = """
import sys
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets.warehouse.connection import Warehouse
warehouse = Warehouse(sys.argv[1])
sys.stdin.readline()
print(migrate(warehouse))
warehouse.close()
"""


def test_of_four_processes_that_start_at_once_one_migrates(empty_url: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, empty_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = sorted(child.communicate(timeout=60)[0].strip() for child in children)
    assert said == ["False", "False", "False", "True"]


def test_tokens_of_the_version_before_go_where_the_settings_say(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(empty_url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "0005")
        migrate(warehouse)
    with psycopg.connect(empty_url) as connection:
        connection.execute(
            "INSERT INTO ingestion_oauth_token (account, access_token, refresh_token, expires_at) "
            "VALUES ('a', 'access-1', 'refresh-1', now() + interval '1 hour')"
        )
    with pytest.raises(Unavailable, match="crm-sync migrate"), store(empty_url).locked():
        pass
    assert migrate(warehouse)
    with store(empty_url).locked() as slot:
        tokens = slot.tokens
        assert (tokens.access, tokens.refresh, tokens.base_url) == ("access-1", "refresh-1", None)
        slot.save(replace(tokens, base_url="https://acme.example.com"))
    with store(empty_url).locked() as slot:
        assert slot.tokens.base_url == "https://acme.example.com"
    warehouse.close()


@pytest.fixture
def of_before(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse before its keys had one type, with a row of each table that is changed."""
    warehouse = Warehouse(empty_url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "0011")
        migrate(warehouse)
    before = (
        "CREATE TABLE genius_prospect (id bigint, hubspot_contact_id bigint)",
        "CREATE TABLE hubspot_appointment (id text, genius_appointment_id text, "
        "sync_issues jsonb, properties jsonb, sync_updated_at timestamptz, deleted_at timestamptz)",
        "CREATE INDEX ix ON hubspot_appointment (genius_appointment_id)",
        "INSERT INTO genius_prospect VALUES (1, 901234567890), (2, NULL)",
        "INSERT INTO hubspot_appointment (id, genius_appointment_id) "
        "VALUES ('1', ' 556001 '), ('2', '556002.0'), ('3', NULL), ('4', 'N/A'), ('5', '1e3')",
    )
    with warehouse.connection() as connection:
        for statement in before:
            connection.execute(statement)
        connection.commit()
    yield warehouse
    warehouse.close()


def test_keys_get_one_type_and_what_is_none_is_noted(of_before: Warehouse) -> None:
    with of_before.connection() as connection:
        views.keep(connection, "hubspot_appointment")
        connection.execute("GRANT SELECT ON hubspot_appointment_live TO PUBLIC")
        connection.commit()
    assert migrate(of_before)
    assert rows(of_before, "SELECT hubspot_contact_id FROM genius_prospect ORDER BY id") == [
        ("901234567890",),
        (None,),
    ]
    found = rows(
        of_before,
        "SELECT genius_appointment_id, sync_issues, properties, sync_updated_at IS NOT NULL "
        "FROM hubspot_appointment_live ORDER BY id",
    )
    assert [number for number, *_ in found] == [556001, 556002, None, None, None]
    issue = [{"field": "genius_appointment_id", "problem": "is not a number"}]
    assert found[2][1:] == (None, None, False)
    assert found[3][1:] == (issue, {"genius_appointment_id": "N/A"}, True)
    granted = "SELECT has_table_privilege('public', 'hubspot_appointment_live', 'SELECT')"
    assert rows(of_before, granted) == [(True,)]


def test_a_view_of_somebody_s_on_a_column_that_changes_is_named(of_before: Warehouse) -> None:
    with of_before.connection() as connection:
        connection.execute("CREATE VIEW report AS SELECT hubspot_contact_id FROM genius_prospect")
        connection.commit()
    with pytest.raises(FatalError, match=r"view report depends on column .* drop that, run"):
        migrate(of_before)
    with of_before.connection() as connection:
        assert revision(connection) == "0011"
        connection.execute("DROP VIEW report")
        connection.commit()
    assert migrate(of_before)


def test_tables_in_a_schema_of_their_own_are_changed_too(
    of_before: Warehouse, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Warehouse(schemas.in_schema(empty_url, "crm"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "0011")
        migrate(own, anew=True)
    with own.connection() as connection:
        connection.execute("ALTER TABLE public.genius_prospect SET SCHEMA crm")
        connection.commit()
    assert migrate(own)
    assert rows(own, "SELECT hubspot_contact_id FROM genius_prospect")[0] == ("901234567890",)
    own.close()


def store(url: str) -> TableStore:
    return TableStore(url, "a", "refresh-0")


def test_what_webhooks_told_before_counts_as_heard(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(empty_url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "0013")
        migrate(warehouse)
    with warehouse.connection() as connection:
        connection.execute(
            "INSERT INTO ingestion_webhook_event (source, event_key, entity, happened, payload, "
            "received_at) VALUES ('a', '1', 'people', 'created', '', '2026-01-01Z'), "
            "('a', '2', 'people', 'created', '', '2026-01-03Z'), "
            "('a', '3', NULL, 'changed', '', '2026-01-02Z')"
        )
        connection.commit()
    assert migrate(warehouse)
    query = (
        "SELECT source, entity, happened, events, extract(day FROM first_at)::int, "
        "extract(day FROM last_at)::int FROM ingestion_webhook_heard ORDER BY 2"
    )
    assert rows(warehouse, query) == [
        ("a", "", "changed", 1, 2, 2),
        ("a", "people", "created", 2, 1, 3),
    ]
    warehouse.close()
