"""Genius's client: what it reads of a table as it is, and what it says when that will not do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm_sync_assets import keysums
from crm_sync_assets.clients.sql.reading import TableReading
from crm_sync_assets.crms.genius.client import database_url
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, Forbidden, NotAvailable, Unauthorized, UsageError
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs, differences, stored_rows
from crm_sync_assets_tests.crms.genius.worlds import Start, point
from crm_sync_assets_tests.mariadb import MariaDB
from crm_sync_assets_tests.scripted import history


def execute(world: World, *statements: str) -> None:
    with world.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def row(genius: GeniusSyncs, name: str, *key: Any) -> dict[str, Any]:
    return stored_rows(genius.warehouse, registry.entity(f"genius.{name}"))[key]


# Tables as they are


def test_a_column_that_is_not_there_stays_empty_and_is_named_once(
    world: World, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    execute(world, "ALTER TABLE job DROP COLUMN company_cam_link")
    genius = start()
    with caplog.at_level("INFO", "crm_sync_assets.clients.sql"):
        genius.sync("jobs")
        genius.sync("jobs", full=True)
    lines = [line for line in caplog.messages if "has no column company_cam_link" in line]
    assert len(lines) == 1
    assert row(genius, "jobs", 5)["company_cam_link"] is None


@pytest.mark.parametrize(
    ("column", "message"),
    [("updated_at", "has no column updated_at"), ("id", "has no column id")],
)
def test_a_table_without_what_is_needed_is_refused(
    world: World, start: Start, column: str, message: str
) -> None:
    execute(world, f"ALTER TABLE quote RENAME COLUMN {column} TO other")
    with pytest.raises(FatalError, match=message):
        start().sync("quotes")


def test_ids_of_other_third_parties_are_not_taken_for_hubspots(world: World, start: Start) -> None:
    genius = start()
    genius.sync("prospects")
    labels = {t["id"]: t["label"] for t in world.rows("third_party_source_type")}
    kinds = {
        s["id"]: labels.get(s["third_party_source_type_id"])
        for s in world.rows("third_party_source")
    }
    found = {p["id"]: kinds.get(p["third_party_source_id"]) for p in world.rows("prospect")}
    assert set(found.values()) >= {"hubspot", "five9"}
    for key, kind in found.items():
        assert (row(genius, "prospects", key)["hubspot_contact_id"] is None) == (kind != "hubspot")


def test_what_is_odd_is_kept_and_noted(world: World, start: Start) -> None:
    execute(
        world,
        "UPDATE appointment SET time = '25:30:00', duration = '-01:30:00' WHERE id = 1",
        "UPDATE appointment SET time = '09:05:00', duration = '30:00:00', date = '0000-00-00' "
        "WHERE id = 2",
        "UPDATE job SET is_lead_pb = b'1', service_id = 0, client_cid = 0 WHERE id = 1",
        "UPDATE job SET is_lead_pb = b'0', measure_time = NULL WHERE id = 2",
        "UPDATE appointment_to_service SET created_at = '0000-00-00', updated_at = NULL "
        "WHERE appointment_id = 1 AND service_id = 0",
        "UPDATE division SET is_utility = NULL WHERE id = 1",
    )
    genius = start()
    for name in ("appointments", "jobs", "appointment_services", "divisions"):
        assert genius.sync(name).status == "success"
    first, second = row(genius, "appointments", 1), row(genius, "appointments", 2)
    assert (first["time"], first["duration"]) == (None, -timedelta(hours=1.5))
    assert second["duration"] == timedelta(hours=30)
    assert second["time"].isoformat() == "09:05:00"
    assert second["date"] is None
    assert {i["field"] for i in first["sync_issues"]} >= {"time"}
    assert any("zero date" in i["problem"] for i in second["sync_issues"])
    assert row(genius, "jobs", 1)["is_lead_pb"] == 1
    assert row(genius, "jobs", 2)["is_lead_pb"] == 0
    assert (row(genius, "jobs", 1)["service_id"], row(genius, "jobs", 1)["client_cid"]) == (0, None)
    pair = row(genius, "appointment_services", 1, 0)
    assert (pair["created_at"], pair["updated_at"]) == (None, None)
    assert row(genius, "divisions", 1)["is_utility"] is False


def test_bytes_that_are_no_text_cost_one_character(world: World, start: Start) -> None:
    """A column of an old table can hold what its character set does not know."""
    execute(
        world,
        "ALTER TABLE lead MODIFY city VARBINARY(40)",
        "UPDATE lead SET city = X'4A6F73E9' WHERE lead_id = 1",
        "ALTER TABLE lead MODIFY last_name VARCHAR(40) CHARACTER SET latin1",
        "UPDATE lead SET last_name = 'Núñez' WHERE lead_id = 1",
    )
    genius = start()
    assert genius.sync("leads").status == "success"
    found = row(genius, "leads", 1)
    assert found["last_name"] == "Núñez"
    assert found["city"] == "Jos\ufffd"
    assert [i for i in found["sync_issues"] if i["field"] == "city"]


# Interruptions


def test_a_connection_killed_in_the_middle_of_a_table_goes_on(
    world: World, start: Start, mariadb: MariaDB
) -> None:
    world.insert("lead", 400)
    genius = start()
    killed = threading.Event()

    def kill(_connection: Any, *_: Any) -> None:
        if not killed.is_set() and genius.client.database.engine.pool.checkedout():
            killed.set()
            query = "SELECT id, db FROM information_schema.processlist"
            for number, name in mariadb.execute(query):
                if name == world.url.database:
                    mariadb.execute(f"KILL {number}")

    genius.client.database._sleep = lambda _: None
    sa.event.listen(genius.client.database.engine, "before_cursor_execute", kill)
    world.engine.dispose()
    sync = genius.sync("leads", batch_size=50)
    assert killed.is_set()
    assert sync.status == "success"
    assert differences(world, genius.warehouse, "leads") == []


def test_a_reading_goes_on_after_the_last_key(world: World, start: Start) -> None:
    genius = start()
    strategy = Strategy("full")
    entity = registry.entity("genius.appointment_services")
    whole = list(pages(genius, Read(entity, strategy, 10, genius.warehouse)))
    keys = [key for page in whole for key in keys_of(page)]
    assert keys == sorted(set(keys))
    assert len(keys) == len(world.keys("appointment_to_service"))
    for n, page in enumerate(whole[:-1]):
        rest = pages(genius, Read(entity, strategy, 10, genius.warehouse, cursor=page.cursor))
        assert [k for p in rest for k in keys_of(p)] == keys[10 * (n + 1) :]


def pages(genius: GeniusSyncs, read: Read) -> Iterator[Page]:
    return iter(genius.client.pages(read, Usage()))


def keys_of(page: Page) -> list[tuple[int, int]]:
    return [(r["appointment_id"], r["service_id"]) for r in page.records]


def test_text_keys_are_read_bytewise_whatever_their_collation(world: World, start: Start) -> None:
    execute(
        world,
        "ALTER TABLE marketsharp_marketing_source_map MODIFY marketsharp_id VARCHAR(99) "
        "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL",
    )
    genius = start()
    genius.sync("marketsharp_marketing_source_maps", batch_size=4)
    keys = world.keys("marketsharp_marketing_source_map")
    world.delete("marketsharp_marketing_source_map", keys[7])
    sync = genius.sync("marketsharp_marketing_source_maps", batch_size=4)
    assert sync.counts.deleted == 1
    assert differences(world, genius.warehouse, "marketsharp_marketing_source_maps") == []


def test_keys_that_do_not_ascend_end_the_reading(world: World, start: Start) -> None:
    genius = start()
    entity = registry.entity("genius.quotes")
    read = Read(entity, Strategy("full"), 10, genius.warehouse)

    class Stuck:
        database = genius.client.database
        hidden_columns: tuple[str, ...] = ()

        def columns(self) -> list[str]:
            return ["id"]

        def chunk(self, *_: Any) -> Any:
            return sa.text("SELECT 1 UNION ALL SELECT 2")

        def key_of(self, found: Any) -> list[int]:
            return list(found)

        def records(self, rows: Any) -> list[dict[str, Any]]:
            return [{"id": r[0]} for r in rows]

    stuck: Any = Stuck()
    reading = TableReading(Read(entity, Strategy("full"), 2, genius.warehouse), stuck, Usage())
    with pytest.raises(FatalError, match="pagination loop"):
        list(reading.pages())
    assert read.cursor is None


# Deletions


def test_sparse_keys_are_compared_without_counting_through_them(world: World, start: Start) -> None:
    for key in (70_000, 4_000_000, 2_000_000_000):
        world._update(world.sources["quote"], (key % 7 + 1,), {"id": key})
    genius = start()
    genius.sync("quotes")
    world.delete("quote", (4_000_000,))
    world._update(world.sources["quote"], (2_000_000_000,), {"id": 2_000_000_001})
    execute(world, "UPDATE quote SET updated_at = '2020-01-01' WHERE id > 2000000000")
    sync = genius.sync("quotes")
    assert (sync.counts.deleted, sync.counts.created) == (2, 1)
    assert sync.usage.api_calls < 40
    assert differences(world, genius.warehouse, "quotes") == []


def test_a_key_that_comes_back_while_comparing_is_not_buried(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not committed when the keys were listed, and is when they are asked for again."""
    from crm_sync_assets.clients.sql.comparing import Comparison

    genius = start()
    genius.sync("quotes")
    (before,) = (r for r in world.rows("quote") if r["id"] == 3)
    world.delete("quote", (3,))
    real = Comparison._still_gone

    def late(self: Comparison, keys: Any) -> Any:
        with world.engine.begin() as connection:
            connection.execute(world.sources["quote"].table.insert(), [before])
        return real(self, keys)

    monkeypatch.setattr(Comparison, "_still_gone", late)
    sync = genius.sync("quotes")
    assert sync.counts.deleted == 0
    assert differences(world, genius.warehouse, "quotes") == []


