"""Views of live rows: they show what is live in the table of now, whatever was done to it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.errors import FatalError
from crm_sync_assets.operations.rotation import rotate
from crm_sync_assets.warehouse import locks, views
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.encrypted import CLIENTS, OLD, client
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, history, person, rows, sync


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_told", set())


def change(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.connection() as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def seen(warehouse: Warehouse, what: str = "id", view: str = "test_people_live") -> list[Any]:
    query = f"SELECT {what} FROM {view} ORDER BY 1"  # noqa: S608
    return [value for (value,) in rows(warehouse, query)]


def view_columns(warehouse: Warehouse, view: str = "test_people_live") -> set[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    return {name for (name,) in rows(warehouse, query, view)}


def grants(warehouse: Warehouse, view: str = "test_people_live") -> list[str]:
    query = "SELECT unnest(relacl)::text FROM pg_class WHERE oid = %s::regclass"
    return sorted(
        text for (text,) in rows(warehouse, query, view) if not text.startswith("postgres=")
    )


def test_deleted_and_merged_rows_are_not_in_the_view(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(5)]))
    gone = [Tombstone(("1",)), Tombstone(("2",), merged_into="3")]
    sync(warehouse, FakeClient([person(4, at=9, merged="0")], tombstones=gone))
    assert seen(warehouse) == ["3", "4"]
    sync(warehouse, FakeClient([person(1, at=20)]))
    assert seen(warehouse) == ["1", "3", "4"]


def test_a_replacement_is_in_the_view(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1), person(2)]))
    sync(warehouse, FakeClient([person(2), person(3)]), full=True, force=True)
    assert seen(warehouse) == ["2", "3"]


def test_a_new_column_is_in_the_view_and_what_hangs_on_the_view_stays(
    warehouse: Warehouse,
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    change(
        warehouse,
        "GRANT SELECT ON test_people_live TO PUBLIC",
        "CREATE VIEW report AS SELECT * FROM test_people_live",
    )
    wider = replace(PEOPLE, columns=(text("colour"), *PEOPLE.columns))
    sync(warehouse, FakeClient([person(2, colour="red")]), wider)
    assert seen(warehouse, "colour") == ["red", None]
    assert grants(warehouse) == ["=r/postgres"]
    assert seen(warehouse, "count(*)", "report") == [2]


def test_a_view_that_is_right_is_not_touched(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    query = (
        "SELECT c.xmin::text, r.xmin::text FROM pg_class AS c JOIN pg_rewrite AS r "
        "ON r.ev_class = c.oid WHERE c.relname = 'test_people_live'"
    )
    before = rows(warehouse, query)
    sync(warehouse, FakeClient([person(2, at=1)]))
    assert rows(warehouse, query) == before != []


def test_a_dry_run_leaves_no_view(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]), dry_run=True)
    assert rows(warehouse, "SELECT to_regclass('test_people_live')") == [(None,)]


def test_the_view_of_a_table_that_was_renamed_shows_the_new_one(warehouse: Warehouse) -> None:
    """As the error of a column of another type says, and PostgreSQL's views follow a rename."""
    sync(warehouse, FakeClient([person(1, at=9)]))
    wider = replace(PEOPLE, columns=(text("colour"), *PEOPLE.columns))
    sync(warehouse, FakeClient([person(1, at=9)]), wider)
    change(
        warehouse,
        "GRANT SELECT ON test_people_live TO PUBLIC",
        "CREATE VIEW report AS SELECT id FROM test_people_live",
        "ALTER TABLE test_people RENAME TO aside",
    )
    sync(warehouse, FakeClient([person(2)]), wider, full=True)
    assert seen(warehouse) == seen(warehouse, view="report") == ["2"]
    owners = "SELECT tablename FROM pg_indexes WHERE indexname = 'ix_test_people_name'"
    assert rows(warehouse, owners) == [("test_people",)]
    assert grants(warehouse) == ["=r/postgres"]


