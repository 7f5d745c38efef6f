"""Readings of declared sources: nothing twice, nothing passed over, and on from any page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Everything, Months, Since, SinceHeader, Span
from crm_sync_assets.clients.rest.keys import ByKey
from crm_sync_assets.clients.rest.paging import Cursor, Numbered, Offset, Whole
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Each, Many, One, Rest, Sweep
from crm_sync_assets.declarations.columns import integer, text, timestamp
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, Incomplete, TransientError
from crm_sync_assets_tests.clients.conftest import Wire

MakeWire = Callable[..., Wire]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FULL = Strategy("full")
DELTA = Strategy("incremental", since=NOON - timedelta(days=40))

PAGED = Cursor("next", "cursor", "limit", 3)
COUNTED = Numbered("page", "per_page", 3, pages="total_pages", count="total")
SHIFTING = Offset("start", "limit", 3, more=("more",))


class Api:
    """Lists by path, of what is in `records`; `before` may change them before an answer.

    A request whose path is `<list>/<id>` is answered with that record, or 404.
    """

    def __init__(self, **records: Sequence[dict[str, Any]]) -> None:
        self.records = {f"/{name.replace('__', '/')}": list(rows) for name, rows in records.items()}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.before: Callable[[int], None] = lambda _: None
        self.lie: Callable[[int, dict[str, Any]], dict[str, Any]] = lambda _, body: body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, params))
        self.before(len(self.asked))
        if parts.path not in self.records:
            return self._one(parts.path)
        rows = self.records[parts.path]
        if "since" in params:
            rows = [row for row in rows if row.get("updated", "") >= params["since"]]
        if "ids" in params:
            rows = [row for row in rows if str(row["id"]) in params["ids"].split(",")]
        if "start_date" in params:
            rows = [r for r in rows if params["start_date"] <= r["day"] <= params["end_date"]]
        if request.headers.get("if-modified-since") and not rows:
            return httpx.Response(304, stream=httpx.ByteStream(b""))
        return answer_of(self.lie(len(self.asked), self._page(rows, params)))

    def _page(self, rows: list[dict[str, Any]], params: dict[str, str]) -> dict[str, Any]:
        size = int(params.get("limit") or params.get("per_page") or 1000)
        start = int(params.get("cursor") or params.get("start") or 0)
        if "page" in params:
            start = (int(params["page"]) - 1) * size
        left = len(rows) > start + size
        return {
            "data": rows[start : start + size],
            "next": str(start + size) if left else None,
            "more": left,
            "total": len(rows),
            "total_pages": -(-len(rows) // size),
        }

    def _one(self, path: str) -> httpx.Response:
        where, _, name = path.rpartition("/")
        for row in self.records.get(where, ()):
            if str(row["id"]) == name:
                return answer_of({}, 403) if row.get("closed") else answer_of({"data": row})
        return answer_of({"error": "not found"}, 404)


def answer_of(body: Any, status: int = 200) -> httpx.Response:
    content = msgspec.json.encode(body)
    headers = {"content-type": "application/json", "content-length": str(len(content))}
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


def things(*numbers: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {"id": n, "updated": "2026-11-20T00:00:00Z", "day": "2026-11-20", **values} for n in numbers
    ]


def entity(source: Rest) -> Entity:
    columns = (integer("id", key=True), text("name"), timestamp("updated"))
    return Entity("crm.things", "Things.", source, columns, "crm_things")


class Run:
    """Readings of one source against one API, with waits written down."""

    def __init__(self, make: MakeWire, api: Api, source: Rest) -> None:
        self.wire, self.api, self.source = make(api), api, source
        self.session: Session = self.wire.session(max_attempts=2)

    def read(
        self,
        strategy: Strategy = FULL,
        cursor: Any = None,
        members: Sequence[str] = (),
        **more: Any,
    ) -> list[Page]:
        asked = Read(entity(self.source), strategy, 100, None, cursor=cursor, **more)  # type: ignore[arg-type]
        return list(Reading(asked, self.session, self.source, self._addresses(members)).pages())

    def _addresses(self, members: Sequence[str]) -> Addresses:
        each = self.source.each
        return Addresses({}, each and each.name, {member: member for member in members})

    def by_key(self, *keys: str, members: Sequence[str] = (), **more: Any) -> list[Page]:
        asked = Read(entity(self.source), FULL, 100, None, **more)  # type: ignore[arg-type]
        assert self.source.one is not None
        addresses = self._addresses(members)
        keyed = ByKey(asked, self.session, self.source, self.source.one, addresses)
        return list(keyed.pages([(key,) for key in keys]))


def ids(pages: Sequence[Page]) -> list[Any]:
    return [record["id"] for page in pages for record in page.records]


@pytest.fixture
def run(wire: MakeWire) -> Callable[[Api, Rest], Run]:
    return lambda api, source: Run(wire, api, source)


MakeRun = Callable[[Api, Rest], Run]

MONTHS = Span("start_date", "end_date", each=Months(1), back=Months(4))

# A list of three sweeps, two members and, in windows, several months: all at once.
EVERY_WAY = Rest(
    "/{account}/open",
    records="data",
    paging=PAGED,
    delta=MONTHS,
    windowed_by="day",
    each=Each("account", "/accounts", "data", Whole()),
    sweeps=(
        Sweep("open"),
        Sweep("shut", path="/{account}/shut", paging=COUNTED, delta=Everything()),
        Sweep("gone", path="/{account}/gone", paging=SHIFTING, delta=Everything(), gone=True),
    ),
)


def every_way() -> Api:
    return Api(
        a__open=things(*range(1, 8)) + things(8, 9, day="2026-09-02"),
        b__open=things(*range(11, 14)),
        a__shut=things(21, 22, 23, 24),
        b__shut=[],
        a__gone=things(*range(31, 38)),
        b__gone=things(41),
    )


def rows_and_stones(pages: Sequence[Page]) -> tuple[list[Any], list[Any]]:
    return sorted(ids(pages)), sorted(t.key[0] for page in pages for t in page.tombstones)


@pytest.mark.parametrize("strategy", [FULL, DELTA], ids=["full", "delta"])
def test_a_reading_goes_on_from_every_single_page(run: MakeRun, strategy: Strategy) -> None:
    def fresh() -> Run:
        return run(every_way(), EVERY_WAY)

    whole = fresh().read(strategy, members=["a", "b"])
    rows, gone = rows_and_stones(whole)
    assert len(rows) == len(set(rows))
    assert len(gone) == len(set(gone)) == 8
    assert set(rows) >= {*range(1, 8), 11, 12, 13, 21, 22, 23, 24}
    assert whole[-1].cursor["done"]
    assert len(whole) > 12
    for number, page in enumerate(whole):
        again, cursor = fresh(), msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = again.read(strategy, cursor, members=["a", "b"])
        assert rows_and_stones([*whole[: number + 1], *rest]) == (rows, gone)
        assert len(again.api.asked) == len(whole) - number - 1, "a stored page was asked for again"


def test_a_checkpoint_of_a_member_that_is_not_shown_any_more_is_refused(run: MakeRun) -> None:
    cursor = run(every_way(), EVERY_WAY).read(members=["a", "b"])[0].cursor
    with pytest.raises(FatalError, match="checkpoint is of members that are not shown"):
        run(every_way(), EVERY_WAY).read(cursor=cursor, members=["b"])


def test_what_is_gone_is_dated_by_its_last_change(run: MakeRun) -> None:
    source = Rest("/gone", records="data", sweeps=(Sweep("gone", gone=True),))
    (page,) = run(Api(gone=things(1)), source).read()
    assert (page.records, page.tombstones) == ([], [Tombstone(("1",))])
    dated = Rest(
        "/gone",
        records="data",
        delta=Since("since"),
        modified="updated",
        sweeps=(Sweep("gone", gone=True),),
    )
    (page,) = run(Api(gone=things(1)), dated).read()
    assert page.tombstones == [Tombstone(("1",), datetime(2026, 11, 20, tzinfo=UTC))]


def test_a_listed_record_may_say_itself_that_it_is_gone(run: MakeRun) -> None:
    source = Rest("/all", records="data", gone=lambda record: bool(record.get("is_deleted")))
    (page,) = run(Api(all=things(1) + things(2, is_deleted=True)), source).read()
    assert (ids([page]), page.tombstones) == ([1], [Tombstone(("2",))])


def test_a_record_is_given_what_its_list_says_of_it(run: MakeRun) -> None:
    sweeps = (Sweep("open", marks={"list": "a"}), Sweep("shut", path="/shut", marks={"list": "b"}))
    pages = run(Api(all=things(1), shut=things(2)), Rest("/all", "data", sweeps=sweeps)).read()
    assert [(r["id"], r["list"]) for page in pages for r in page.records] == [(1, "a"), (2, "b")]


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


# Lists that lie


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


# Windows, members, flags


def test_a_window_is_asked_for_on_every_page(run: MakeRun) -> None:
    source = Rest("/all", records="data", paging=PAGED, delta=Since("since"), modified="updated")
    reading = run(Api(all=things(*range(1, 8))), source)
    assert len(ids(reading.read(DELTA))) == 7
    assert [params["since"] for _, params in reading.api.asked] == ["2026-10-14T12:00:00Z"] * 3


def test_304_says_that_nothing_changed(run: MakeRun) -> None:
    source = Rest("/all", records="data", delta=SinceHeader(), modified="updated")
    reading = run(Api(all=[]), source)
    (page,) = reading.read(DELTA)
    assert (page.records, page.cursor["done"]) == ([], True)


BY_ACCOUNT = Rest(
    "/{account}/all",
    records="data",
    paging=PAGED,
    delta=Since("since"),
    modified="updated",
    each=Each("account", "/accounts", "data", Whole()),
)


def test_a_member_that_is_new_is_read_from_the_beginning(run: MakeRun) -> None:
    old = things(1, updated="2020-01-01T00:00:00Z")
    reading = run(Api(a__all=old, b__all=old), BY_ACCOUNT)
    pages = reading.read(DELTA, members=["a", "b"], memory={"members": ["a"]})
    assert [len(page.records) for page in pages] == [0, 1]
    assert pages[-1].memory == {"members": ["a", "b"]}
    bounded = Strategy("manual", since=NOON - timedelta(days=2), until=NOON)
    pages = reading.read(bounded, members=["a", "b"], memory={"members": ["a"]})
    assert ids(pages) == []
    assert all(page.memory is None for page in pages), "who is new is left to the next delta"


def test_a_member_that_is_not_shown_any_more_makes_the_read_incomplete(run: MakeRun) -> None:
    reading = run(Api(b__all=things(1)), BY_ACCOUNT)
    with pytest.raises(Incomplete, match=r"a was read at the last sync, and is not among"):
        reading.read(members=["b"], memory={"members": ["a", "b"]})
    forced = Strategy("full", overwrite=True)
    assert ids(reading.read(forced, members=["b"], memory={"members": ["a", "b"]})) == [1]


def test_a_flag_becomes_a_parameter(run: MakeRun) -> None:
    source = Rest("/all", records="data", paging=PAGED, filters={"company_id": "company"})
    reading = run(Api(all=things(1)), source)
    reading.read(options={"company_id": "COM1"})
    reading.read(options={"company_id": None})
    assert [params.get("company") for _, params in reading.api.asked] == ["COM1", None]


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


def test_windows_are_cut_by_the_clock_of_the_source(run: MakeRun) -> None:
    source = Rest("/all", records="data", delta=MONTHS, windowed_by="day", paging=COUNTED)
    reading = run(Api(all=[]), source)
    asked = Read(entity(source), FULL, 100, None)  # type: ignore[arg-type]
    list(
        Reading(asked, reading.session, source, Addresses(), now=NOON + timedelta(days=400)).pages()
    )
    assert max(params["end_date"] for _, params in reading.api.asked) == "2027-12-29"


def test_a_record_is_made_whole_and_several(run: MakeRun) -> None:
    def explode(record: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": f"{record['id']}-{part}"} for part in record["parts"]]

    source = Rest(
        "/all", records="data", details=One("/whole/{id}", record="data"), explode=explode
    )
    api = Api(all=things(1, 2) + things(3, parts=["last"]))
    api.records["/whole"] = things(1, parts="ab") + things(2, parts="")
    assert ids(run(api, source).read()) == ["1-a", "1-b", "3-last"]


# By key

KEYED = Rest(
    "/all",
    records="data",
    paging=PAGED,
    gone=lambda record: bool(record.get("is_deleted")),
    one=One("/all/{id}", record="data", hidden=(403,)),
)


def test_records_by_key_are_there_gone_or_not_for_us_to_see(run: MakeRun) -> None:
    rows = things(1) + things(2, is_deleted=True) + things(4, closed=True)
    pages = run(Api(all=rows), KEYED).by_key("1", "2", "3", "4")
    assert ids(pages) == [1]
    assert {t.key[0] for page in pages for t in page.tombstones} == {"2", "3"}
    assert [key for page in pages for key in page.kept] == [("4",)]


def test_what_several_at_once_left_out_is_asked_for_alone(run: MakeRun) -> None:
    source = Rest(
        "/all",
        records="data",
        one=One("/whole/{id}", record="data"),
        many=Many("/all", "ids", 2),
    )
    api = Api(all=things(1, 2, 4))
    api.records["/whole"] = things(1, 2, 3, 4)
    reading = run(api, source)
    assert sorted(ids(reading.by_key("1", "2", "3", "4", "5"))) == [1, 2, 3, 4]
    assert [path for path, _ in api.asked].count("/all") == 3
    assert sorted(path for path, _ in api.asked if "whole" in path) == ["/whole/3", "/whole/5"]


def test_a_record_is_looked_for_with_every_member(run: MakeRun) -> None:
    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", Whole()),
        one=One("/{account}/all/{id}", record="data"),
    )
    reading = run(Api(a__all=things(1), b__all=things(2)), source)
    pages = reading.by_key("1", "2", "3", members=["a", "b"])
    assert sorted(ids(pages)) == [1, 2]
    assert [t.key for page in pages for t in page.tombstones] == [("3",)]


def test_a_record_is_asked_for_in_each_way_and_told_as_a_list_would(run: MakeRun) -> None:
    def shaped(record: dict[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
        return {**record, "name": f"{key[0]} as listed"}

    source = Rest(
        "/all",
        records="data",
        one=One("/all/{id}", record="data", asks=({"old": "no"}, {"old": "yes"}), shaped=shaped),
    )
    reading = run(Api(all=things(1)), source)
    pages = reading.by_key("1", "2")
    assert [record["name"] for page in pages for record in page.records] == ["1 as listed"]
    assert [params["old"] for path, params in reading.api.asked if path == "/all/2"] == [
        "no",
        "yes",
    ]


def test_what_one_member_does_not_show_another_may(run: MakeRun) -> None:
    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", Whole()),
        one=One("/{account}/all/{id}", record="data", hidden=(403,)),
    )
    shut = things(1, 2, closed=True)
    reading = run(Api(a__all=shut, b__all=things(1)), source)
    pages = reading.by_key("1", "2", members=["a", "b"])
    assert ids(pages) == [1]
    assert [key for page in pages for key in page.kept] == [("2",)]


def test_a_key_may_name_its_member(run: MakeRun) -> None:
    def names(key: tuple[str, ...]) -> dict[str, str]:
        return {"account": "b" if key[0] == "1" else "gone", "id": key[0]}

    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", stamp="of"),
        one=One("/{account}/all/{id}", record="data", names=names),
    )
    reading = run(Api(a__all=things(1, 2), b__all=things(1)), source)
    pages = reading.by_key("1", "2", members=["a", "b"])
    assert [record["of"] for page in pages for record in page.records] == ["b"]
    assert [t.key for page in pages for t in page.tombstones] == [("2",)]
    assert [path for path, _ in reading.api.asked] == ["/b/all/1"]


def test_what_stands_in_a_path_is_quoted() -> None:
    addresses = Addresses({"PREFIX": "/v3/a"}, "kind", {"odd": "x/y?z"})
    assert addresses.path("{PREFIX}/{kind}/{id}", "odd", {"id": "1 %2F"}) == (
        "/v3/a/x%2Fy%3Fz/1%20%252F"
    )
    assert addresses.path("/plain", None) == "/plain"


def test_records_that_say_nothing_of_themselves_are_passed_on(run: MakeRun) -> None:
    api = Api(all=[])
    api.lie = lambda *_: {"data": [7, {"id": 1}, {"id": None}], "total": 3, "total_pages": 1}
    source = Rest(
        "/all",
        records="data",
        paging=COUNTED,
        details=One("/whole/{id}"),
        explode=lambda record: [record],
        gone=lambda record: record["id"] == 2,
    )
    api.records["/whole"] = things(1)
    (page,) = run(api, source).read()
    assert [record for record in page.records if not isinstance(record, dict)] == [7]
    assert len(page.records) == 3


# A member that is closed to us


def shut(api: Api, path: str) -> None:
    del api.records[path]


def test_a_closed_member_keeps_no_other_from_being_read(run: MakeRun) -> None:
    reading = run(Api(a__all=things(1), b__all=things(2), c__all=things(3)), BY_ACCOUNT)
    shut(reading.api, "/b/all")
    pages: list[Page] = []
    asked = Read(entity(BY_ACCOUNT), FULL, 100, None)  # type: ignore[arg-type]
    addresses = Addresses({}, "account", {name: name for name in "abc"})
    with pytest.raises(Incomplete, match=r"not complete, b could not be read.*answered 404"):
        pages.extend(Reading(asked, reading.session, BY_ACCOUNT, addresses).pages())
    assert ids(pages) == [1, 3]
    # A crash now must not make the read complete: the closed one is asked for again.
    cursor = msgspec.json.decode(msgspec.json.encode(pages[-1].cursor))
    with pytest.raises(Incomplete, match="not complete, b could not be read"):
        reading.read(cursor=cursor, members=["a", "b", "c"])
    reading.api.records["/b/all"] = things(2)
    assert ids(reading.read(cursor=cursor, members=["a", "b", "c"])) == [2]


def test_the_only_member_that_is_closed_fails_as_itself(run: MakeRun) -> None:
    reading = run(Api(a__all=[]), BY_ACCOUNT)
    shut(reading.api, "/a/all")
    with pytest.raises(FatalError, match="answered 404"):
        reading.read(members=["a"])