@pytest.mark.parametrize("columns", [["a"], ["a", "b"]])
def test_both_databases_sum_up_keys_alike(
    world: World, warehouse: Warehouse, columns: list[str]
) -> None:
    pairs = [(-12_345, 2), (-1, 9), (0, 0), (7, -3), (9_999, 1), (10_000, 5), (2**40 + 3, 2**31)]
    values = ", ".join(map(str, pairs))
    execute(
        world,
        "CREATE OR REPLACE TABLE pairs (a BIGINT, b BIGINT)",
        f"INSERT INTO pairs VALUES {values}",  # noqa: S608
    )
    with warehouse.connection() as connection:
        connection.execute("CREATE TABLE pairs (a bigint, b bigint, deleted_at timestamptz)")
        connection.execute(f"INSERT INTO pairs VALUES {values}")  # type: ignore[call-overload]  # noqa: S608
        connection.commit()
    low, high = -20_000, 2**41
    terms = ", ".join(keysums.terms([f"`{name}`" for name in columns], low))
    query = f"SELECT {terms}, COUNT(*) FROM pairs GROUP BY 1"  # noqa: S608
    with world.engine.connect() as connection_there:
        found = connection_there.execute(sa.text(query)).all()
    there = {int(b): (int(n), int(a), int(c)) for b, a, c, n in found}
    assert warehouse.key_sums("pairs", columns, low=low, high=high) == there
    assert sum(n for n, _, _ in there.values()) == len(pairs)
    keys = warehouse.numbers("pairs", columns, low=0, high=10_001)
    assert keys == sorted(tuple(pair[: len(columns)]) for pair in pairs if 0 <= pair[0] <= 10_000)
    assert warehouse.numbers("pairs", columns, limit=1)[0][0] == -12_345
    assert warehouse.numbers("missing", columns) == []
    assert warehouse.key_sums("missing", columns, low=0, high=9) == {}


