"""Windows over what is planned: none leaves anything out, and those that are bounded are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from crm_sync_assets.clients.rest.delta import Months, Slice, Window
from crm_sync_assets.clients.rest.planned import Planned

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLANNED = Planned("from", "to", each=Months(3), back=Months(24), ahead=Months(6))


def slices(since: datetime | None = None, until: datetime | None = None) -> list[Slice]:
    return list(PLANNED.slices(Window(since, until, NOON, NOON + timedelta(days=400))))


def ends(one: Slice) -> tuple[str, str]:
    return one.params["from"][:10], one.params["to"][:10]


def test_everything_is_asked_for_from_the_very_first_to_the_very_last() -> None:
    found = slices()
    assert ends(found[0]) == ("1969-12-30", "2024-11-22")
    assert ends(found[1]) == ("2024-11-18", "2025-02-22")
    assert ends(found[-1]) == ("2027-05-18", "2100-01-03")
    assert len(found) == 1 + 8 + 2 + 1


@pytest.mark.parametrize("since", [None, NOON - timedelta(days=45), NOON - timedelta(days=2_000)])
def test_each_slice_begins_days_before_the_one_before_it_ends(since: datetime | None) -> None:
    found = slices(since)
    for one, following in pairwise(found):
        gap = datetime.fromisoformat(one.params["to"]) - datetime.fromisoformat(
            following.params["from"]
        )
        assert gap == timedelta(days=4)
    assert len({one.name for one in found}) == len(found)


def test_a_delta_begins_where_it_is_told_and_ends_with_all_that_is_to_come() -> None:
    found = slices(NOON - timedelta(days=45))
    assert ends(found[0])[0] == "2026-10-04"
    assert ends(found[-1])[1] == "2100-01-03"
    assert len(found) == 4


def test_a_bounded_window_ends_after_its_last_day() -> None:
    [only] = slices(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert ends(only) == ("2026-02-27", "2026-04-04")
    older = slices(None, datetime(2020, 1, 1, tzinfo=UTC))
    assert [ends(one) for one in older] == [
        ("1969-12-30", "2020-01-03"),
        ("2019-12-30", "2020-01-04"),
    ]


def test_a_resumed_reading_has_the_slices_it_began_with() -> None:
    later = Window(None, None, NOON, NOON + timedelta(days=90))
    assert list(PLANNED.slices(later)) == slices()


def test_what_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="both of its ends"):
        Planned("", "to", Months(1), Months(1), Months(1))
    with pytest.raises(ValueError, match="a month at least"):
        Planned("from", "to", Months(0), Months(1), Months(1))
