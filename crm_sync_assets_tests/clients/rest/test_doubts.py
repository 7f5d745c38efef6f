"""What a list or a record says too little of is no proof of anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.rest.paging import Cursor, Numbered, Offset, Whole
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Each, One, Rest
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.errors import TransientError
from crm_sync_assets_tests.clients.rest.test_reading import (
    BY_ACCOUNT,
    DELTA,
    FULL,
    SHIFTING,
    Api,
    MakeRun,
    Run,
    answer_of,
    entity,
    ids,
    run,
    things,
)

__all__ = ["run"]

BARE = Numbered("page", "per_page", 3)
EACH = Each("account", "/accounts", "data", Whole())


def sized(reading: Run, size: int, cursor: Any = None) -> Sequence[Page]:
    asked = Read(entity(reading.source), FULL, size, None, cursor=cursor)
    return list(Reading(asked, reading.session, reading.source, reading._addresses(())).pages())


def test_numbered_pages_resumed_with_another_size(run: MakeRun) -> None:
    reading = run(
        Api(open=things(*range(1, 31))),
        Rest("/open", records="data", paging=Numbered("page", "per_page", 10)),
    )
    first = sized(reading, 3)[:2]
    rest = sized(reading, 10, first[-1].cursor)
    assert sorted(set(ids([*first, *rest]))) == [*range(1, 31)]


def test_numbered_pages_with_totals_resumed_with_another_size(run: MakeRun) -> None:
    reading = run(
        Api(open=things(*range(1, 31))),
        Rest(
            "/open",
            records="data",
            paging=Numbered("page", "per_page", 10, pages="total_pages", count="total"),
        ),
    )
    first = sized(reading, 3)[:2]
    rest = sized(reading, 10, first[-1].cursor)
    assert sorted(set(ids([*first, *rest]))) == [*range(1, 31)]


def test_offset_first_page_empty_with_more(run: MakeRun) -> None:
    api = Api(open=things(*range(1, 8)))
    api.lie = lambda n, body: {**body, "data": []} if n == 1 else body
    reading = run(
        api, Rest("/open", records="data", paging=Offset("start", "limit", 3, more=("more",)))
    )
    assert ids(reading.read()) == [*range(1, 8)]


def test_total_forgotten_when_a_later_page_says_none(run: MakeRun) -> None:
    api = Api(open=things(*range(1, 8)))

    def lie(n, body):
        if n == 2:
            body = {**body, "data": body["data"][1:]}
        if n >= 3:
            body = {k: v for k, v in body.items() if k not in ("total", "total_pages")}
        return body

    api.lie = lie
    reading = run(
        api,
        Rest(
            "/open",
            records="data",
            paging=Numbered("page", "per_page", 3, pages="total_pages", count="total"),
        ),
    )
    assert sorted(set(ids(reading.read()))) == [*range(1, 8)]


def test_notes_like_list_restored_between_two_passes(run: MakeRun) -> None:
    """Gone on the first pass, back on the second: the pages of both say so, in that order"""

    def gone(record):
        return record.get("active") is False

    rows = things(*range(1, 8))
    rows[0]["active"] = False
    api = Api(open=rows)

    def before(n):
        if n == 2:  # the last of page one goes, so the list is read anew; 1 is restored
            api.records["/open"] = things(1, 2, 4, 5, 6, 7)

    api.before = before
    pages = run(api, Rest("/open", records="data", paging=SHIFTING, gone=gone)).read()
    order = (
        [("gone", t.key[0]) for p in pages for t in p.tombstones],
        [r["id"] for p in pages for r in p.records],
    )
    assert 1 in order[1]
    assert order[0] == [("gone", "1")]


def test_a_304_of_a_later_page_only(run: MakeRun) -> None:
    class Conditional(Api):
        def __call__(self, request):
            if request.headers.get("if-modified-since") and "page=2" in str(request.url):
                return httpx.Response(304, stream=httpx.ByteStream(b""))
            return super().__call__(request)

    from crm_sync_assets.clients.rest.delta import SinceHeader

    api = Conditional(open=things(*range(1, 9)))
    source = Rest(
        "/open",
        records="data",
        modified="updated",
        delta=SinceHeader(),
        paging=Numbered("page", "per_page", 3),
    )
    assert {7, 8} <= set(ids(run(api, source).read(DELTA)))


def test_uncounted_list_one_empty_page(run: MakeRun) -> None:
    api = Api(open=things(*range(1, 9)))
    api.lie = lambda n, body: {**body, "data": []} if n == 2 else body
    assert ids(run(api, Rest("/open", records="data", paging=BARE)).read()) == [*range(1, 9)]


def test_a_record_that_does_not_say_which_it_is_proves_nothing(run: MakeRun) -> None:
    class Lying(Api):
        def _one(self, path: str) -> Any:
            return answer_of({"data": {"name": "x"}})

    source = Rest("/open", records="data", one=One("/open/{id}", record="data"))
    with pytest.raises(TransientError, match=r"asked for 5.*proves nothing"):
        run(Lying(open=[]), source).by_key("5")


def test_a_member_that_appears_meanwhile_is_new_to_the_next_sync(run: MakeRun) -> None:
    api = Api(a__all=things(1, 2), b__all=things(*range(11, 20)))
    cut = run(api, BY_ACCOUNT).read(members=["b"])[0].cursor
    resumed = run(api, BY_ACCOUNT).read(cursor=cut, members=["a", "b"])
    assert resumed[-1].memory == {"members": ["b"]}
    after = run(api, BY_ACCOUNT).read(DELTA, members=["a", "b"], memory={"members": ["b"]})
    assert {1, 2} <= set(ids(after))


def test_a_record_of_a_member_that_is_not_shown_may_be_there(run: MakeRun) -> None:
    source = replace(BY_ACCOUNT, one=One("/{account}/all/{id}", record="data"))
    reading = run(Api(b__all=things(2)), source)
    pages = reading.by_key("1", "2", members=["b"], memory={"members": ["a", "b"]})
    assert ids(pages) == [2]
    assert [key for page in pages for key in page.kept] == [("1",)]
    assert [t for page in pages for t in page.tombstones] == []


def test_a_page_that_does_not_say_whether_it_is_the_last_is_not_the_last(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 8)))

    def silent(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return {"data": body["data"]} if number == 2 else body

    api.lie = silent
    paging = Cursor("next", "cursor", "limit", 3, says_end=True)
    assert set(ids(run(api, Rest("/all", records="data", paging=paging)).read())) == {*range(1, 8)}
