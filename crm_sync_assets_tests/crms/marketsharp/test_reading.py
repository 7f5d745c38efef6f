"""MarketSharp's sets read: whole, what changed, from any page on, whatever moves meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox.crms.marketsharp.world import World
from crm_sync_assets_tests.crms.marketsharp.conftest import DAY, ENTITIES, NOON, Bench
from crm_sync_assets_tests.crms.marketsharp.truth import set_of

DELTA = Strategy("incremental", since=NOON - timedelta(days=400))


def names(pages: list[Page]) -> list[str]:
    return [str(one.get("id") or one["contactid"]) for page in pages for one in page.records]


def test_all_stores_what_there_is_and_a_second_run_changes_nothing(bench: Bench) -> None:
    assert len(registry.selection("marketsharp")) == 23
    for turn in range(2):
        for entity in ENTITIES:
            told = bench.sync(entity.sync_type)
            assert (told.status, told.counts.failed) == ("success", 0)
            assert bench.wrong(entity.sync_type) == []
            if turn:
                changes = (told.counts.created, told.counts.updated, told.counts.deleted)
                assert changes == (0, 0, 0)


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_a_reading_goes_on_from_every_page(bench: Bench, entity: Entity) -> None:
    strategy = DELTA if entity.tracks_changes else Strategy("full")
    size = max(len(bench.world.ids_of(set_of(entity))) // 4, 4)
    whole = bench.pages(entity, strategy, page_size=size)
    for number, page in enumerate(whole):
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = bench.pages(entity, strategy, page_size=size, cursor=cursor)
        assert names([*whole[: number + 1], *rest]) == names(whole)
    assert len(set(names(whole))) == len(names(whole))


def test_no_request_is_made_that_pages_do_not_need(bench: Bench) -> None:
    """The schema, which is remembered; then a page, and one that has nothing new."""
    bench.sandbox.ledger.reset()
    bench.sync("contacts")
    assert [one.path.rpartition("/")[2] for one in bench.asked()] == [
        "$metadata",
        "Contacts",
        "Contacts",
    ]
    bench.sandbox.clock.advance(60)
    bench.sandbox.ledger.reset()
    bench.sync("contacts")
    assert len(bench.asked()) == 2, "nothing has changed: to be sure, an empty page comes twice"


def test_a_delta_reads_what_changed_and_the_last_day_before_it(bench: Bench) -> None:
    bench.sync("contacts")
    one, other = bench.world.ids("Contacts")[:2]
    bench.world.edit("Contacts", one, {"firstName": "Now"})
    bench.pass_time(2 * DAY)
    bench.sync("contacts")
    bench.world.edit("Contacts", other, {"firstName": "Later"})
    told = bench.sync("contacts")
    assert (told.counts.processed, told.counts.updated) == (1, 1)
    assert bench.wrong("contacts") == []


@pytest.mark.parametrize("hours", [-12, -8, 5.5, 14])
def test_whichever_zone_its_clock_shows_no_change_is_passed_over(
    bench: Bench, hours: float
) -> None:
    bench.sandbox.knobs.marketsharp_hours = hours
    bench.sync("contacts")
    ids = bench.world.ids("Contacts")
    for turn, step in enumerate([60, 3 * 3_600, DAY, 5 * DAY]):
        bench.pass_time(step)
        bench.world.edit("Contacts", ids[turn], {"firstName": f"turn {turn}"})
        bench.pass_time(1)
        bench.sync("contacts")
        assert bench.wrong("contacts") == []


def test_a_zone_that_is_declared_gives_every_moment_its_true_one(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_hours = -5
    bench.environment.setenv("MARKETSHARP_TIME_ZONE", "America/Panama")
    bench.connect()
    for name in ("contacts", "inquiry_statuses"):
        bench.sync(name)
    bench.sandbox.knobs.marketsharp_hours = 0
    assert bench.wrong("contacts") == bench.wrong("inquiry_statuses") == []
    bench.sandbox.knobs.marketsharp_hours = -5
    bench.pass_time(3_600)
    bench.world.edit("Contacts", bench.world.ids("Contacts")[3], {"firstName": "Late"})
    told = bench.sync("contacts")
    assert told.counts.updated == 1
    [asked] = [one.query for one in bench.asked("Contacts")][-1:]
    since = told.strategy.since
    assert since is not None
    assert f"{since - timedelta(hours=5):%Y-%m-%dT%H}" in asked, "and is asked for in it"


def test_another_zone_than_before_is_refused_before_anything_is_written(bench: Bench) -> None:
    bench.sync("contacts")
    bench.environment.setenv("MARKETSHARP_TIME_ZONE", "America/Panama")
    bench.connect()
    with pytest.raises(FatalError, match="MARKETSHARP_TIME_ZONE"):
        bench.sync("contacts")


def test_a_window_ends_where_it_does_on_every_page(bench: Bench) -> None:
    world = bench.world
    for number, one in enumerate(world.ids("Contacts")):
        world.edit("Contacts", one, {}, at=f"2026-11-{number % 20 + 1:02d}T{number % 24:02d}:00Z")
    told = bench.sync("contacts", start_date="2026-11-03", end_date="2026-11-16", batch_size=8)
    assert told.counts.processed == 13 * 3
    days = {row["last_update"].day for row in bench.rows("contacts").values()}
    assert days == set(range(3, 16))


# In the order of changes


@pytest.mark.parametrize("size", [4, 5, 30, 5_000])
def test_thousands_of_one_moment_are_read_once_each(bench: Bench, size: int) -> None:
    size = max(size, 200) if size > 5 else size
    count = 6_000 if size == 5_000 else 300
    world = bench.world
    for _ in range(count - len(world.ids("ProductInterests"))):
        world.create("ProductInterests", {})
    bench.pass_time(3_600)
    world.bulk_touch("ProductInterests")
    pages = bench.pages(bench.entity("product_interests"), DELTA, page_size=size)
    assert len(names(pages)) == count
    assert set(names(pages)) == set(world.ids("ProductInterests"))


def touched(world: World, ids: list[str]) -> None:
    """One that was read, and the last that was: it comes again at the end."""
    world.edit("Contacts", ids[0], {"firstName": "Read"})


def last_two_edited(world: World, ids: list[str]) -> None:
    for one in ids[-2:]:
        world.edit("Contacts", one, {"firstName": "Read"})


def last_two_gone(world: World, ids: list[str]) -> None:
    for one in ids[-2:]:
        world.purge("Contacts", one)


def many_gone(world: World, ids: list[str]) -> None:
    for one in ids[:-1]:
        world.purge("Contacts", one)


def all_gone(world: World, ids: list[str]) -> None:
    for one in ids:
        world.purge("Contacts", one)


def more_come(world: World, ids: list[str]) -> None:
    """Somewhere in the order of ids; of that moment, where there is one."""
    for _ in range(25):
        world.create("Contacts", {"firstName": "New"})


@pytest.mark.parametrize("tied", [False, True], ids=["each its moment", "one moment"])
@pytest.mark.parametrize(
    "happens", [touched, last_two_edited, last_two_gone, many_gone, all_gone, more_come]
)
def test_what_moves_between_two_pages_takes_nobody_with_it(
    bench: Bench, happens: Callable, tied: bool
) -> None:
    world, read = bench.world, []
    if tied:
        world.bulk_touch("Contacts")
    before = set(world.ids("Contacts"))
    bench.pass_time(10)
    page = 0

    def meanwhile(_: int) -> None:
        nonlocal page
        page += 1
        if page == 3:
            happens(world, list(read))

    bench.sandbox.faults.add(r"GET /marketsharp/Contacts\?", "all", callback=meanwhile)
    asked = Read(bench.entity("contacts"), Strategy("full"), 10, None)  # type: ignore[arg-type]
    for found in bench.client.pages(asked, Usage()):
        read += names([found])
    bench.sandbox.faults.clear()
    live = set(world.ids("Contacts"))
    assert set(read) >= before & live
    told = {one["id"]: one["firstname"] for one in records(bench)}
    assert {name for name, said in told.items() if said == "Read"} <= set(read)


def records(bench: Bench) -> list[dict]:
    pages = bench.pages(bench.entity("contacts"))
    return [record for page in pages for record in page.records]
