"""Numbered pages that overlap: whole whatever moves, whatever the source caps, and however many of
them are asked for at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.overlapping import Overlapping
from crm_sync_assets.clients.rest.paging import Moved
from crm_sync_assets.clients.rest.source import One, Rest
from crm_sync_assets.errors import TransientError
from crm_sync_assets_tests.clients.rest.scripted_api import (
    NOON,
    Api,
    MakeRun,
    answer_of,
    ids,
    things,
)

PAGED = Overlapping("page", "limit", 20)
SOURCE = Rest("/all", records="data", paging=PAGED)


def walk(paging: Overlapping, rows: list[int], size: int, cap: int) -> tuple[list[int], int]:
    """The ids that come of so many records, and in how many pages, where pages are capped."""
    position, found = None, list[int]()
    for pages in range(1, 1_000):
        asked = paging.ask(position, size).params
        width = min(int(asked["limit"]), cap)
        start = (int(asked["page"]) - 1) * width
        records = [{"id": one} for one in rows[start : start + width]]
        found += [record["id"] for record in paging.new(position, records)]
        position = paging.after(position, Answer(200, {}, b"", None, "GET /", None), records)
        if position is None:
            return found, pages
    raise AssertionError("no end")


@pytest.mark.parametrize("cap", [2, 3, 7, 10, 11, 20, 1_000])
@pytest.mark.parametrize("size", [1, 10, 13, 20, 500])
def test_every_list_is_whole_whatever_the_source_caps(size: int, cap: int) -> None:
    for count in range(75):
        rows = list(range(count))
        assert walk(PAGED, rows, size, cap)[0] == rows, count


def test_it_takes_hardly_more_pages_than_there_have_to_be() -> None:
    paging = Overlapping("page", "limit", 500)
    for count, most in ((499, 2), (500, 2), (5_000, 12), (50_000, 107)):
        assert walk(paging, list(range(count)), 500, 500)[1] <= most


class Whole(Api):
    """Knows no pages."""

    def _page(self, rows: list[dict[str, Any]], params: dict[str, str]) -> dict[str, Any]:
        return {"data": rows}


def test_a_list_that_knows_no_pages_is_whole_in_two_requests(run: MakeRun) -> None:
    api = Whole(all=things(*range(15)))
    paging = Overlapping("page", "limit", 20, all_at_once=True)
    assert ids(run(api, Rest("/all", records="data", paging=paging)).read()) == [*range(15)]
    assert len(api.asked) == 2


@pytest.mark.parametrize("all_at_once", [True, False])
def test_the_same_full_page_again_and_again_is_no_end(run: MakeRun, all_at_once: bool) -> None:
    api = Whole(all=things(*range(20)))
    paging = Overlapping("page", "limit", 20, all_at_once=all_at_once)
    with pytest.raises(TransientError, match="short read: the list moved"):
        run(api, Rest("/all", records="data", paging=paging)).read()


LIES: dict[str, Callable[[list[Any]], list[Any]]] = {
    "empty": lambda _: [],
    "short": lambda rows: rows[:4] + rows[5:],
    "without its first": lambda rows: rows[1:],
    "without its last": lambda rows: rows[:-1],
    "one twice": lambda rows: rows[:4] + rows[3:4] + rows[5:],
}


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("page", range(1, 8))
@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_leaves_something_out_once_loses_nothing(
    run: MakeRun, lie: str, page: int, at_once: int
) -> None:
    api = Api(all=things(*range(70)))
    api.lie = lambda n, body: {"data": LIES[lie](body["data"])} if n == page else body
    read = run(api, SOURCE).read(options={"concurrent_pages": at_once})
    assert set(ids(read)) == {*range(70)}


CHANGES: dict[str, Callable[[list[Any]], Any]] = {
    "one goes before it": lambda rows: rows.pop(2),
    "many go before it": lambda rows: rows.__delitem__(slice(0, 15)),
    "the one it goes on from goes": lambda rows: rows.pop(19),
    "one comes before it": lambda rows: rows.insert(3, *things(900)),
    "one comes at the end": lambda rows: rows.append(*things(900)),
    "one moves to where it was read": lambda rows: rows.insert(3, rows.pop(55)),
    "one moves to where it will be read": lambda rows: rows.insert(55, rows.pop(3)),
}


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("page", [2, 3, 5])
@pytest.mark.parametrize("change", CHANGES)
def test_a_list_that_moves_between_two_pages_loses_nothing(
    run: MakeRun, change: str, page: int, at_once: int
) -> None:
    api = Api(all=things(*range(70)))

    def act(number: int) -> None:
        if number == page:
            CHANGES[change](api.records["/all"])

    api.before = act
    read = run(api, SOURCE).read(options={"concurrent_pages": at_once})
    assert set(ids(read)) >= {row["id"] for row in api.records["/all"]}


def test_it_resumes_after_each_page_however_many_were_asked_for_at_once(run: MakeRun) -> None:
    api = Api(all=things(*range(70)))
    pages = run(api, SOURCE).read(options={"concurrent_pages": 4})
    assert ids(pages) == [*range(70)]
    for number, page in enumerate(pages[:-1]):
        resumed = run(api, SOURCE).read(cursor=page.cursor)
        assert ids(pages[: number + 1]) + ids(resumed) == [*range(70)]


def test_an_error_comes_in_its_place_and_what_was_before_it_is_kept(run: MakeRun) -> None:
    """Page 3 fails for good while 4 and 5 are there already."""

    class Failing(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if "page=3" in str(request.url):
                return answer_of({}, 500)
            return super().__call__(request)

    def read(at_once: int) -> list[Any]:
        reading, found = run(Failing(all=things(*range(200))), SOURCE), list[Any]()
        pages = reading.read_on(options={"concurrent_pages": at_once})
        with pytest.raises(TransientError):
            found.extend(record["id"] for page in pages for record in page.records)
        return found

    assert read(1) == read(4) == [*range(20 + 18)]


class Slow(Api):
    """Answers late, and counts how many wait at once."""

    def __init__(self, **records: Any) -> None:
        super().__init__(**records)
        self.most = self._now = 0
        self._counting = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._counting:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._counting:
            self._now -= 1
            return super().__call__(request)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_so_many_pages_are_asked_for_at_once_and_no_more(run: MakeRun, at_once: int) -> None:
    api = Slow(all=things(*range(300)))
    assert ids(run(api, SOURCE).read(options={"concurrent_pages": at_once})) == [*range(300)]
    assert api.most == at_once


def test_nothing_is_asked_for_ahead_of_a_short_page_or_within_a_limit(run: MakeRun) -> None:
    api = Api(all=things(*range(15)))
    run(api, SOURCE).read(options={"concurrent_pages": 5})
    assert len(api.asked) == 2
    api = Api(all=things(*range(300)))
    next(run(api, SOURCE).read_on(options={"concurrent_pages": 5}, limit=20))
    assert len(api.asked) == 1


def test_records_without_a_name_are_passed_on_and_gone_around(run: MakeRun) -> None:
    rows = things(*range(45))
    for place in (7, 19, 44):
        rows[place] = {"id": None}
    found = ids(run(Api(all=rows), SOURCE).read())
    assert {one for one in found if one is not None} == {*range(45)} - {7, 19, 44}
    assert None in found


def test_what_cannot_be_declared() -> None:
    for wrong in (("", "limit", 20), ("page", "", 20), ("page", "limit", 9)):
        with pytest.raises(ValueError, match="Overlapping"):
            Overlapping(*wrong)  # type: ignore[arg-type]


def test_a_page_with_a_record_twice_has_moved() -> None:
    with pytest.raises(Moved, match="twice"):
        PAGED.new(None, [{"id": 1}, {"id": 1}])


def test_details_are_asked_for_where_the_declaration_says_so_and_found_in_any_answer(
    run: MakeRun,
) -> None:
    """The newest of a list of its own, for records that are new enough."""
    said = {"data": [{"name": "new"}, {"name": "old"}]}

    class Detailed(Api):
        def _one(self, path: str) -> httpx.Response:
            return answer_of(said if path != "/all/9" else {"data": []})

    source = Rest(
        "/all",
        records="data",
        paging=PAGED,
        details=One("/all/{id}", picked=lambda body: next(iter(body["data"]), {})),
        detailed=lambda record, now: record["id"] > 7 and now.year >= NOON.year,
    )
    api = Detailed(all=things(7, 8, 9, name="list"))
    [page, *_] = run(api, source).read()
    assert [record["name"] for record in page.records] == ["list", "new", "list"]
    assert [path for path, _ in api.asked].count("/all/7") == 0


def test_what_the_flags_leave_out_is_left_out_here(run: MakeRun) -> None:
    source = Rest(
        "/all",
        records="data",
        paging=PAGED,
        wanted=lambda record, options: record["id"] % 2 == options.get("odd", 0),
    )
    assert ids(run(Api(all=things(*range(30))), source).read(options={"odd": 1})) == [
        *range(1, 30, 2)
    ]
