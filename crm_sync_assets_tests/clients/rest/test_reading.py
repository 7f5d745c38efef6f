"""Readings of declared sources: sweeps, windows, members, records; on from any page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Everything, Months, Since, SinceHeader, Span
from crm_sync_assets.clients.rest.paging import Whole
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Each, One, Rest, Sweep
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, Incomplete
from crm_sync_assets_tests.clients.rest.scripted_api import (
    BY_ACCOUNT,
    COUNTED,
    DELTA,
    FULL,
    NOON,
    PAGED,
    SHIFTING,
    Api,
    MakeRun,
    Run,
    entity,
    ids,
    things,
)

MONTHS = Span("start_date", "end_date", each=Months(1), back=Months(4))


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
