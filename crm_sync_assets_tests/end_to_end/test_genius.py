"""Genius from its tables to the warehouse: nothing missing, stale or doubled, whatever happens.

The promises that every CRM keeps are in `promises/`; here are all tables, and clocks on walls.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.engine.run import drain
from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs, differences, stored_rows
from crm_sync_assets_tests.crms.genius.worlds import (
    Start,
    clock,
    genius_environment,
    mariadb,
    mysql_database,
    point,
    postgres_world,
    start,
    world,
)
from crm_sync_assets_tests.end_to_end.killing import killed
from crm_sync_assets_tests.mariadb import MariaDB

__all__ = [
    "clock", "genius_environment", "mariadb", "mysql_database", "postgres_world", "start", "world",
]  # fmt: skip


def changed(syncs: dict[str, object]) -> dict[str, object]:
    return {n: s.counts for n, s in syncs.items() if s.counts.created or s.counts.updated}  # type: ignore[attr-defined]


def check_all(world: World, genius: GeniusSyncs) -> None:
    first = genius.all()
    assert len(first) == 30
    assert {n: s.status for n, s in first.items() if s.status != "success"} == {}
    assert all(s.counts.created == s.counts.processed for s in first.values())
    assert differences(world, genius.warehouse) == []
    again = genius.all()
    assert changed(again) == {}  # type: ignore[arg-type]
    assert {s.status for s in again.values()} == {"success"}
    for turn in range(3):
        world.move(40, seed=turn)
        syncs = genius.all()
        assert {s.status for s in syncs.values()} == {"success"}
        assert differences(world, genius.warehouse) == []
    full = genius.all(full=True)
    assert changed(full) == {}  # type: ignore[arg-type]


def test_every_entity_is_the_truth_on_mariadb(world: World, start: Start) -> None:
    check_all(world, start())


def test_every_entity_is_the_truth_on_postgresql(postgres_world: World, start: Start) -> None:
    check_all(postgres_world, start())


def test_a_difference_is_noticed(world: World, start: Start) -> None:
    """The comparison itself: one value changed by hand is one line."""
    genius = start()
    genius.sync("job_change_order_items")
    with genius.warehouse.connection() as connection:
        connection.execute("UPDATE genius_job_change_order_item SET description = 'x' WHERE id = 3")
        connection.execute("DELETE FROM genius_job_change_order_item WHERE id = 4")
        connection.commit()
    assert len(differences(world, genius.warehouse, "job_change_order_items")) == 2


BUSY = ("appointments", "appointment_services", "leads", "user_data", "job_change_orders")


def run_through(
    clock: Clock, world: World, genius: GeniusSyncs, begin: datetime, hours: int
) -> None:
    """Changes every 10 minutes of the virtual clock, a delta every 20, across a transition."""
    tables = [registry.entity(f"genius.{name}").source.name for name in BUSY]  # type: ignore[attr-defined]
    clock.freeze(begin.isoformat())
    genius.client.source_time = clock.now
    for name in BUSY:
        genius.sync(name)
    for turn in range(hours * 6):
        clock.advance(600)
        world.move(6, seed=turn, tables=tables)
        if turn % 2:
            name = BUSY[turn // 2 % len(BUSY)]
            genius.sync(name)
    clock.advance(1)
    for name in BUSY:
        genius.sync(name)
    assert differences(world, genius.warehouse, *BUSY) == []


@pytest.mark.parametrize(
    "begin",
    [datetime(2025, 11, 2, 3, 30, tzinfo=UTC), datetime(2025, 3, 9, 4, 30, tzinfo=UTC)],
    ids=["fall back", "spring forward"],
)
@pytest.mark.parametrize("server_zone", ["-08:00", "+05:30"])
def test_no_change_is_lost_when_the_wall_clock_jumps(
    mariadb: MariaDB,
    mysql_database: str,
    clock: Clock,
    genius_environment: pytest.MonkeyPatch,
    start: Start,
    begin: datetime,
    server_zone: str,
) -> None:
    """01:30 comes twice in November and 02:30 never in March; the server's own zone is neither."""
    mariadb.execute(f"SET GLOBAL time_zone = '{server_zone}'")
    try:
        world = World(mariadb.url(mysql_database), clock, prospects=40, zone="America/New_York")
        world.reset()
        point(genius_environment, world)
        run_through(clock, world, start(), begin, hours=6)
        world.engine.dispose()
    finally:
        mariadb.execute("SET GLOBAL time_zone = 'SYSTEM'")


