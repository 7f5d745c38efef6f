"""The closed kinds: what each asks for, where it leads, and what none of them can mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.delta import (
    Delta,
    Everything,
    Months,
    Query,
    Since,
    SinceHeader,
    Span,
    Window,
    as_http_date,
    with_a_blank,
    with_an_offset,
)
from crm_sync_assets.clients.rest.paging import (
    After,
    Ask,
    Cursor,
    Link,
    Moved,
    Numbered,
    Offset,
    Paging,
    Whole,
)
from crm_sync_assets.clients.rest.source import Many, Rest, Sweep
from crm_sync_assets.errors import FatalError

RECORDS = [{"id": number} for number in range(1, 8)]


def answer(body: Any, **headers: str) -> Answer:
    return Answer(200, headers, b"", body, "GET /things", None)


def walk(paging: Paging, serve: Callable[[Ask, int], Answer], size: int = 3) -> list[int]:
    """The ids that paging through this server yields; positions are written down between pages."""
    position, ids = None, list[int]()
    for _ in range(20):
        asked = paging.ask(position, size)
        given = serve(asked, size)
        records = given.json["data"]
        ids += [record["id"] for record in paging.new(position, records)]
        position = paging.after(position, given, records)
        if position is None:
            return ids
        position = msgspec.json.decode(msgspec.json.encode(position))
    raise AssertionError("no end")


def by_cursor(ask: Ask, size: int) -> Answer:
    start = int(ask.params.get("cursor", 0))
    left = RECORDS[start + size :]
    following = str(start + size) if left else None
    return answer({"data": RECORDS[start : start + size], "meta": {"next": following}})


def by_number(ask: Ask, size: int) -> Answer:
    start = (int(ask.params["page"]) - 1) * size
    return answer({"data": RECORDS[start : start + size], "total_pages": 3, "n": 7})


def by_number_without_an_end(ask: Ask, size: int) -> Answer:
    start = (int(ask.params["page"]) - 1) * size
    return answer({"data": RECORDS[start : start + size]})


def by_offset(ask: Ask, size: int) -> Answer:
    start, size = int(ask.params["start"]), int(ask.params["limit"])
    more = bool(RECORDS[start + size :])
    return answer({"data": RECORDS[start : start + size], "extra": {"more": more}})


def by_link_in_the_body(ask: Ask, size: int) -> Answer:
    start = int(ask.address.rpartition("=")[2]) if ask.address else 0
    more = bool(RECORDS[start + size :])
    following = f"https://api.example/things?from={start + size}" if more else None
    return answer({"data": RECORDS[start : start + size], "more": more, "next": following})


def by_link_in_a_header(ask: Ask, size: int) -> Answer:
    start = int(ask.address.rpartition("=")[2]) if ask.address else 0
    link = f'</a?from=0>; rel="first", </a?from={start + size}>; rel="next"'
    headers = {"link": link} if RECORDS[start + size :] else {}
    return answer({"data": RECORDS[start : start + size]}, **headers)


def by_last_id(ask: Ask, size: int) -> Answer:
    after = int(ask.params.get("after_id", 0))
    return answer({"data": [r for r in RECORDS if r["id"] > after][:size]})


KINDS: list[tuple[Paging, Callable[[Ask, int], Answer]]] = [
    (Whole(), lambda _, __: answer({"data": RECORDS})),
    (Cursor("meta.next", "cursor", "limit", 3), by_cursor),
    (Numbered("page", "per_page", 3, pages="total_pages", count="n"), by_number),
    (Numbered("page", "per_page", 3, pages="total_pages"), by_number_without_an_end),
    (Numbered("page", None, 3), by_number_without_an_end),
    (Offset("start", "limit", 3, more=("other.more", "extra.more")), by_offset),
    (Offset("start", "limit", 3, more=("said.nowhere",)), by_offset),
    (Link("limit", 3, at="next", more="more"), by_link_in_the_body),
    (Link("limit", 3), by_link_in_a_header),
    (After("after_id", "limit", 3), by_last_id),
]


@pytest.mark.parametrize(("paging", "serve"), KINDS, ids=lambda given: type(given).__name__)
def test_every_kind_reads_each_record_once(
    paging: Paging, serve: Callable[[Ask, int], Answer]
) -> None:
    assert walk(paging, serve) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("size", [2, 3, 6, 7, 8])
def test_an_offset_reads_each_record_once_in_pages_of_any_size(size: int) -> None:
    assert walk(Offset("start", "limit", 500, more=("extra.more",)), by_offset, size) == [
        1, 2, 3, 4, 5, 6, 7,
    ]  # fmt: skip


def test_an_offset_notices_that_a_record_before_it_went() -> None:
    paging = Offset("start", "limit", 3, more=("extra.more",))
    first = by_offset(paging.ask(None, 3), 3)
    position = paging.after(None, first, first.json["data"])
    assert paging.ask(position, 3).params == {"limit": "3", "start": "2"}
    assert list(paging.new(position, [{"id": 3}, {"id": 4}])) == [{"id": 4}]
    for moved in ([{"id": 4}, {"id": 5}], []):
        with pytest.raises(Moved, match="record 3") as caught:
            paging.new(position, moved)
        looking = caught.value.position
        assert paging.ask(looking, 3).params == {"limit": "3", "start": "1"}
    assert list(paging.new(looking, [{"id": 2}, {"id": 3}, {"id": 4}])) == [{"id": 4}]
    with pytest.raises(Moved) as caught:
        paging.new(looking, [{"id": 4}, {"id": 5}])
    further = caught.value.position
    assert paging.ask(further, 3).params["start"] == "0"
    with pytest.raises(Moved) as caught:
        paging.new(further, [{"id": 4}])
    assert caught.value.position is None, "the record itself is gone: the list is read anew"


def test_a_link_keeps_what_the_api_forgets() -> None:
    paging = Link("per_page", 250, at="next_page", more="more", always={"relative": "true"})
    assert paging.ask(None, 250).params == {"relative": "true", "per_page": "250"}
    assert paging.ask("https://x.example/v3/calls.json?offset=1", 250).address == (
        "/v3/calls.json?offset=1&relative=true"
    )
    assert paging.ask("/c?offset=1&relative=true", 250).address == "/c?offset=1&relative=true"
    with pytest.raises(FatalError, match="no address"):
        paging.after(None, answer({"more": True, "next_page": None}), RECORDS)


def test_a_last_record_without_an_id_is_no_end() -> None:
    with pytest.raises(FatalError, match="no id to go on from"):
        After("after_id", "limit", 3).after(None, answer({}), [{"id": None}])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cursor("", "cursor", "limit", 100),
        lambda: Cursor("next", "", "limit", 100),
        lambda: Cursor("next", "cursor", "limit", 0),
        lambda: Numbered("", "per_page", 100),
        lambda: Numbered("page", "per_page", 0),
        lambda: Offset("start", "", 100, more=("more",)),
        lambda: Offset("start", "limit", 100, more=()),
        lambda: Offset("start", "limit", 1, more=("more",)),
        lambda: Offset("start", "limit", 100, more=("more",), key=""),
        lambda: Link("limit", 0),
        lambda: After("", "limit", 10),
        lambda: Since(""),
        lambda: Span("", "end", Months(1), Months(25)),
        lambda: Span("start", "end", Months(0), Months(25)),
        lambda: Rest("/a", sweeps=()),
        lambda: Rest("/a", sweeps=(Sweep("all"), Sweep("all"))),
        lambda: Rest("/a", delta=Since("since")),
        lambda: Rest("/a", windowed_by="created"),
        lambda: Rest("/a/{account}/b"),
        lambda: Rest("/a", many=Many("/a", "ids", 100)),
    ],
)
def test_a_kind_that_cannot_work_is_refused_when_it_is_declared(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


# Deltas

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def slices(delta: Delta, since: datetime | None, until: datetime | None = None) -> list[Any]:
    return list(delta.slices(Window(since, until, NOON)))


def test_a_beginning_is_rounded_down_and_an_end_up() -> None:
    delta = Since("updated_since", "updated_until")
    (one,) = slices(delta, NOON, NOON)
    assert one.params == {
        "updated_since": "2026-11-23T12:00:00Z",
        "updated_until": "2026-11-23T12:00:01Z",
    }
    (whole,) = slices(delta, None)
    assert (whole.name, whole.params) == ("all", {})


def test_a_list_without_an_end_is_asked_for_its_beginning_alone() -> None:
    (one,) = slices(Since("since", written=with_a_blank), NOON, NOON)
    assert one.params == {"since": "2026-11-23 12:00:00"}


def test_a_header_says_since_when() -> None:
    (one,) = slices(SinceHeader(), NOON)
    assert one.headers == {"If-Modified-Since": "Mon, 23 Nov 2026 12:00:00 GMT"}
    assert slices(SinceHeader(), None)[0].headers == {}


def test_a_header_may_have_another_name_and_form_and_stand_beside_another_look() -> None:
    delta = SinceHeader("If-Status", with_an_offset, otherwise=as_http_date, beside=True)
    (one,) = slices(delta, NOON)
    assert one.headers == {"If-Status": "2026-11-23T12:00:00+00:00"}
    assert one.otherwise == {"If-Status": "Mon, 23 Nov 2026 12:00:00 GMT"}
    assert list(slices(delta, None)) == []


def test_a_query_is_written_by_its_function() -> None:
    delta = Query("q", lambda since, _: f"changed >= {since:%Y}" if since else None)
    assert slices(delta, NOON)[0].params == {"q": "changed >= 2026"}
    assert slices(delta, None)[0].params == {}


def test_only_what_asks_for_nothing_is_not_windowed() -> None:
    kinds = [Everything(), Since("a"), SinceHeader(), Query("q", lambda *_: None)]
    kinds.append(Span("a", "b", Months(1), Months(2)))
    assert [kind.windowed for kind in kinds] == [False, True, True, True, True]


def days_of(found: list[Any]) -> list[date]:
    """All days that slices ask for; no day twice."""
    days = []
    for one in found:
        day, end = map(date.fromisoformat, (one.params["start"], one.params["end"]))
        assert day <= end
        while day <= end:
            days.append(day)
            day += timedelta(days=1)
    assert len(days) == len(set(days))
    return days


DAY = timedelta(days=1)
SPAN = Span("start", "end", each=Months(1), back=Months(25))


def test_a_span_of_everything_goes_back_as_far_as_the_source_and_no_further() -> None:
    found = slices(SPAN, None)
    days = days_of(found)
    assert (days[0], days[-1]) == (date(2024, 10, 24), date(2026, 11, 24))
    assert len(days) == (days[-1] - days[0]).days + 1
    assert len(found) == 26


def test_a_span_of_a_window_is_wider_by_a_day() -> None:
    days = days_of(slices(SPAN, NOON - timedelta(days=30), NOON - timedelta(days=20)))
    assert (days[0], days[-1]) == (date(2026, 10, 23), date(2026, 11, 4))


@pytest.mark.parametrize("days", [0, 1, 3, 40])
def test_a_resumed_span_asks_for_nothing_that_is_too_old_by_now(days: int) -> None:
    """The other slices are those it began with, so that it goes on in the same one."""
    began = list(SPAN.slices(Window(None, None, NOON)))
    resumed = list(SPAN.slices(Window(None, None, NOON, NOON + timedelta(days=days))))
    assert days_of(resumed)[0] == Months(-25).after((NOON + timedelta(days=days)).date()) + DAY
    assert resumed[1:] == began[-len(resumed) + 1 :]
    assert days_of(resumed)[-1] == days_of(began)[-1]


@pytest.mark.parametrize("back", range(0, 900, 37))
def test_the_days_of_a_window_are_all_asked_for(back: int) -> None:
    since = NOON - timedelta(days=back)
    days = days_of(slices(SPAN, since))
    first = max((since - timedelta(days=1)).date(), date(2024, 10, 24))
    assert days == [first + timedelta(days=n) for n in range((date(2026, 11, 24) - first).days + 1)]


@pytest.mark.parametrize(
    ("day", "months", "after"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 5), -25, date(2023, 12, 5)),
    ],
)
def test_months_end_with_their_last_day(day: date, months: int, after: date) -> None:
    assert Months(months).after(day) == after
    assert Months(-months).before(day) == after
