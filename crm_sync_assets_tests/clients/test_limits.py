from __future__ import annotations

import multiprocessing
import random
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from typing import Any

import psycopg
import pytest

from crm_sync_assets.clients import limits
from crm_sync_assets.clients.limits import (
    Budget,
    State,
    Window,
    account_key,
    book,
    shared_budget,
    windows_of,
)
from crm_sync_assets.errors import Deferred, TransientError, UsageError


def never(seconds: float) -> None:
    pytest.fail(f"slept {seconds} s")


def most_within(moments: list[float], seconds: float) -> int:
    """The most of the moments in any stretch of so many seconds."""
    moments, most, start = sorted(moments), 0, 0
    for end, moment in enumerate(moments):
        while moment - moments[start] >= seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.mark.parametrize(
    "window",
    [Window("a", 1, 1), Window("a", 4, 1.25), Window("a", 171, 10.25), Window("a", 1_000, 60)],
    ids=lambda window: str(window.requests),
)
@pytest.mark.parametrize("seed", range(3))
def test_no_stretch_of_time_holds_more_than_the_window_allows(window: Window, seed: int) -> None:
    """Out of order too: another window may push one request further into the future."""
    dice, state, moments, now = random.Random(seed), State(), [], 1_700_000_000.0
    other = Window("b", 3, 2 * window.seconds / window.requests)
    for _ in range(window.requests * 4):
        now += dice.expovariate(2 * window.requests / window.seconds)
        windows = [window, other] if dice.random() < 0.3 else [window]
        moments.append(book(state, windows, now, 1e9))
        assert moments[-1] >= now
    # Moments are kept to the millisecond.
    assert most_within(moments, window.seconds - 0.002) <= window.requests


def test_an_idle_account_gives_most_of_its_window_at_once() -> None:
    windows = windows_of([("burst", 190, 10)], reserve=0.1)
    state: State = {}
    moments = [book(state, [windows["burst"]], 1e9, 1e9) for _ in range(300)]
    assert moments.count(1e9) >= 160
    assert most_within(moments, 10) <= 171


def test_a_big_window_takes_as_little_room_as_a_small_one() -> None:
    state: State = {}
    day = Window("daily", 585_000, 86_400)
    for number in range(20_000):
        book(state, [day], 1e9 + number, 1e9)
    assert len(state["daily"]["newest"]) <= 33


def test_a_place_too_far_away_is_not_booked() -> None:
    budget = Budget({"day": Window("day", 2, 86_400)})
    budget.take(["day"])
    budget.take(["day"])
    with pytest.raises(Deferred, match="day") as caught:
        budget.take(["day"], most_wait=900, sleep=never)
    assert caught.value.until > datetime.now(UTC) + timedelta(hours=23)


def test_an_undeclared_window_has_no_limit() -> None:
    assert Budget({}).take(["burst", "daily"], sleep=never) == 0


def test_a_pause_holds_back_every_process_of_the_account(database_url: str) -> None:
    declared = [("burst", 100, 10.0), ("search", 100, 10.0)]
    ours, theirs, others = (
        shared_budget(account, declared, reserve=0, database_url=database_url)
        for account in ("one", "one", "two")
    )
    ours.pause("burst", 0.4)
    assert theirs.take(["search"]) == 0
    assert others.take(["burst"]) == 0
    assert theirs.take(["burst"]) == pytest.approx(0.4, abs=0.15)
    for budget in (ours, theirs, others):
        budget.close()


def _worker(url: str, requests: int, outcome: Queue[list[tuple[str, float]]]) -> None:
    """Takes places and tells which it booked; when it wakes up for them is the machine's affair."""
    places: list[tuple[str, float]] = []

    def noting(state: Any, windows: Any, now: float, most_wait: float, cost: Any) -> float:
        at = book(state, windows, now, most_wait, cost)
        places.append((windows[0].name, at))
        return at

    limits.book = noting
    budget = shared_budget(
        "account",
        [("burst", 40, 1.0), ("search", 10, 0.5), ("daily", 650_000, 86_400)],
        reserve=0.1,
        database_url=url,
    )
    for number in range(requests):
        budget.take(["search", "daily"] if number % 4 == 0 else ["burst", "daily"])
    budget.close()
    outcome.put(places)