def test_an_edit_that_seems_older_than_the_last_one_arrives(
    world: World, clock: Clock, start: Start
) -> None:
    """At 01:50 summer time, and twenty minutes later at 01:10 winter time."""
    genius = start()
    genius.client.source_time = clock.now
    clock.freeze("2025-11-02T08:50:00+00:00")
    world.edit("lead", (5,), {"city": "First"})
    genius.sync("leads")
    clock.freeze("2025-11-02T09:10:00+00:00")
    world.edit("lead", (5,), {"city": "Second"})
    genius.sync("leads")
    rows = stored_rows(genius.warehouse, registry.entity("genius.leads"))
    assert rows[(5,)]["city"] == "Second"


def test_an_edit_without_a_time_arrives(world: World, start: Start) -> None:
    genius = start()
    genius.sync("jobs")
    world.edit_undated("job", (7,), {"contract_number": "new"})
    sync = genius.sync("jobs")
    assert sync.strategy.name == "incremental"
    assert sync.counts.updated == 1
    assert differences(world, genius.warehouse, "jobs") == []


def test_a_changed_association_alone_changes_the_user(world: World, start: Start) -> None:
    genius = start()
    genius.sync("user_data")
    (key,) = {row["user_associations_id"] for row in world.rows("user_data")[:1]} - {None} or {1}
    world.edit("users_userassociations", (key,), {"primary_user_id": 999_999})
    genius.sync("user_data")
    assert differences(world, genius.warehouse, "user_data") == []


def test_a_deleted_association_alone_changes_the_user(world: World, start: Start) -> None:
    genius = start()
    genius.sync("user_data")
    linked = next(row for row in world.rows("user_data") if row["user_associations_id"])
    world.delete("users_userassociations", (linked["user_associations_id"],))
    assert genius.sync("user_data").counts.updated >= 1
    assert differences(world, genius.warehouse, "user_data") == []


def test_a_load_killed_at_four_fifths_reads_no_stored_chunk_again(
    world: World, start: Start, genius_environment: pytest.MonkeyPatch
) -> None:
    items = "job_change_order_item"
    world.insert(items, 10_000 - len(world.rows(items)))
    genius_environment.setenv("CRM_SYNC_GENIUS__LOAD_ROWS", "500")
    genius_environment.setenv("CRM_SYNC_GENIUS__PAGE_SIZE", "500")
    genius_environment.setenv("CRM_SYNC_GENIUS__PREFETCH_PAGES", "1")
    killed("after commit", nth=16, crm="genius", entity="job_change_order_items")
    genius = start()
    with genius.warehouse.connection() as connection:
        (stored,) = connection.execute(
            "SELECT count(*) FROM genius_job_change_order_item"
        ).fetchone() or (0,)
    assert stored == 8_000
    begun = genius.begin("job_change_order_items")
    before = begun.counts.processed
    assert drain(begun).processed == 10_000
    assert begun.resumed
    assert begun.counts.processed - before == 2_000, "what was stored is not read again"
    assert differences(world, genius.warehouse, "job_change_order_items") == []


def test_a_row_committed_late_with_an_old_time_is_healed(world: World, start: Start) -> None:
    """Its transaction was open for longer than any lag allows for."""
    genius = start()
    genius.sync("quotes")
    (key,) = world.insert("quote")
    world._update(world.sources["quote"], key, {"updated_at": datetime(2021, 5, 6, tzinfo=UTC)})
    sync = genius.sync("quotes")
    assert sync.counts.created == 1
    assert differences(world, genius.warehouse, "quotes") == []
