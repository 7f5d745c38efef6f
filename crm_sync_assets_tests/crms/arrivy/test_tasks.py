"""What is odd about Arrivy, one by one."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets_tests.crms.arrivy.conftest import DAY, ENTITIES, NOON, Bench

NAMES = [entity.sync_type for entity in ENTITIES]


@pytest.mark.parametrize("name", NAMES)
def test_a_first_sync_a_delta_and_a_full_one_are_the_truth(bench: Bench, name: str) -> None:
    assert bench.sync(name).counts.failed == 0
    assert bench.wrong(name) == []
    bench.pass_time(DAY)
    bench.sandbox.crms["arrivy"].move(40, 5)
    bench.sync(name)
    assert bench.wrong(name, delta=True) == []
    bench.sync(name, full=True)
    assert bench.wrong(name) == []


KNOBS: dict[str, dict[str, Any]] = {
    "small pages": {"arrivy_cap": 7},
    "pages where none are known": {"arrivy_unpaged": False},
    "windows of what lies wholly within": {"arrivy_contained": True},
    "an offset that is not heeded": {"arrivy_zone_ignored": 14},
    "an offset that is not heeded, the other way": {"arrivy_zone_ignored": -14},
}


@pytest.mark.parametrize("knobs", KNOBS.values(), ids=KNOBS)
def test_whichever_way_it_is_read_nothing_is_missing(bench: Bench, knobs: dict[str, Any]) -> None:
    bench.sandbox.knobs.turn(knobs)
    for days in range(0, 400, 31):
        # Over midnight, on a day that may be the last of a slice.
        bench.world.book(NOON - timedelta(days=days, hours=-6))
    for name in NAMES:
        bench.sync(name)
        assert bench.wrong(name) == []
    bench.sandbox.knobs.reset()


def test_tasks_without_a_day_are_read_and_one_that_is_given_a_day_meanwhile_is_too(
    bench: Bench,
) -> None:
    [with_moment, without] = [bench.world.book() for _ in range(2)]
    bench.world.unplan(with_moment, keep_moment=True)
    bench.world.unplan(without)
    moved = bench.world.book()
    bench.world.unplan(moved)

    def give_a_day(_: int) -> None:
        bench.world.plan(moved, NOON + timedelta(days=2))

    bench.sandbox.faults.add(r"unscheduled=true", on=1, callback=give_a_day)
    bench.sync("tasks")
    assert {with_moment, without} <= set(bench.rows("tasks"))
    bench.sync("tasks")
    assert bench.wrong("tasks") == []
    assert bench.rows("tasks")[moved]["unscheduled"] is False


@pytest.mark.parametrize("years", [-9, 9])
def test_what_is_planned_however_long_ago_or_ahead_is_read(bench: Bench, years: int) -> None:
    one = bench.world.book(NOON + timedelta(days=365 * years))
    bench.sync("tasks")
    assert one in bench.rows("tasks")
    assert bench.wrong("tasks") == []


def test_all_that_is_to_come_is_read_by_a_delta_and_older_changes_by_the_weekly_resweep(
    bench: Bench,
) -> None:
    bench.sync("tasks")
    bench.pass_time(DAY)
    ahead = bench.world.book(NOON + timedelta(days=700))
    old = bench.world.book(NOON - timedelta(days=200))
    told = bench.sync("tasks")
    assert told.strategy.name == "incremental"
    assert told.strategy.since is not None
    assert ahead in bench.rows("tasks")
    assert old not in bench.rows("tasks")
    assert [str(one) for one in registry.entity("arrivy.tasks").resweeps] == ["weekly whole"]
    bench.sync("tasks", full=True)
    assert bench.wrong("tasks") == []


def test_a_task_that_moves_to_where_was_read_already_is_no_deleted_one(bench: Bench) -> None:
    bench.sync("tasks")
    one = bench.world.book(NOON + timedelta(days=300))
    bench.sync("tasks")

    def move(_: int) -> None:
        bench.world.plan(one, NOON - timedelta(days=900))

    bench.sandbox.faults.add(r"unscheduled=false.*to=2100", on=1, callback=move)
    assert bench.sync("tasks", full=True).counts.deleted == 0
    assert bench.wrong("tasks") == []


def test_a_deleted_task_is_marked_once_nobody_has_it_and_is_back_when_it_is(bench: Bench) -> None:
    bench.sync("tasks")
    gone = bench.world.ids("tasks")[3]
    bench.world.purge("tasks", gone)
    assert bench.sync("tasks", full=True).counts.deleted == 1
    assert bench.rows("tasks")[gone]["deleted_at"] is not None
    bench.world.put_back("tasks", gone)
    bench.sync("tasks", full=True)
    assert bench.wrong("tasks") == []


def test_an_edit_within_the_second_of_the_last_one_is_stored(bench: Bench) -> None:
    """`updated` has seconds: what was read last is the newest of one second."""
    one = bench.world.book(details="first")
    bench.sync("tasks")
    bench.world.edit("tasks", one, {"details": "second"})
    bench.sync("tasks")
    assert bench.rows("tasks")[one]["details"] == "second"


# Values


def test_a_moment_is_told_in_utc_and_where_it_takes_place(bench: Bench) -> None:
    one = bench.world.book(NOON.replace(hour=3), _zone="America/New_York", duration="90")
    bench.sync("tasks")
    row = bench.rows("tasks")[one]
    assert row["start_datetime"] == NOON.replace(hour=3)
    assert (row["start_date"], row["start_time"]) == (date(2026, 11, 19), time(22))
    assert (row["timezone"], row["duration"]) == ("America/New_York", 90)


def test_ids_of_16_digits_are_text(bench: Bench) -> None:
    bench.sync("tasks")
    assert set(bench.rows("tasks")) == set(bench.world.ids("tasks"))
    assert all(len(one) == 16 for one in bench.rows("tasks"))


def test_disabled_groups_and_entities_are_there_and_say_so(bench: Bench) -> None:
    for name in ("groups", "entities"):
        one = bench.world.ids(name)[1]
        bench.world.disable(name, one)
        bench.sync(name)
        assert bench.rows(name)[one]["is_disabled"] is True
        assert bench.wrong(name) == []


# The status that lags


def test_a_status_that_the_list_has_not_yet_is_stored(bench: Bench) -> None:
    """Of tasks that take place now; the words of that status, and the flags that follow from it."""
    bench.sandbox.knobs.arrivy_status_lag = 7 * DAY
    now, ahead = bench.world.book(NOON - timedelta(hours=20)), bench.world.book()
    bench.pass_time(60)
    for one in (now, ahead):
        bench.world.set_status(one, "CUSTOM", "Demo Sold")
    bench.sync("tasks")
    row = bench.rows("tasks")[now]
    assert (row["status"], row["status_title"], row["demo_sold"]) == ("CUSTOM", "Demo Sold", True)
    assert bench.rows("tasks")[ahead]["status"] != "CUSTOM"
    asked = [entry.path for entry in bench.asked("/status")]
    assert any(now in path for path in asked)
    assert not any(ahead in path for path in asked)
    bench.pass_time(8 * DAY)
    bench.sync("tasks")
    assert bench.wrong("tasks") == []
    bench.sandbox.knobs.reset()


def test_for_how_long_statuses_are_asked_for_is_a_setting(bench: Bench) -> None:
    bench.world.book(NOON - timedelta(hours=20))
    bench.environment.setenv("ARRIVY_STATUS_HOURS", "0")
    bench.connect()
    bench.sandbox.ledger.reset()
    bench.sync("tasks")
    assert not [entry for entry in bench.asked("/status") if "/tasks/" in entry.path]
    bench.environment.setenv("ARRIVY_STATUS_HOURS", "soon")
    with pytest.raises(UsageError, match="ARRIVY_STATUS_HOURS is 'soon'"):
        bench.connect()


# Flags


@pytest.mark.parametrize(
    ("given", "statuses"),
    [
        ("completed", {"COMPLETE"}),
        ("in_progress", {"ENROUTE", "STARTED"}),
        ("CUSTOM", {"CUSTOM"}),
        ("custom", {"CUSTOM"}),
    ],
)
def test_a_filter_reads_its_part_and_moves_nothing(
    bench: Bench, given: str, statuses: set[str]
) -> None:
    bench.sync("groups")
    told = bench.sync("tasks", task_status=given)
    assert told.status == "success"
    assert {row["status"] for row in bench.rows("tasks").values()} == statuses
    row = bench.history()[-1]
    assert (row["kind"], row["watermark"], row["checkpoint"]) == ("filtered", None, None)
    assert bench.sync("tasks").strategy.name == "initial_full"
    before = len(bench.rows("tasks"))
    assert bench.sync("tasks", full=True, task_status=given).counts.deleted == 0
    assert len(bench.rows("tasks")) == before
    assert bench.wrong("tasks") == []


def test_bookings_have_their_own(bench: Bench) -> None:
    bench.sync("bookings", booking_status="confirmed")
    assert {row["status"] for row in bench.rows("bookings").values()} == {"CONFIRMED"}
    with pytest.raises(UsageError, match=r"arrivy\.bookings takes no task_status"):
        bench.sync("bookings", task_status="confirmed")


def test_a_status_that_there_is_not_is_refused_before_anything_is_read(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"task_status is complted: give pending, confirmed"):
        bench.sync("tasks", task_status="complted")
    assert bench.history() == []


# How it says no


@pytest.mark.parametrize("described", [False, True])
def test_what_a_refusal_says_is_told(bench: Bench, described: bool) -> None:
    bench.sandbox.knobs.arrivy_described = described
    bench.environment.setenv("ARRIVY_AUTH_TOKEN", "wrong-0123456789")
    bench.connect()
    with pytest.raises(FatalError, match=r"UNAUTHORIZED.*ARRIVY_AUTH") as raised:
        bench.sync("groups")
    assert "wrong-0123456789" not in str(raised.value)
    bench.sandbox.knobs.reset()


@pytest.mark.parametrize(("after", "wait"), [("7", 7.0), (None, 60.0)])
def test_a_429_waits_as_told_or_a_minute(bench: Bench, after: str | None, wait: float) -> None:
    bench.sandbox.faults.add(r"/groups", on=1, status=429, retry_after=after)
    bench.sync("groups")
    assert wait in bench.waits
    assert bench.wrong("groups") == []


@pytest.mark.parametrize("body", ["{}", "html", '{"message": "no"}'])
def test_200_with_something_else_is_no_empty_list(bench: Bench, body: str) -> None:
    bench.sync("statuses")
    bench.sandbox.faults.add(r"/statuses", on="all", status=200, body=body)
    with pytest.raises(FatalError):
        bench.sync("statuses")
    bench.sandbox.faults.clear()
    assert bench.sync("statuses").counts.deleted == 0
