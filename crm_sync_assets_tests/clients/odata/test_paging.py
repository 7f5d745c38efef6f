"""Sets that are read in order while they move: who is there all the time is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.odata.paging import InOrder
from crm_sync_assets.clients.rest.paging import Moved

Row = dict[str, Any]
DATED, UNDATED = InOrder("Id", "Changed"), InOrder("Id")


class Service:
    """A set by id → moment (a number of milliseconds, None for none), asked as OData is."""

    def __init__(self, paging: InOrder, rows: dict[int, int | None], cap: int = 99) -> None:
        self.paging, self.rows, self.cap = paging, rows, cap

    def page(self, params: dict[str, str], condition: str | None) -> tuple[list[Row], bool]:
        dated = "Changed" in params["$orderby"]
        found = [{"id": str(i), "changed": shown(at)} for i, at in self.rows.items()]
        found.sort(key=lambda row: (row["changed"] or "" if dated else "", int(row["id"])))
        if condition:
            floor = re.fullmatch(r"Changed ge datetime'(.*)'", condition)
            assert floor
            found = [row for row in found if row["changed"] and row["changed"] >= floor[1]]
        start, top = int(params.get("$skip", 0)), int(params["$top"])
        page = found[start : start + min(top, self.cap)]
        return page, len(page) == self.cap < min(top, len(found) - start)


def shown(at: int | None) -> str | None:
    if at is None:
        return None
    whole, part = divmod(at, 1_000)
    return f"2026-11-20T17:00:{whole:02d}" + (f".{part:03d}".rstrip("0") if part else "")


def answered(following: bool) -> Answer:
    return Answer(200, {}, b"", {"next": "more" if following else None}, "GET /Set", None)


def read(service: Service, size: int, meanwhile: Callable[[int], None]) -> list[str]:
    """The ids of what a list's reader takes, in its order."""
    paging, position, found = service.paging, None, []
    for number in range(10_000):
        ask = paging.ask(position, size)
        page, cut = service.page(dict(ask.params), ask.narrowed.get("$filter"))
        following = paging.after(position, answered(cut), page)
        try:
            found += [row["id"] for row in paging.new(position, page)]
        except Moved as moved:
            if moved.position is None:
                raise
            position = moved.position
            continue
        if following is None:
            return found
        position = following
        meanwhile(number)
    raise AssertionError("no end")


CHANGE = st.tuples(st.sampled_from(["edit", "go", "come"]), st.integers(0, 60))