# The environment


def test_a_reader_with_nothing_but_select_is_enough(
    world: World, start: Start, mariadb: MariaDB, genius_environment: pytest.MonkeyPatch
) -> None:
    name = str(world.url.database)
    mariadb.execute(
        "CREATE OR REPLACE USER reader IDENTIFIED BY 'p@ss'",
        f"GRANT SELECT ON {name}.* TO reader",
    )
    point(genius_environment, world, mariadb.url(name, "reader", "p%40ss"))
    genius = start()
    assert {s.status for s in genius.all().values()} == {"success"}
    assert differences(world, genius.warehouse) == []
    mariadb.execute(f"GRANT INSERT, UPDATE, DELETE ON {name}.* TO reader")
    # Rights are looked at when a connection is made.
    genius.client.database.engine.dispose()
    with pytest.raises(FatalError, match="READ ONLY"):
        genius.client.database.rows(sa.text("DELETE FROM lead"), "test", Usage())


def test_a_probe_names_tables_it_may_not_read(
    world: World, start: Start, mariadb: MariaDB, genius_environment: pytest.MonkeyPatch
) -> None:
    assert "times are read as US/Pacific" in start().client.check()
    name = str(world.url.database)
    mariadb.execute(
        "CREATE OR REPLACE USER narrow IDENTIFIED BY 'pw'",
        f"GRANT SELECT ON {name}.lead TO narrow",
        f"GRANT SELECT ON {name}.prospect TO narrow",
    )
    point(genius_environment, world, mariadb.url(name, "narrow", "pw"))
    genius = start()
    genius.client.probe(registry.entity("genius.leads"), Usage())
    with pytest.raises(Forbidden, match="third_party_source: it may not be read") as caught:
        genius.client.probe(registry.entity("genius.prospects"), Usage())
    assert caught.value.grants == (f"GRANT SELECT ON {name}.* TO narrow",)
    assert genius.sync("leads").status == "success"
    with pytest.raises(NotAvailable, match="table third_party_source: it may not be read"):
        genius.sync("prospects")
    assert history(genius.warehouse)[-1]["reason"] == "scope"
    point(genius_environment, world, mariadb.url(name, "narrow", "wrong"))
    with pytest.raises(Unauthorized, match="refuses the login"):
        start().sync("leads")
    assert history(genius.warehouse)[-1]["reason"] == "auth"


