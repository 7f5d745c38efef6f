"""A search whose pages lie is read to its end all the same, or fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.searching import Place, Search
from crm_sync_assets.errors import FatalError

Lie = Callable[[int, list[int], list[int]], list[int]]
"""The number of the request, the ids of its page, those that come after it → the ids sent."""


class Source:
    """A session with a HubSpot of these ids, whose pages a lie may change."""

    subject = "hubspot.things"

    def __init__(self, ids: list[int], lie: Lie = lambda _, page, __: page) -> None:
        self.ids = ids
        self.lie = lie
        self.asked: list[tuple[int, int | None]] = []

    def post(self, path: str, query: Any, **options: Any) -> Answer:
        bounds = {
            one["operator"]: int(one["value"])
            for one in query["filterGroups"][0]["filters"]
            if one["propertyName"] == "hs_object_id"
        }
        low, high = bounds["GT"], bounds.get("LTE")
        self.asked.append((low, high))
        found = [i for i in self.ids if i > low and (high is None or i <= high)]
        size = query["limit"]
        sent = self.lie(len(self.asked), found[:size], found[size:])
        body = {"total": len(found), "results": [{"id": str(i)} for i in sent]}
        assert options["check"](body) is None
        return Answer(200, {}, b"", body, path, None)

    def wait_to_ask_again(self, tries: int, why: str) -> None: ...

    def book_ahead(self, windows: Any) -> None: ...


def read(source: Source, size: int = 5) -> list[int]:
    search = Search(cast(Session, source), "/search", [[]], ["name"], ["hs_object_id"], size=size)
    return [int(r["id"]) for found in search.pages(Place()) for r in found.records]


IDS = [*range(1, 18)]


def skipped(request: int, page: list[int], after: list[int]) -> list[int]:
    """A full page of different records, with the one after it in place of one of its own."""
    return [*page[:2], *page[3:], *after[:1]] if request == 2 else page


def short(request: int, page: list[int], after: list[int]) -> list[int]:
    return page[:2] + page[3:] if request == 2 else page


def twice(request: int, page: list[int], after: list[int]) -> list[int]:
    return sorted([*page[:2], page[1], *page[3:]]) if request == 2 else page


def empty(request: int, page: list[int], after: list[int]) -> list[int]:
    return [] if request == 2 else page


@pytest.mark.parametrize("lie", [skipped, short, twice, empty])
def test_what_one_page_left_out_is_found(lie: Lie) -> None:
    assert sorted(set(read(Source(IDS, lie)))) == IDS


def test_pages_that_are_true_are_asked_for_once() -> None:
    source = Source(IDS)
    assert read(source) == IDS
    assert source.asked == [(0, None), (5, None), (10, None), (15, None), (17, None)]


def test_a_record_that_is_counted_and_never_comes_fails() -> None:
    source = Source(IDS, lambda _, page, __: [i for i in page if i != 7])
    with pytest.raises(FatalError, match=r"ids after 5 up to \d+ counts \d records and gives \d"):
        read(source)


def test_what_goes_while_it_is_read_is_no_lie() -> None:
    source = Source([*IDS])

    def goes(request: int, page: list[int], _: list[int]) -> list[int]:
        if request == 2:
            source.ids.remove(16)
        return page

    source.lie = goes
    assert read(source) == [i for i in IDS if i != 16]


def test_a_record_that_arrives_meanwhile_hides_no_gap() -> None:
    """As many are left after the short page as there should be: one of them is new."""
    source = Source([*IDS])

    def arrives(request: int, page: list[int], after: list[int]) -> list[int]:
        if request == 2:
            source.ids.append(18)
        return short(request, page, after)

    source.lie = arrives
    assert sorted(set(read(source))) == [*IDS, 18]
