"""How Pipedrive says no: the day's tokens, the burst, the firewall, a 200 that failed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    Deferred,
    FatalError,
    NotAvailable,
    SyncError,
    TransientError,
    Unauthorized,
)
from crm_sync_assets_tests.crms.pipedrive.conftest import NOON, Company

LIST = r"GET /pipedrive/api/v2/persons\?"
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


def ended(company: Company, error: type[SyncError]) -> SyncError:
    """How a sync of the persons ends; its row says that it failed."""
    with pytest.raises(error) as caught:
        company.sync("persons")
    row = company.history()[-1]
    assert (row["status"], row["watermark"]) == ("failed", None)
    assert row["reason"] == getattr(caught.value, "answer", caught.value).reason
    return caught.value


def deferred(company: Company) -> float:
    """Seconds from now until which a sync of the persons is put off."""
    error = ended(company, Deferred)
    assert isinstance(error, Deferred)
    return (error.until - datetime.now(UTC)).total_seconds()


def test_the_tokens_of_a_day_that_others_used_up_put_a_sync_off_until_midnight(
    company: Company,
) -> None:
    company.sandbox.knobs.turn({"limits": True, "pipedrive_daily": 20})
    seconds = deferred(company)
    assert seconds == pytest.approx((MIDNIGHT - NOON).total_seconds(), abs=30)
    assert company.waits == []
    assert company.sandbox.ledger.count("persons", status=429) == 1
    company.sandbox.knobs.pipedrive_daily = 30_000
    company.configure(rate_windows='[["daily", 30000, 86400]]')
    company.connect()
    with pytest.raises(Deferred, match=r"the account's budget \(daily\) is used up"):
        company.sync("persons")
    assert company.sandbox.ledger.count("persons") == 1, "nobody of the account asks before that"


def test_without_a_header_four_refusals_may_be_a_burst_and_a_fifth_is_the_day(
    company: Company,
) -> None:
    knobs = {"limits": True, "pipedrive_daily": 20, "pipedrive_daily_headers": False}
    company.sandbox.knobs.turn(knobs)
    assert deferred(company) == pytest.approx((MIDNIGHT - NOON).total_seconds(), abs=30)
    assert company.waits == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "1", "x-daily-ratelimit-token-remaining": "900"}, 1),
        ({"x-ratelimit-reset": "0"}, 1),
        ({"Retry-After": "3", "x-ratelimit-reset": "1"}, 3),
        ({}, 2),
        ({"x-daily-ratelimit-token-remaining": "soon"}, 2),
    ],
)
def test_a_burst_waits_as_long_as_it_says(
    company: Company, headers: dict[str, str], seconds: float
) -> None:
    company.sandbox.faults.add(LIST, status=429, headers=headers)
    assert company.sync("persons").status == "success"
    assert company.waits == [seconds]


def test_a_firewall_is_left_alone_for_an_hour(company: Company) -> None:
    company.sandbox.faults.add(LIST, on="all", status=403, body="html")
    assert deferred(company) == pytest.approx(3_600, abs=30)
    assert company.sandbox.ledger.count("persons") == 1


def test_a_403_in_json_is_a_scope_that_is_missing(company: Company) -> None:
    company.sandbox.faults.add(LIST, on="all", status=403)
    assert "Scope and URL mismatch" in str(ended(company, NotAvailable))


def test_a_company_that_is_not_open_is_closed(company: Company) -> None:
    company.sandbox.faults.add(LIST, on="all", status=402, body='{"error": "not open"}')
    assert "not open" in str(ended(company, Closed))


FAILED: list[tuple[str, type[SyncError]]] = [
    ("Request over limit", Deferred),
    ("unauthorized access", Unauthorized),
    ("Scope and URL mismatch", NotAvailable),
    ("Invalid cursor", BadRequest),
    ("Entity was not found", FatalError),
    ("Something went wrong", TransientError),
]


@pytest.mark.parametrize(("text", "error"), FAILED)
@pytest.mark.parametrize("data", ["null", "[]"])
def test_a_200_without_success_is_judged_by_its_text(
    company: Company, text: str, error: type[SyncError], data: str
) -> None:
    body = f'{{"data": {data}, "success" : false, "error": "{text}"}}'
    company.sandbox.faults.add(LIST, on="all", status=200, body=body)
    with pytest.raises(error):
        company.sync("persons")
    assert company.history()[-1]["status"] == "failed"
    assert company.rows("persons") == {}


def test_a_record_that_speaks_of_success_is_no_failure(company: Company) -> None:
    (first, *_) = company.world.ids("persons")
    company.world.edit("persons", first, {"custom_fields": {"success": False}})
    assert company.sync("persons").status == "success"
    assert company.rows("persons")[first]["custom_fields"] == {"success": False}


def test_pages_are_counted_in_tokens_and_requests_in_the_burst(company: Company) -> None:
    """71 tokens: five lists, and who answers; a second reading has no place in the day."""
    company.configure(rate_windows='[["burst", 6, 0.01], ["daily", 100, 86400]]', rate_reserve=0)
    company.connect()
    company.sync("deals")
    assert company.sandbox.ledger.daily["777", "2026-11-20"] == 72
    with pytest.raises(Deferred, match=r"the account's budget \(burst, daily\)"):
        company.sync("deals", full=True)
    assert company.history()[-1]["status"] == "failed"