@settings(max_examples=300)
@given(
    st.sampled_from([DATED, UNDATED]),
    st.dictionaries(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 9_000)), max_size=40),
    st.sampled_from([1, 500, 9_000]),
    st.integers(1, 9),
    st.integers(3, 9),
    st.lists(st.lists(CHANGE, max_size=6), max_size=8),
)
def test_who_is_there_all_the_time_is_read_however_much_moves(
    paging: InOrder,
    rows: dict[int, int | None],
    grain: int,
    size: int,
    cap: int,
    changes: list[list[tuple[str, int]]],
) -> None:
    # A coarse grain makes many of one moment.
    rows = {i: at if at is None else at // grain * grain for i, at in rows.items()}
    service, clock = Service(paging, dict(rows), cap), 10_000
    left = list(changes)

    def meanwhile(_: int) -> None:
        nonlocal clock
        for what, number in left.pop() if left else ():
            clock += 1
            if what == "come":
                service.rows.setdefault(number, clock)
            elif number in service.rows and what == "edit":
                service.rows[number] = clock
            elif what == "go":
                service.rows.pop(number, None)

    found = read(service, size, meanwhile)
    stayed = {str(i) for i in rows if i in service.rows}
    if paging is UNDATED:
        gone_and_back = {str(n) for part in changes for what, n in part if what == "go"}
        stayed -= gone_and_back
    assert stayed <= set(found)
    if paging is DATED:
        changed = {str(i) for i, at in service.rows.items() if at and at >= 10_000}
        assert changed <= set(found), "who changes meanwhile comes again at the end"


@given(st.integers(0, 60), st.integers(4, 20), st.sampled_from([DATED, UNDATED]), st.booleans())
def test_where_nothing_moves_each_is_read_once(
    count: int, size: int, paging: InOrder, tied: bool
) -> None:
    rows: dict[int, int | None] = {i: 500 if tied else i * 700 for i in range(count)}
    found = read(Service(paging, rows), size, lambda _: None)
    assert found == sorted(found, key=int)
    assert len(found) == len(set(found)) == count


def test_pages_are_asked_for_from_the_second_on_and_within_it_by_number() -> None:
    assert DATED.ask(None, 100).params == {"$orderby": "Changed asc,Id asc", "$top": "100"}
    rows = [{"id": str(i), "changed": shown(500 if i < 3 else 5_100 + i)} for i in range(8)]
    position = DATED.after(None, answered(False), rows)
    asked = DATED.ask(position, 9_999)
    assert asked.narrowed == {"$filter": "Changed ge datetime'2026-11-20T17:00:05'"}
    assert asked.params == {"$orderby": "Changed asc,Id asc", "$top": "5000", "$skip": "3"}
    more = [*rows[-2:], *({"id": str(i), "changed": shown(9_000 + i)} for i in range(4))]
    assert DATED.ask(DATED.after(position, answered(False), more), 9).params["$skip"] == "2"
    assert UNDATED.ask(UNDATED.after(None, answered(False), rows), 1).params == {
        "$orderby": "Id asc",
        "$top": "4",
        "$skip": "6",
    }


def test_what_is_not_in_the_order_that_was_asked_for_is_not_believed() -> None:
    later, earlier = ({"id": str(i), "changed": shown(at)} for i, at in enumerate((9_000, 10)))
    with pytest.raises(Moved, match="order of Changed"):
        DATED.new(None, [later, earlier])
    position = DATED.after(None, answered(False), [later] * 4)
    with pytest.raises(Moved, match="order of Changed"):
        DATED.new(position, [earlier, later])


def test_a_link_to_more_after_nothing_new_is_no_end() -> None:
    rows = [{"id": str(i), "changed": shown(500)} for i in range(6)]
    position = DATED.after(None, answered(False), rows)
    assert DATED.after(position, answered(False), rows[-2:]) is None
    assert DATED.after(None, answered(False), []) is None
    for page in ([], rows[-2:]):
        with pytest.raises(Moved, match="more to come"):
            DATED.after(position, answered(True), page)


def test_a_server_that_passes_over_nothing_is_found_out() -> None:
    """It answers whatever is asked for with its first page."""
    rows = [{"id": str(i), "changed": shown(500)} for i in range(6)]
    position = DATED.after(None, answered(False), rows)
    places = [position]
    for _ in range(3):
        assert DATED.new(position, rows) == []
        position = DATED.after(position, answered(False), rows)
        assert position is not None, "that is no end"
        places.append(position)
    assert len({repr(place) for place in places}) == 4


def test_records_without_an_id_are_told_from_each_other_by_what_they_say() -> None:
    rows = [{"id": str(i)} for i in range(5)] + [{"id": None, "name": "x"}]
    position = UNDATED.after(None, answered(False), rows)
    assert UNDATED.new(position, rows[-2:]) == []
    assert UNDATED.after(position, answered(False), rows[-2:]) is None
    other = {"id": None, "name": "y"}
    assert UNDATED.new(position, [*rows[-2:], other]) == [other]


def test_a_set_that_moves_all_the_time_is_read_anew() -> None:
    rows = [{"id": str(i)} for i in range(6)]
    position = UNDATED.after(None, answered(False), rows)
    with pytest.raises(Moved, match="1001 times") as moved:
        UNDATED.new({**position, "back": 1_000}, [{"id": "77"}])
    assert moved.value.position is None


def test_nonsense_is_refused() -> None:
    for nonsense in ({"key": ""}, {"key": "Id", "most": 3}):
        with pytest.raises(ValueError, match="InOrder"):
            InOrder(**nonsense)  # type: ignore[arg-type]
