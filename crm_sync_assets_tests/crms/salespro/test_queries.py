"""How a query comes to its end: waited for, taken up again, ordered again, stopped, paid for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crm_sync_assets.errors import (
    BadRequest,
    FatalError,
    NotAvailable,
    TooCostly,
    TransientError,
)
from crm_sync_assets_tests.crms.salespro.conftest import (
    ORDERS,
    PAGES,
    STATES,
    STOPS,
    Bench,
)


def test_states_are_polled_with_growing_pauses_also_when_a_query_is_queued_again(
    bench: Bench,
) -> None:
    bench.turn(polls=8, requeued=True)
    bench.sync("customers")
    assert bench.calls(STATES) == 9
    assert bench.waits[0] == 0.5
    assert bench.waits == sorted(bench.waits)
    assert max(bench.waits) == 5.0
    assert bench.wrong("customers") == []


def failed(bench: Bench, **flags: Any) -> dict[str, Any]:
    with pytest.raises(FatalError):
        bench.sync("customers", **flags)
    row: dict[str, Any] = bench.history()[-1]
    assert (row["status"], row["watermark"]) == ("failed", None)
    return row


@pytest.mark.parametrize("page", [1, 3])
def test_an_interrupted_sync_takes_up_its_query_at_the_page_where_it_was(
    bench: Bench, page: int
) -> None:
    bench.configure(page_size=10, load_rows=10, prefetch_pages=1, max_attempts=1)
    bench.turn(polls=20)
    bench.sandbox.faults.add(PAGES, on=page, drop=True)
    with pytest.raises(TransientError):
        bench.sync("customers")
    bench.sandbox.faults.clear()
    bench.sandbox.ledger.reset()
    told = bench.sync("customers")
    assert told.resumed
    assert (bench.calls(ORDERS), bench.calls(PAGES)) == (0, 5 - page)
    assert told.counts.created == 40
    assert bench.wrong("customers") == []


def test_what_a_query_scans_is_counted_once(bench: Bench) -> None:
    bench.configure(page_size=10, load_rows=10, prefetch_pages=1, max_attempts=1)
    bench.turn(scanned=123_456)
    bench.sandbox.faults.add(PAGES, on=3, drop=True)
    with pytest.raises(TransientError):
        bench.sync("customers")
    assert bench.history()[-1]["performance_metrics"]["bytes_scanned"] == 123_456
    bench.sandbox.faults.clear()
    bench.sync("customers")
    assert "bytes_scanned" not in bench.history()[-1]["performance_metrics"]


def test_an_order_whose_answer_is_lost_is_no_second_query(bench: Bench) -> None:
    bench.sandbox.faults.add(ORDERS, on=[1, 2], truncate=0.5)
    bench.sync("customers")
    assert bench.calls(ORDERS) == 3
    assert len(bench.sandbox.crms["salespro"].queries.by_id) == 1  # type: ignore[attr-defined]


def test_a_query_that_takes_too_long_is_stopped_and_another_one_is_ordered_next_time(
    bench: Bench,
) -> None:
    bench.turn(polls=10_000)
    with pytest.raises(TransientError, match="s, and was stopped"):
        bench.sync("customers")
    assert bench.calls(STOPS) == 1
    assert 300 <= sum(bench.waits) < 310
    bench.turn(polls=1)
    bench.sync("customers")
    assert bench.calls(ORDERS) == 2
    assert bench.wrong("customers") == []


@pytest.mark.parametrize("failure", ["internal", "flagged", "slow"])
def test_a_failure_that_passes_is_met_by_another_query(bench: Bench, failure: str) -> None:
    bench.turn(failing=2, failure=failure)
    assert bench.sync("customers").status == "success"
    assert bench.calls(ORDERS) == 3


def test_a_failure_that_passes_and_does_not_fails_the_sync(bench: Bench) -> None:
    bench.configure(max_attempts=3)
    bench.turn(failing=9)
    with pytest.raises(TransientError, match="3 times in a row"):
        bench.sync("customers")
    assert bench.calls(ORDERS) == 3
    assert bench.rows("customers") == {}


def test_a_failure_that_stays_is_met_once(bench: Bench) -> None:
    bench.turn(failing=1, failure="syntax")
    with pytest.raises(BadRequest, match="SYNTAX_ERROR"):
        bench.sync("customers")
    assert bench.calls(ORDERS) == 1


def test_a_right_that_is_missing_is_named_and_is_no_failure_of_what_never_was_here(
    bench: Bench,
) -> None:
    bench.turn(failing=1, failure="closed")
    with pytest.raises(NotAvailable, match="glue:GetTable") as caught:
        bench.sync("customers")
    assert caught.value.answer.grants == ("glue:GetTable",)  # type: ignore[attr-defined]


def test_a_table_that_there_is_not_is_said_to_be_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESPRO_DATABASE", "elsewhere")
    bench.connect()
    with pytest.raises(NotAvailable, match="NOT_FOUND"):
        bench.sync("customers")


def test_one_that_somebody_cancelled_fails_and_is_ordered_again(bench: Bench) -> None:
    bench.turn(cancelled=1)
    with pytest.raises(TransientError, match="by an administrator"):
        bench.sync("customers")
    assert bench.sync("customers").status == "success"


@pytest.mark.parametrize("page", [1, 3])
def test_a_result_that_is_gone_is_ordered_again_and_read_from_its_beginning(
    bench: Bench, page: int
) -> None:
    bench.configure(page_size=10, load_rows=10, prefetch_pages=1)
    bench.sandbox.faults.add(PAGES, on=page, status=400, body="lost")
    told = bench.sync("customers")
    assert told.counts.created == 40
    assert bench.calls(ORDERS) == 2
    assert bench.wrong("customers") == []


def test_what_is_read_again_is_not_counted_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.configure(page_size=10)
    bench.world.create("customer", {"customer_id": "", "updated_at": "2020-01-01 00:00:00.000"})
    bench.sandbox.faults.add(PAGES, on=3, status=400, body="lost")
    with caplog.at_level(logging.WARNING):
        bench.sync("customers")
    assert "customers: 1 rows without a value in customer_id" in caplog.text


@pytest.mark.parametrize("operation", [ORDERS, STATES, PAGES])
def test_throttling_is_waited_for_twice_as_long_each_time(bench: Bench, operation: str) -> None:
    bench.turn(throttled=operation, throttles=4)
    bench.sync("customers")
    pauses = [seconds for seconds in bench.waits if seconds != 0.5]
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert bench.history()[-1]["performance_metrics"]["rate_limit_hits"] == 4


def test_a_query_that_scans_too_much_is_stopped_and_no_other_is_ordered_until_it_may(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.configure(most_scanned_mb=5)
    bench.turn(scanned=7_000_000, polls=9)
    for _ in range(3):
        with pytest.raises(TooCostly, match="MB, and the setting most_scanned_mb is 5"):
            bench.sync("customers")
        assert bench.history()[-1]["reason"] == "quota"
    assert (bench.calls(ORDERS), bench.calls(STOPS)) == (1, 1)
    assert bench.rows("customers") == {}
    bench.configure(most_scanned_mb=8)
    with caplog.at_level(logging.INFO):
        assert bench.sync("customers").status == "success"
    assert bench.wrong("customers") == []


def test_what_was_paid_for_is_used_once_the_setting_is_raised(bench: Bench) -> None:
    bench.configure(most_scanned_mb=5)
    bench.turn(scanned=7_000_000, polls=0)
    with pytest.raises(TooCostly):
        bench.sync("customers")
    assert bench.history()[-1]["performance_metrics"]["bytes_scanned"] == 7_000_000
    bench.configure(most_scanned_mb=0)
    bench.sync("customers")
    assert bench.calls(ORDERS) == 1
    assert "bytes_scanned" not in bench.history()[-1]["performance_metrics"]
    assert bench.wrong("customers") == []


def test_a_page_that_is_not_of_this_result_is_no_page(bench: Bench) -> None:
    bench.configure(max_attempts=2)
    bench.sandbox.faults.add(
        PAGES, on="all", rewrite=lambda body: body.replace(b'"customer_id"', b'"other_id"')
    )
    with pytest.raises(FatalError, match="names of the columns"):
        bench.sync("customers")
    assert bench.rows("customers") == {}


def test_a_token_that_leads_nowhere_new_is_a_loop(bench: Bench) -> None:
    bench.configure(page_size=10)
    tokens: list[bytes] = []

    def stuck(body: bytes) -> bytes:
        token = body.rpartition(b'"NextToken":"')[2].partition(b'"')[0]
        tokens.append(token)
        return body.replace(token, tokens[1]) if len(tokens) > 2 else body

    bench.sandbox.faults.add(PAGES, on="all", rewrite=stuck)
    with pytest.raises(FatalError, match="pagination loop"):
        bench.sync("customers")
