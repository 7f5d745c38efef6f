"""When a count proves a list complete, and when it proves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.crms.hubspot.searching import Place
from crm_sync_assets.crms.hubspot.tally import Tally

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD = "2026-11-20T11:00:00.123Z"


def record(number: Any, created: Any = OLD) -> dict[str, Any]:
    return {"id": str(number), "properties": {"createdate": created}}


def tally(*pages: list[Any]) -> Tally:
    made = Tally.beginning("createdate", NOW, timedelta(minutes=10))
    for page in pages:
        made.add(page)
    return made


def test_records_created_before_the_moment_are_counted_across_pages_and_resumptions() -> None:
    first = tally([record(1), record(2, "2026-11-20T11:50:09Z")])
    resumed = Tally.of({"phase": "live", "tally": first.as_cursor()})
    assert resumed is not None
    resumed.add([record(3, "2026-11-20T11:50:10Z"), record(9, "2026-11-20T12:49:00+01:00")])
    assert (resumed.listed, resumed.last, resumed.is_exact) == (3, 9, True)
    assert resumed.filters == [
        {"propertyName": "createdate", "operator": "LT", "value": "1795175410000"}
    ]


@pytest.mark.parametrize(
    "page",
    [
        [record(2), record(2)],
        [record(3), record(2)],
        [record("x7")],
        [record(5, None)],
        [record(5, "yesterday")],
        [{"id": "5"}],
        ["no record"],
    ],
    ids=["twice", "out of order", "no number", "no date", "a bad date", "bare", "no record"],
)
def test_what_cannot_be_counted_for_sure_proves_nothing(page: list[Any]) -> None:
    made = tally([record(1)], page)
    assert not made.is_exact
    assert not any(made.proves(total) for total in range(5))


def test_a_count_before_the_list_must_agree_too() -> None:
    made = tally([record(1), record(2)])
    assert (made.proves(2), made.proves(3)) == (True, False)
    made.counted = 3
    assert not made.proves(2), "one may have gone, or have been left out"
    made.counted = 2
    assert made.proves(2)


def test_a_cursor_without_a_tally_proves_nothing() -> None:
    assert Tally.of({"phase": "live", "after": "7"}) is None
    assert Tally.of(None) is None


@pytest.mark.parametrize("place", [Place(), Place(12, 5, 0), Place(12, 5, 7), Place(12)], ids=str)
def test_a_place_in_a_search_survives_its_cursor(place: Place) -> None:
    assert Place.of(place.as_text()) == place


def test_a_cursor_of_an_older_version_is_a_place_of_which_less_is_known() -> None:
    assert Place.of("30310000021") == Place(30310000021, 0, None)
