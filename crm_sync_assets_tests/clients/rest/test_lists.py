"""Lists that move, lie or say too little: read again, or failed; never believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import SinceHeader
from crm_sync_assets.clients.rest.lists import listed
from crm_sync_assets.clients.rest.paging import Cursor, Numbered, Offset, Whole
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Each, Rest
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.errors import FatalError, TransientError
from crm_sync_assets_tests.clients.rest.scripted_api import (
    BY_ACCOUNT,
    COUNTED,
    DELTA,
    FULL,
    PAGED,
    SHIFTING,
    Api,
    MakeRun,
    Run,
    answer_of,
    entity,
    ids,
    things,
)


@pytest.mark.parametrize("status", [400, 410])
def test_a_list_starts_anew_where_its_place_is_not_known_any_more(
    run: MakeRun, status: int
) -> None:
    source = Rest("/all", records="data", paging=PAGED)
    first = run(Api(all=things(*range(1, 8))), source).read()[0]
    api = Api(all=things(*range(1, 8)))
    forgotten = True

    class Forgetful(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            nonlocal forgotten
            if forgotten and "cursor" in str(request.url):
                forgotten = False
                return answer_of({"error": "invalid cursor"}, status)
            return api(request)

    assert ids(run(Forgetful(), source).read(cursor=first.cursor)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_place_that_this_reading_was_given_is_not_asked_for_in_vain(run: MakeRun) -> None:
    """A refusal in the middle of a list is one of what is asked for."""

    class Refusing(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if "cursor=3" in str(request.url):
                self.asked.append(("refused", {}))
                return answer_of({"error": "no"}, 400)
            return super().__call__(request)

    api = Refusing(all=things(*range(1, 8)))
    with pytest.raises(FatalError, match="answered 400"):
        run(api, Rest("/all", records="data", paging=PAGED)).read()
    assert [path for path, _ in api.asked] == ["/all", "refused"]


def test_where_records_before_it_went_the_last_one_is_looked_for(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 30)))

    def delete(number: int) -> None:
        if number == 8:
            del api.records["/all"][:7]

    api.before = delete
    reading = run(api, Rest("/all", records="data", paging=SHIFTING))
    assert ids(reading.read()) == [*range(1, 30)], "and nothing is read twice"
    assert reading.session.usage.retries == 0


def test_a_list_that_loses_a_record_with_every_page_is_read_to_its_end(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 60)))
    api.before = lambda _: api.records["/all"].pop(0) and None
    found = ids(run(api, Rest("/all", records="data", paging=SHIFTING)).read())
    assert len(found) == len(set(found))
    assert set(found) >= {row["id"] for row in api.records["/all"]}


def lose_the_last_one(api: Api, times: int) -> None:
    """With each answer, the record that paging would go on from."""
    left = times

    def lose(_: int, body: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        if body["more"] and left:
            left -= 1
            api.records["/all"].remove(body["data"][-1])
        return body

    api.lie = lose


def test_a_list_whose_last_read_record_went_is_read_again(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 10)))
    lose_the_last_one(api, 1)
    reading = run(api, Rest("/all", records="data", paging=SHIFTING))
    assert set(ids(reading.read())) == {*range(1, 10)}
    assert reading.session.usage.retries == 1


def test_a_list_that_never_stands_still_fails(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 100)))
    lose_the_last_one(api, 100)
    with pytest.raises(TransientError, match=r"short read: the list moved .*4 times in a row"):
        run(api, Rest("/all", records="data", paging=SHIFTING)).read()


@pytest.mark.parametrize("lies", [1, 3, 4])
def test_a_list_with_fewer_records_than_it_says_is_read_again(run: MakeRun, lies: int) -> None:
    api, told = Api(all=things(*range(1, 6))), 0

    def short(_: int, body: dict[str, Any]) -> dict[str, Any]:
        nonlocal told
        if told < lies and len(body["data"]) == 3:
            told += 1
            return {**body, "data": body["data"][:2]}
        return body

    api.lie = short
    reading = run(api, Rest("/all", records="data", paging=COUNTED))
    if lies < 4:
        assert set(ids(reading.read())) == {1, 2, 3, 4, 5}
        assert reading.session.usage.retries == lies
    else:
        with pytest.raises(TransientError, match="says that it has 5 records, and 4 came"):
            reading.read()


def test_the_last_page_of_a_short_list_does_not_lead_past_it(run: MakeRun) -> None:
    """A crash after that page must not take the list for read."""
    api = Api(all=things(*range(1, 6)))
    api.lie = lambda number, body: {**body, "data": body["data"][1:]} if number == 2 else body
    reading = run(api, Rest("/all", records="data", paging=COUNTED))
    pages = reading.read()
    short = pages[1].cursor
    assert not short["done"]
    assert set(ids(run(Api(all=things(*range(1, 6))), reading.source).read(cursor=short))) == {
        1, 2, 3, 4, 5,
    }  # fmt: skip


def test_an_empty_page_with_more_to_come_is_asked_for_again(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 8)))
    api.lie = lambda number, body: {**body, "data": []} if number == 2 else body
    reading = run(api, Rest("/all", records="data", paging=PAGED))
    assert ids(reading.read()) == [1, 2, 3, 4, 5, 6, 7]
    assert len(api.asked) == 4


def test_a_cursor_that_comes_again_is_an_error_and_no_end(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 8)))
    api.lie = lambda _, body: {**body, "next": "3"}
    with pytest.raises(FatalError, match="pagination loop"):
        run(api, Rest("/all", records="data", paging=PAGED)).read()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "the answer has no data"),
        ([], "the answer is no object"),
        ({"data": {}}, "data is no list of records"),
        ({"data": [1, {}, {"id": None}]}, "no record of the list has id"),
    ],
)
def test_a_body_without_a_list_is_no_empty_list(run: MakeRun, body: Any, told: str) -> None:
    api = Api(all=[])
    api.lie = lambda *_: body
    with pytest.raises(FatalError, match=told):
        run(api, Rest("/all", records="data", paging=PAGED)).read()


def test_null_is_an_empty_list(run: MakeRun) -> None:
    api = Api(all=[])
    api.lie = lambda _, body: {**body, "data": None}
    assert ids(run(api, Rest("/all", records="data", paging=PAGED)).read()) == []


@pytest.mark.parametrize("crashes", [False, True], ids=["in one attempt", "in two"])
def test_a_list_that_became_shorter_is_read_again(run: MakeRun, crashes: bool) -> None:
    """What went was on a page that was read, so another moved there, and was on none."""
    source = Rest("/all", records="data", paging=COUNTED)
    api = Api(all=things(*range(1, 8)))

    def forget_the_first(number: int) -> None:
        if number == 2:
            api.records["/all"].pop(0)

    api.before = forget_the_first
    reading = run(api, source)
    pages: list[Page] = []
    if crashes:
        asked = Read(entity(source), FULL, 100, None)  # type: ignore[arg-type]
        pages = [next(Reading(asked, reading.session, source, Addresses()).pages())]
    pages += reading.read(cursor=pages[0].cursor if pages else None)
    assert set(ids(pages)) == set(range(1, 8))
    assert pages[-1].cursor["done"]


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


def test_a_304_of_a_later_page_only_is_no_end(run: MakeRun) -> None:
    class Conditional(Api):
        def __call__(self, request):
            if request.headers.get("if-modified-since") and "page=2" in str(request.url):
                return httpx.Response(304, stream=httpx.ByteStream(b""))
            return super().__call__(request)

    api = Conditional(open=things(*range(1, 9)))
    source = Rest(
        "/open",
        records="data",
        modified="updated",
        delta=SinceHeader(),
        paging=Numbered("page", "per_page", 3),
    )
    with pytest.raises(TransientError, match="says that nothing changed"):
        run(api, source).read(DELTA)


def test_uncounted_list_one_empty_page(run: MakeRun) -> None:
    api = Api(open=things(*range(1, 9)))
    api.lie = lambda n, body: {**body, "data": []} if n == 2 else body
    assert ids(run(api, Rest("/open", records="data", paging=BARE)).read()) == [*range(1, 9)]


def test_a_member_that_appears_meanwhile_is_new_to_the_next_sync(run: MakeRun) -> None:
    api = Api(a__all=things(1, 2), b__all=things(*range(11, 20)))
    cut = run(api, BY_ACCOUNT).read(members=["b"])[0].cursor
    resumed = run(api, BY_ACCOUNT).read(cursor=cut, members=["a", "b"])
    assert resumed[-1].memory == {"members": ["b"]}
    after = run(api, BY_ACCOUNT).read(DELTA, members=["a", "b"], memory={"members": ["b"]})
    assert {1, 2} <= set(ids(after))


def test_a_page_that_does_not_say_whether_it_is_the_last_is_not_the_last(run: MakeRun) -> None:
    api = Api(all=things(*range(1, 8)))

    def silent(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return {"data": body["data"]} if number == 2 else body

    api.lie = silent
    paging = Cursor("next", "cursor", "limit", 3, says_end=True)
    assert set(ids(run(api, Rest("/all", records="data", paging=paging)).read())) == {*range(1, 8)}


def test_what_is_listed_beside_a_reading_is_doubted_like_any_list(run: MakeRun) -> None:
    api = Api(accounts=things(1, 2, 3, 4, 5))
    source = Rest("/accounts", records="data", paging=COUNTED)
    api.lie = lambda number, body: {**body, "data": body["data"][1:]} if number == 1 else body
    reading = run(api, source)
    found = listed(reading.session, source, Addresses())
    assert {record["id"] for record in found} == {1, 2, 3, 4, 5}
    api.lie = lambda _, body: {**body, "data": body["data"][1:]}
    with pytest.raises(TransientError, match="short read"):
        list(listed(reading.session, source, Addresses()))


def test_a_list_beside_a_reading_that_does_not_say_its_end_fails_as_a_sync_does(
    run: MakeRun,
) -> None:
    api = Api(accounts=things(1))
    api.lie = lambda _, body: {"data": body["data"]}
    source = Rest(
        "/accounts", records="data", paging=Cursor("next", "cursor", "limit", 3, says_end=True)
    )
    with pytest.raises(TransientError, match="does not say whether there is a next one"):
        list(listed(run(api, source).session, source, Addresses()))
