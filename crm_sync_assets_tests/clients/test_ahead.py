"""Calls ahead: in order, bounded, the first error in its place, and no thread left behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.declarations.contract import Page, Usage
from crm_sync_assets.engine.fetch import Prefetch
from crm_sync_assets_tests.clients.conftest import Wire, reply


def running() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    yield
    assert until(lambda: running() == 0)


def numbers(calls: int, drawn: list[int] | None = None) -> Iterator[Callable[[], int]]:
    for number in range(calls):
        if drawn is not None:
            drawn.append(number)
        yield lambda number=number: number


@pytest.mark.parametrize("at_once", [1, 2, 4, 50])
def test_all_results_come_and_in_order(at_once: int) -> None:
    assert list(in_order(numbers(30), at_once)) == list(range(30))
    assert list(in_order(numbers(0), at_once)) == []


def test_the_last_call_may_end_first() -> None:
    ended = [threading.Event() for _ in range(4)]

    def call(place: int) -> int:
        """Waits for the one after it."""
        if place < 3:
            assert ended[place + 1].wait(10)
        ended[place].set()
        return place

    calls = [lambda place=place: call(place) for place in range(4)]
    assert list(in_order(calls, 4)) == [0, 1, 2, 3]


def test_no_more_are_under_way_or_waiting_than_it_says() -> None:
    drawn: list[int] = []
    results = in_order(numbers(100, drawn), 3)
    for number in range(10):
        assert next(results) == number
        assert len(drawn) == number + 3, "the one taken, and two ahead of it"
        assert running() <= 3
    results.close()
    assert len(drawn) == 12


def test_one_at_a_time_draws_nothing_ahead_and_needs_no_thread() -> None:
    drawn: list[int] = []
    results = in_order(numbers(9, drawn), 1)
    assert next(results) == 0
    assert drawn == [0]
    assert running() == 0


def test_an_error_comes_after_the_results_before_it() -> None:
    begun: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        if number in (3, 4):
            raise ValueError(number)
        return number

    taken: list[int] = []
    with pytest.raises(ValueError, match="3"):
        # It takes one after the other, and keeps what it has.
        taken.extend(in_order([lambda n=n: call(n) for n in range(50)], 4))
    assert taken == [0, 1, 2]
    assert max(begun) <= 6, "nothing is begun after an error but what was under way"


def test_what_cannot_be_drawn_is_an_error_in_its_place_too() -> None:
    def calls() -> Iterator[Callable[[], int]]:
        yield from numbers(2)
        raise ValueError("the list broke")

    results = in_order(calls(), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the list broke"):
        next(results)


def test_who_stops_drops_what_has_not_begun_and_waits_for_nothing() -> None:
    go_on, begun = threading.Event(), list[int]()

    def call(number: int) -> int:
        begun.append(number)
        if number:
            go_on.wait(10)
        return number

    results = in_order([lambda n=n: call(n) for n in range(50)], 3)
    assert next(results) == 0
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 5
    go_on.set()
    assert until(lambda: running() == 0)
    assert set(begun) <= {0, 1, 2}


def test_a_result_that_was_taken_is_kept_by_nobody() -> None:
    class Answer:
        pass

    results = in_order([Answer] * 3, 2)
    taken = next(results)
    gone = weakref.ref(taken)
    del taken
    gc.collect()
    assert until(lambda: gone() is None)
    results.close()


def test_prefetch_that_is_stopped_ends_them() -> None:
    """It keeps the pages' generator, so that nobody else would close it."""
    calls = (lambda n=n: Page([{"id": str(n)}], {"n": n}) for n in range(1_000))
    pages = Prefetch(in_order(calls, 4), ahead=1, most_records=1)
    pages.start()
    assert until(lambda: running() == 4)
    pages.stop()
    assert until(lambda: running() == 0)


# -- what the threads share ----------------------------------------------------------------------


def test_usage_counts_every_request() -> None:
    usage = Usage()

    def count() -> None:
        for _ in range(2_000):
            usage.add(api_calls=1, bytes_received=2)

    assert len(list(in_order([count] * 8, 8))) == 8
    assert (usage.api_calls, usage.bytes_received) == (16_000, 32_000)


def test_what_requests_wait_together_counts_once(wire: Callable[..., Wire]) -> None:
    """Four that wait for the same pause use up the time budget of one."""
    together = threading.Barrier(4)
    busy = reply(429, headers={"retry-after": "60"})
    server = wire(busy, busy, busy, busy, reply())
    session = server.session(budget_seconds=100)

    def sleep(seconds: float) -> None:
        server.waits.append(seconds)
        together.wait(10)

    server.opened[0].sleep = sleep
    answers = list(in_order([lambda: session.get("/things").status] * 4, 4))
    assert answers == [200] * 4
    assert server.waits == [60.0] * 4
    assert session.usage.rate_limit_hits == 4
    assert 60 <= session._patience.waited < 62