def test_eight_processes_keep_within_the_windows_of_one_account(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    outcome: Queue[list[tuple[str, float]]] = context.Queue()
    processes = [
        context.Process(target=_worker, args=(database_url, 16, outcome)) for _ in range(8)
    ]
    for process in processes:
        process.start()
    places = [place for _ in processes for place in outcome.get(timeout=60)]
    for process in processes:
        process.join()
    outcome.close()
    outcome.join_thread()
    assert len(places) >= 128
    # A tenth of each window is left to others.
    assert most_within([at for name, at in places if name == "burst"], 1.0) <= 36
    assert most_within([at for name, at in places if name == "search"], 0.5) <= 9


def test_a_warehouse_that_is_away_is_a_transient_error() -> None:
    budget = shared_budget(
        "away",
        [("burst", 1, 1.0)],
        reserve=0,
        database_url="postgresql://127.0.0.1:1/none?connect_timeout=1",
    )
    budget._store._pool.timeout = 0.2  # type: ignore[attr-defined]
    with pytest.raises(TransientError, match="rate budget is not reachable"):
        budget.take(["burst"])
    budget.close()


def test_a_restarted_warehouse_is_connected_to_again(database_url: str) -> None:
    budget = shared_budget("a", [("burst", 9, 1.0)], reserve=0, database_url=database_url)
    budget.take(["burst"])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert budget.take(["burst"]) == 0
    budget.close()


def test_a_process_that_hangs_with_the_budget_holds_up_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two statements, it would keep the account's lock for as long as it lives."""
    monkeypatch.setattr(limits, "MOST_HELD_MS", 500)
    hanging = limits.BudgetTable(database_url, "a")
    budget = shared_budget("a", [("burst", 9, 1.0)], reserve=0, database_url=database_url)
    waited: list[float] = []
    with pytest.raises(TransientError, match="rate budget"), hanging.state():
        waited.append(budget.take(["burst"]))
    assert waited == [0]
    budget.close()
    hanging.close()


def test_an_account_s_key_tells_nothing_about_its_token() -> None:
    assert "secret" not in account_key("hubspot", "secret")
    assert account_key("a", "b") != account_key("a", "c")


# What costs more than one place


@pytest.mark.parametrize(
    "window",
    [Window("a", 7, 1), Window("a", 40, 1.25), Window("a", 171, 10.25), Window("a", 1_000, 60)],
    ids=lambda window: str(window.requests),
)
@pytest.mark.parametrize("seed", range(5))
def test_no_stretch_of_time_costs_more_than_the_window_allows(window: Window, seed: int) -> None:
    dice, state, moments, now = random.Random(seed), State(), [], 1_700_000_000.0
    other = Window("b", 3, 2 * window.seconds / window.requests)
    most = window.group * window.groups
    for _ in range(window.requests * 2):
        now += dice.expovariate(window.requests / window.seconds)
        cost = dice.choice([1, 1, 2, dice.randint(1, most), most])
        windows = [window, other] if dice.random() < 0.3 else [window]
        at = book(state, windows, now, 1e9, {"a": cost})
        assert at >= now
        moments += [at] * cost
        assert len(state["a"]["newest"]) <= window.groups + 1
        assert 0 < state["a"]["count"] <= window.group
    assert most_within(moments, window.seconds - 0.002) <= window.requests


def test_ones_and_a_sum_of_ones_take_the_same() -> None:
    ones, sums, window = State(), State(), Window("a", 100, 10)
    for cost in (3, 4, 1, 30, 7):
        for _ in range(cost):
            book(ones, [window], 1e9, 1e9)
        book(sums, [window], 1e9, 1e9, cost)
        assert ones == sums


def test_a_cost_is_taken_whole_or_not_at_all() -> None:
    budget = Budget({"day": Window("day", 30, 86_400), "burst": Window("burst", 64, 60)})
    budget.take(["day", "burst"], cost=20, sleep=never)
    with pytest.raises(Deferred, match="day") as caught:
        budget.take(["day", "burst"], cost=20, sleep=never)
    assert caught.value.until > datetime.now(UTC) + timedelta(hours=23)
    budget.take(["day", "burst"], cost=10, sleep=never)
    with pytest.raises(Deferred):
        budget.take(["day"], sleep=never)
    budget.take(["burst"], cost=34, sleep=never)


def test_a_request_may_cost_of_one_window_and_count_in_another() -> None:
    budget = Budget({"day": Window("day", 60, 86_400), "burst": Window("burst", 3, 60)})
    for _ in range(3):
        budget.take(["burst", "day"], cost={"day": 20}, sleep=never)
    with pytest.raises(Deferred):
        budget.take(["day"], sleep=never)


@pytest.mark.parametrize("cost", [31, 0, -1, {"day": 31}])
def test_what_never_fits_is_refused_by_the_window_s_name(cost: int | dict[str, int]) -> None:
    budget = Budget({"day": Window("day", 30, 86_400)})
    with pytest.raises(UsageError, match="the window day, which holds 30"):
        budget.take(["day"], cost=cost, sleep=never)
    budget.take(["day"], cost=30, sleep=never)


def test_what_processes_take_together_is_one_sum(database_url: str) -> None:
    ours, theirs = (
        shared_budget("one", [("day", 30, 86_400)], reserve=0, database_url=database_url)
        for _ in range(2)
    )
    ours.take(["day"], cost=20, sleep=never)
    theirs.take(["day"], cost=10, sleep=never)
    with pytest.raises(Deferred):
        ours.take(["day"], sleep=never)
    for budget in (ours, theirs):
        budget.close()
