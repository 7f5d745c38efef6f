"""What Arrivy's answers mean, without asking it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.crms.arrivy.sources import newest_status, touches
from crm_sync_assets.crms.arrivy.statuses import CODES, codes, problem

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def said(*told: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"type": kind, "title": None, "time": f"2026-11-20T{time}"} for kind, time in told]


OLDEST_FIRST = said(("CONFIRMED", "08:00:00"), ("STARTED", "09:00:00"), ("COMPLETE", "09:00:00"))


@pytest.mark.parametrize("told", [OLDEST_FIRST, OLDEST_FIRST[::-1]], ids=["oldest", "newest"])
def test_the_newest_status_counts_in_either_order_also_of_one_second(
    told: list[dict[str, Any]],
) -> None:
    assert newest_status(told) == {"status": "COMPLETE", "status_title": None}


@pytest.mark.parametrize("told", [[], [{}], [None], [{"title": "Note"}]])
def test_a_task_without_any_status_keeps_that_of_the_list(told: list[Any]) -> None:
    assert newest_status(told) == {}


@pytest.mark.parametrize("body", [None, {}, {"message": "no"}, "no"])
def test_what_is_no_list_is_no_answer(body: Any) -> None:
    assert newest_status(body) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-20T11:00:00", "2026-11-20T13:00:00", True),
        ("2026-11-17T11:00:00", "2026-11-18T13:00:00", True),
        ("2026-11-17T11:00:00", "2026-11-18T11:00:00", False),
        ("2026-11-20T13:00:00", "2026-11-20T14:00:00", False),
        ("2026-11-19T13:00:00", None, True),
        (None, None, False),
        ("soon", None, False),
    ],
)
def test_a_task_of_the_last_two_days_is_asked_for(start: Any, end: Any, expected: bool) -> None:
    record = {"start_datetime": start, "end_datetime": end}
    assert touches(record, NOON, timedelta(hours=48)) is expected


def test_words_and_types_of_statuses() -> None:
    assert codes("Pending") == {"NOTSTARTED", "PREPARING", "RECOMMENDED"}
    assert codes("readyforpickup") == {"READYFORPICKUP"}
    assert len(CODES) == 13
    assert problem(None) is None
    assert problem("completed") is None
    assert "in_progress" in str(problem("done"))
