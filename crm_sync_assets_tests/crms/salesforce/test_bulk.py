"""Bulk jobs: when they are used, taken up again, read again, cut in two, or left alone."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from crm_sync_assets.crms.salesforce import bulk
from crm_sync_assets.errors import Refused, SyncError, TransientError
from crm_sync_assets_tests.crms.salesforce.conftest import DAY, Bench

JOBS = r"POST /salesforce/.*/jobs/query"
RESULTS = r"GET /salesforce/.*/jobs/query/\w+/results"


@pytest.fixture
def few(bench: Bench) -> Bench:
    """A bench where everything is many rows."""
    bench.configure(bulk_rows=10, page_size=20, load_rows=20, prefetch_pages=1)
    bench.sandbox.knobs.turn({"token_lifetime": 1_000_000})
    return bench


def jobs(bench: Bench) -> int:
    return sum(one.method == "POST" for one in bench.asked("/jobs/query"))


def listed(bench: Bench) -> list[str]:
    """Queries for rows, and none that count."""
    return [one for one in bench.queries() if "COUNT" not in one]


def test_many_rows_are_read_by_a_job_and_are_the_same(few: Bench) -> None:
    first, *_ = few.world.ids("Contact")
    odd = 'Reyes, "Best"\nof all\r\n lines'
    few.world.edit("Contact", first, {"Description": odd, "Notes__c": odd})
    few.pass_time(60)
    few.sandbox.ledger.reset()
    told = few.sync("contacts")
    assert told.counts.created == told.counts.processed == len(few.world.ids("Contact"))
    assert (jobs(few), listed(few)) == (1, [])
    assert few.wrong("contacts") == []
    by_job = few.rows("contacts")
    few.configure(bulk_rows=0)
    few.sandbox.ledger.reset()
    told = few.sync("contacts", full=True)
    assert jobs(few) == 0
    assert listed(few)
    assert (told.counts.created, told.counts.updated, told.counts.deleted) == (0, 0, 0)
    assert few.rows("contacts") == by_job


def test_one_entity_may_be_read_by_jobs_and_the_others_not(few: Bench) -> None:
    few.configure(bulk_rows=0, contacts__bulk_rows=10)
    few.sandbox.ledger.reset()
    few.sync("leads")
    assert jobs(few) == 0
    few.sync("contacts")
    assert jobs(few) == 1
    few.configure(bulk_rows=10, contacts__bulk_rows=0)
    few.sandbox.ledger.reset()
    few.sync("contacts", full=True)
    assert jobs(few) == 0


def test_a_large_window_is_read_by_a_job_and_a_small_one_is_not(few: Bench) -> None:
    few.sync("contacts")
    few.pass_time(600)
    few.world.bulk_touch("Contact", few.world.ids("Contact")[:15], properties={"Title": "Boss"})
    few.sandbox.ledger.reset()
    assert few.sync("contacts").counts.updated == 15
    assert jobs(few) == 0
    few.pass_time(600)
    few.world.bulk_touch("Contact", few.world.ids("Contact"), properties={"Title": "Chief"})
    few.world.archive("Contact", few.world.ids("Contact")[0])
    few.sandbox.ledger.reset()
    told = few.sync("contacts")
    assert told.counts.deleted == 1
    assert jobs(few) == 1
    assert few.wrong("contacts") == []


def test_a_killed_sync_takes_up_the_same_job_where_it_was(few: Bench) -> None:
    few.sandbox.knobs.turn({"salesforce_job_page": 25})
    few.sandbox.faults.add(RESULTS, on="3-", status=500)
    with pytest.raises(TransientError):
        few.sync("contacts")
    few.sandbox.faults.clear()
    few.pass_time(3_600)
    few.sandbox.ledger.reset()
    told = few.sync("contacts")
    assert told.resumed
    assert (jobs(few), listed(few)) == (0, [])
    assert len(few.asked("/results")) == 1
    assert told.counts.processed == len(few.world.ids("Contact"))
    assert few.wrong("contacts") == []


def test_a_job_that_takes_too_long_is_asked_about_again(few: Bench) -> None:
    few.sandbox.knobs.turn({"salesforce_job_polls": 200})
    with pytest.raises(TransientError, match="The next sync asks about it again"):
        few.sync("contacts")
    assert max(few.waits) == 300
    few.sandbox.knobs.turn({"salesforce_job_polls": 0})
    assert few.sync("contacts").resumed
    assert jobs(few) == 1
    assert few.wrong("contacts") == []


def test_a_job_that_is_not_known_any_more_is_ordered_again(few: Bench) -> None:
    few.configure(checkpoint_hours=24 * 30)
    few.sandbox.faults.add(RESULTS, on="1-", status=500)
    with pytest.raises(TransientError):
        few.sync("contacts")
    few.sandbox.faults.clear()
    few.pass_time(8 * DAY)
    told = few.sync("contacts")
    assert told.resumed
    assert jobs(few) == 2
    assert few.wrong("contacts") == []


def fail_the_first(few: Bench, state: str = "Failed") -> None:
    failed = {"id": "750Kj000000000001", "state": state, "errorMessage": "InternalServerError"}
    few.sandbox.faults.add(r"GET /salesforce/.*/jobs/query/\w+ ?$", on=1, status=200,
                           body=json.dumps(failed))  # fmt: skip
    few.sandbox.faults.add(r"GET /salesforce/.*/jobs/query/\w+\?$", on=1, status=200,
                           body=json.dumps(failed))  # fmt: skip


@pytest.mark.parametrize("state", ["Failed", "Aborted"])
def test_a_job_that_fails_is_cut_in_two_by_date(few: Bench, state: str) -> None:
    fail_the_first(few, state)
    few.sync("contacts")
    asked = [one for one in few.asked("/jobs/query") if one.method == "POST"]
    assert len(asked) == 3
    assert few.wrong("contacts") == []


@pytest.mark.parametrize(("fault", "on", "ordered"), [(RESULTS, "2-", 0), (JOBS, "3-", 1)],
                         ids=["once it is ordered", "before it is ordered"])  # fmt: skip
def test_the_second_half_of_a_job_is_taken_up_by_the_next_sync(
    few: Bench, fault: str, on: str, ordered: int
) -> None:
    fail_the_first(few)
    few.sandbox.faults.add(fault, on=on, status=503)
    with pytest.raises(TransientError):
        few.sync("contacts")
    few.sandbox.faults.clear()
    few.sandbox.ledger.reset()
    told = few.sync("contacts")
    assert told.resumed
    assert (jobs(few), listed(few), len(few.asked("/results"))) == (ordered, [], 1)
    assert told.counts.created == len(few.world.ids("Contact"))
    assert few.wrong("contacts") == []


def test_what_no_job_can_read_is_read_by_queries(few: Bench) -> None:
    few.sandbox.knobs.turn({"salesforce_jobs_fail": "InternalServerError"})
    few.sync("leads")
    assert few.wrong("leads") == []
    few.sandbox.knobs.turn({"salesforce_jobs_fail": ""})
    refusal = [
        {"errorCode": "INVALIDENTITY", "message": "Entity is not supported by the Bulk API."}
    ]
    few.sandbox.faults.add(JOBS, on="1-", status=400, body=json.dumps(refusal))
    few.sandbox.ledger.reset()
    few.sync("contacts")
    assert listed(few)
    assert few.wrong("contacts") == []


@pytest.mark.parametrize(
    "fault",
    [{"truncate": 0.6}, {"drop": True}, {"body": "html"}, {"body": "empty"}, {"status": 503}],
    ids=["truncated", "dropped", "a page for people", "empty", "503"],
)
def test_results_that_come_by_half_are_asked_for_again(few: Bench, fault: dict[str, Any]) -> None:
    few.sandbox.knobs.turn({"salesforce_job_page": 25})
    few.sandbox.faults.add(RESULTS, on=2, **fault)
    told = few.sync("contacts")
    assert told.counts.processed == len(few.world.ids("Contact"))
    assert few.wrong("contacts") == []


def test_a_page_of_whole_lines_that_lacks_some_is_asked_for_again(few: Bench) -> None:
    """Its header says how many there are; nothing else about it is wrong."""

    def shorter(body: bytes) -> bytes:
        *rows, _ = csv.reader(io.StringIO(body.decode()))
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()

    few.sandbox.knobs.turn({"salesforce_job_page": 25})
    few.sandbox.faults.add(RESULTS, on=2, rewrite=shorter)
    few.sync("contacts")
    assert few.wrong("contacts") == []
    assert few.history()[-1]["status"] == "success"


def test_a_job_whose_results_are_fewer_than_it_says_is_no_success(few: Bench) -> None:
    few.sandbox.knobs.turn({"short_total": 3})
    with pytest.raises(Refused, match="found 63 records, and its results have 6"):
        few.sync("contacts")
    few.sandbox.knobs.turn({"short_total": 0})
    told = few.sync("contacts")
    assert not told.resumed
    assert few.wrong("contacts") == []


def test_a_record_that_changes_while_a_job_runs_comes_with_the_next_delta(few: Bench) -> None:
    def edit(_: Any) -> None:
        few.world.bulk_touch("Contact", few.world.ids("Contact")[:3], properties={"Title": "New"})

    few.pass_time(600)
    few.sandbox.faults.add(RESULTS, on=1, callback=edit)
    few.sync("contacts")
    few.pass_time(600)
    few.sync("contacts")
    assert few.wrong("contacts") == []


def test_wrong_credentials_of_a_job_are_no_reason_for_queries(few: Bench) -> None:
    few.sandbox.faults.add(JOBS, on="1-", status=401)
    with pytest.raises(SyncError, match="SALESFORCE_CLIENT_SECRET"):
        few.sync("contacts")
    assert listed(few) == []


def test_pages_of_results_that_are_too_large_are_made_smaller(
    few: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    few.sandbox.faults.add(RESULTS, on="2-", status=500)
    monkeypatch.setattr(bulk, "PAGE_ROWS", 40)
    monkeypatch.setattr(bulk, "FEWEST_ROWS", 5)
    with pytest.raises(TransientError):
        few.sync("contacts")
    few.sandbox.faults.clear()
    # Half of the page that was read by then is more than may be held now.
    monkeypatch.setattr(bulk, "MOST_BYTES", 8_000)
    told = few.sync("contacts")
    assert told.resumed
    assert told.counts.processed == len(few.world.ids("Contact"))
    assert jobs(few) == 1
    assert few.wrong("contacts") == []