def test_what_is_missing_or_wrong_in_the_environment_is_named(
    genius_environment: pytest.MonkeyPatch,
) -> None:
    crm = registry.crm("genius")
    from crm_sync_assets.declarations.overrides import client_for

    with pytest.raises(UsageError, match="GENIUS_DATABASE_URL is not set"):
        client_for(crm, read_environment())
    genius_environment.setenv("GENIUS_DATABASE_URL", "mysql://u:p@h/d")
    with pytest.raises(UsageError, match=r"GENIUS_TIME_ZONE is not set.*like America/New_York"):
        client_for(crm, read_environment())
    genius_environment.setenv("GENIUS_TIME_ZONE", "Nowhere")
    with pytest.raises(UsageError, match="GENIUS_TIME_ZONE is 'Nowhere'"):
        client_for(crm, read_environment())


def test_the_parts_of_an_address_will_do(genius_environment: pytest.MonkeyPatch) -> None:
    parts = {"HOST": "db", "NAME": "genius", "USER": "u", "PASSWORD": "p@:/", "PORT": "3307"}
    for name, value in parts.items():
        genius_environment.setenv(f"GENIUS_DB_{name}", value)
    assert database_url(read_environment()) == "mysql+pymysql://u:p%40%3A%2F@db:3307/genius"
    genius_environment.setenv("GENIUS_DB_PORT", "many")
    with pytest.raises(UsageError, match="GENIUS_DB_PORT is 'many'"):
        database_url(read_environment())


def test_a_window_reads_changed_rows_only(world: World, start: Start) -> None:
    genius = start()
    entity = registry.entity("genius.leads")
    since, until = datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    for strategy, phases in (
        (Strategy("manual", since, until), {"changed"}),
        (Strategy("manual", since), {"changed", "undated"}),
        (Strategy("manual", since, closes_gap=True), {"changed", "undated", "deleted"}),
        (Strategy("full"), {"all"}),
    ):
        found = pages(genius, Read(entity, strategy, 5, genius.warehouse))
        assert {page.cursor["phase"] for page in found} == phases
