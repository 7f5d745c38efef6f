"""Prefetching: in order, within its bounds, and an error is never the end of the data."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from crm_sync_assets.declarations.contract import Page, Tombstone
from crm_sync_assets.engine.fetch import Prefetch, weight
from crm_sync_assets.errors import TransientError


def page(number: int, records: int = 1) -> Page:
    return Page([{"id": str(number)}] * records, {"next": number})


def drained(pages: Prefetch) -> list[int]:
    numbers: list[int] = []
    while (taken := pages.take(timeout=5)) is not None:
        numbers += [one.cursor["next"] for one in taken]
    return numbers


def settled(produced: list[int]) -> int:
    """How many pages were asked for, once nothing moves any more."""
    before = -1
    while before != len(produced):
        before = len(produced)
        time.sleep(0.05)
    return before


def counting(produced: list[int], pages: int, records: int = 1) -> Iterator[Page]:
    for number in range(pages):
        produced.append(number)
        yield page(number, records)


def test_pages_come_in_their_order_and_all_of_them() -> None:
    pages = Prefetch(counting([], 500), ahead=3, most_records=10)
    pages.start()
    assert drained(pages) == list(range(500))
    assert pages.take(timeout=0) is None, "the end is the end, however often one asks"


@pytest.mark.parametrize(
    ("ahead", "most_records", "records", "held"),
    [
        pytest.param(4, 10_000, 1, 4, id="by pages"),
        pytest.param(50, 250, 100, 3, id="by records"),
        pytest.param(50, 10, 100, 1, id="a page larger than a batch"),
        pytest.param(1, 1, 0, 1, id="empty pages count too"),
    ],
)
def test_no_more_pages_are_fetched_than_fit(
    ahead: int, most_records: int, records: int, held: int
) -> None:
    produced: list[int] = []
    pages = Prefetch(counting(produced, 100, records), ahead=ahead, most_records=most_records)
    pages.start()
    assert settled(produced) == held + 1, "those that wait, and one in flight"
    taken = pages.take(timeout=5)
    assert taken is not None
    assert len(taken) == held
    assert settled(produced) == 2 * held + 1
    pages.stop()


def test_tombstones_weigh_like_records() -> None:
    assert weight(Page([], {}, [Tombstone(("1",))] * 7)) == 7
    assert weight(Page([{}] * 3, {})) == 3
    assert weight(Page([], {})) == 1


def test_an_error_comes_after_the_pages_before_it() -> None:
    def breaks() -> Iterator[Page]:
        yield from counting([], 3)
        raise TransientError("page 4 broke")

    pages = Prefetch(breaks(), ahead=10, most_records=10)
    pages.start()
    pages._thread.join(5)
    taken = pages.take(timeout=5)
    assert taken is not None
    assert [one.cursor["next"] for one in taken] == [0, 1, 2]
    with pytest.raises(TransientError, match="page 4 broke"):
        pages.take(timeout=0)
    with pytest.raises(TransientError):
        pages.take(timeout=0)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, StopAsyncIteration])
def test_no_kind_of_error_looks_like_the_end(error: type[BaseException]) -> None:
    def breaks() -> Iterator[Page]:
        raise error
        yield page(0)

    pages = Prefetch(breaks(), ahead=1, most_records=1)
    pages.start()
    with pytest.raises(error):
        pages.take(timeout=5)


def test_nothing_within_the_timeout_is_no_page_and_not_the_end() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[Page]:
        go_on.wait(10)
        yield page(0)

    pages = Prefetch(slow(), ahead=1, most_records=1)
    pages.start()
    assert pages.take(timeout=0.02) == []
    go_on.set()
    assert drained(pages) == [0]


def test_stopping_asks_for_no_further_page_and_waits_for_none() -> None:
    produced: list[int] = []
    pages = Prefetch(counting(produced, 100), ahead=2, most_records=100)
    pages.start()
    asked = settled(produced)
    started = time.monotonic()
    pages.stop()
    pages.stop()
    assert time.monotonic() - started < 0.5
    assert settled(produced) == asked
    pages._thread.join(5)
    assert not pages._thread.is_alive()