def test_a_renamed_table_s_view_is_made_anew_where_columns_differ(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    change(
        warehouse,
        "GRANT SELECT ON test_people_live TO PUBLIC",
        "ALTER TABLE test_people RENAME TO aside",
    )
    numbered = replace(PEOPLE, columns=(PEOPLE.columns[0], integer("name"), *PEOPLE.columns[2:]))
    sync(warehouse, FakeClient([person(2, name="7")]), numbered, full=True)
    assert seen(warehouse, "name") == [7]
    assert grants(warehouse) == ["=r/postgres"]
    change(
        warehouse,
        "ALTER TABLE test_people RENAME TO beside",
        "CREATE VIEW report AS SELECT name FROM test_people_live",
    )
    with pytest.raises(FatalError, match="view report depends on view test_people_live: drop that"):
        sync(warehouse, FakeClient([person(3)]), full=True)
    assert history(warehouse)[-1]["status"] == "failed"
    assert seen(warehouse, "name", "report") == [7]


@pytest.mark.parametrize(
    "theirs",
    ["CREATE VIEW test_people_live AS SELECT 'x'::text AS id", "CREATE TABLE test_people_live ()"],
)
def test_what_somebody_else_made_under_that_name_is_left_alone(
    warehouse: Warehouse, theirs: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(warehouse, theirs)
    before = view_columns(warehouse)
    for number in range(2):
        assert sync(warehouse, FakeClient([person(number, at=number)])).status == "success"
    assert view_columns(warehouse) == before
    said = [record.getMessage() for record in caplog.records]
    told = [line for line in said if "test_people_live is not made" in line]
    assert len(told) == 1
    assert "rename that" in told[0]


def test_a_role_that_may_not_make_views_syncs_without(
    warehouse: Warehouse, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    change(
        warehouse,
        "DROP VIEW test_people_live",
        "DROP ROLE IF EXISTS syncs_only",
        "CREATE ROLE syncs_only LOGIN",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO syncs_only",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO syncs_only",
    )
    try:
        with closing(Warehouse(database_url.replace("//postgres", "//syncs_only"))) as theirs:
            assert sync(theirs, FakeClient([person(2, at=1)])).status == "success"
        assert "view test_people_live is not made: permission denied" in caplog.text
    finally:
        change(warehouse, "DROP OWNED BY syncs_only", "DROP ROLE syncs_only")


def test_nobody_waits_long_for_who_makes_the_view(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A dry run of an older table makes it, and takes that back at its end."""
    monkeypatch.setattr(views, "PATIENCE", "100ms")
    sync(warehouse, FakeClient([person(1)]))
    change(warehouse, "DROP VIEW test_people_live")
    with warehouse.connection() as other:
        locks.take_until_commit(other, locks.table("test_people"))
        assert sync(warehouse, FakeClient([person(2, at=1)])).status == "success"
        assert "view test_people_live is not made: canceling statement due to lock" in caplog.text
        other.rollback()
    sync(warehouse, FakeClient([person(3, at=2)]))
    assert seen(warehouse) == ["1", "2", "3"]


def test_a_table_that_is_encrypted_keeps_its_view(warehouse: Warehouse) -> None:
    view = "test_clients_live"
    sync(warehouse, FakeClient([client(1), client(2)]), CLIENTS)
    sync(warehouse, FakeClient(tombstones=[Tombstone(("2",))]), CLIENTS)
    change(warehouse, f"GRANT SELECT ON {view} TO PUBLIC")
    with closing(Warehouse(warehouse.url, [OLD])) as keyed:
        change(warehouse, "CREATE VIEW report AS SELECT born FROM test_clients_live")
        with pytest.raises(FatalError, match=f"view report depends on view {view}"):
            rotate(keyed, [CLIENTS])
        change(warehouse, "DROP VIEW report")
        rotate(keyed, [CLIENTS])
        assert seen(warehouse, view=view) == ["1"]
        assert {"born", "born_bidx"} <= view_columns(warehouse, view)
        assert grants(warehouse, view) == ["=r/postgres"]


def test_no_view_has_the_name_of_a_table_and_none_is_cut() -> None:
    tables = {entity.table for entity in registry.all_entities().values()}
    made = {views.live_view(table) for table in tables}
    assert not made & tables
    assert max(len(name.encode()) for name in made) <= 63


def test_an_older_warehouse_gets_its_views_at_the_next_sync(
    warehouse: Warehouse, database_url: str
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP VIEW test_people_live")
    sync(warehouse, FakeClient([person(2, at=1)]))
    assert seen(warehouse) == ["1", "2"]
