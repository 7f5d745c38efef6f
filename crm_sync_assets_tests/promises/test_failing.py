"""A source that fails: a page that fails is a sync that fails, and the next one makes it good."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import Deferred, FatalError, NotAvailable, SyncError, Unauthorized
from crm_sync_assets_tests.promises.crms import (
    who_can,
    with_each,
    with_each_fault_of_each_reading,
    with_each_reading,
)
from crm_sync_assets_tests.promises.driver import (
    HOUR,
    PAGE,
    Reading,
    Subject,
    each_page,
    failed,
    lived,
)

SECRET = "canary-0123456789-abcdef"


def prepared(crm: Subject, reading: Reading) -> dict[str, object]:
    """The flags of such a reading; for a delta all has changed since the last sync."""
    if reading == "delta":
        lived(crm)
        return {}
    return {"full": True}


@with_each_fault_of_each_reading()
def test_a_page_that_fails_is_a_sync_that_fails_and_never_the_end(
    crm: Subject, how: str, reading: Reading
) -> None:
    flags = prepared(crm, reading)
    before = [row["watermark"] for row in crm.history()]
    fault = crm.faults[how]
    crm.break_page(2, fault, reading, lasting=True)
    row = failed(crm, fault.error, **flags)
    assert row["reason"] == fault.error.reason
    crm.mend()
    again = crm.sync(**flags)
    assert again.status == "success"
    assert again.resumed == (row["checkpoint"] is not None)
    assert crm.wrong() == []
    assert [row["watermark"] for row in crm.history()][: len(before)] == before


@with_each("absences")
def test_what_never_was_here_is_not_available_and_what_was_has_failed(
    crm: Subject, how: str
) -> None:
    absence = crm.absences[how]
    crm.refuse(absence)
    row = failed(crm, NotAvailable)
    assert (row["kind"], row["reason"]) == ("unavailable", absence.error.reason)
    crm.mend()
    assert crm.sync().status == "success"
    assert crm.wrong() == []
    crm.refuse(absence)
    row = failed(crm, absence.error, full=True)
    assert (row["kind"], row["reason"]) == ("sync", absence.error.reason)
    crm.mend()
    assert crm.sync(full=True).status == "success"
    assert crm.wrong() == []


@with_each("faults")
def test_a_page_that_fails_once_is_asked_for_again(crm: Subject, how: str) -> None:
    fault = crm.faults[how]
    crm.break_page(3, fault, "full", lasting=False)
    if not fault.retried:
        failed(crm, fault.error)
        return
    assert crm.sync().status == "success"
    assert crm.wrong() == []
    metrics = crm.history()[-1]["performance_metrics"]
    assert metrics["retries"] + metrics.get("rate_limit_hits", 0) == 1
    assert crm.waits, "without a pause"


@with_each_reading()
def test_a_sync_resumes_after_each_page_and_reads_no_stored_one_again(
    crm: Subject, reading: Reading
) -> None:
    flags = prepared(crm, reading)
    fault = next(iter(crm.faults.values()))
    start = crm.rows() if reading == "delta" else {}
    crm.pass_time(60)
    pages = crm.count_pages(reading)
    crm.sync(**flags)
    expected, all_pages = None, pages()
    assert all_pages > crm.count // PAGE - 1
    for number in each_page(crm.count // PAGE):
        if reading == "full":
            crm.forget()
        else:
            crm.pass_time(60)
            crm.touch(crm.keys(), f"turn {number}")
            crm.pass_time(60)
        crm.break_page(number, fault, reading, lasting=True)
        row = failed(crm, fault.error, **flags)
        assert row["records_processed"] == crm.read_by(number - 1, reading)
        crm.mend()
        pages = crm.count_pages(reading)
        again = crm.sync(**flags)
        assert again.resumed
        assert pages() == all_pages - (number - 1)
        assert crm.wrong() == []
        expected = expected or again.counts.processed
        assert again.counts.processed == expected, "counted as if nothing had happened"
    assert start.keys() <= crm.rows().keys()


@who_can("delta")
def test_a_resumed_sync_takes_its_watermark_from_its_first_attempt(crm: Subject) -> None:
    """Its early pages are that old: what changed on them meanwhile comes with the next delta."""
    fault = next(iter(crm.faults.values()))
    crm.break_page(4, fault, "full", lasting=True)
    begun = crm.now()
    failed(crm, fault.error)
    crm.mend()
    first, *_ = crm.keys()
    crm.pass_time(60)
    crm.edit(first, {crm.column: "Meanwhile"})
    crm.pass_time(2 * HOUR)
    again = crm.sync()
    assert again.resumed
    assert again.watermark is not None
    assert again.watermark <= begun
    assert crm.appends or crm.row(first)[crm.column] != "Meanwhile"
    crm.sync()
    assert crm.wrong() == []


@who_can("pause")
def test_a_pause_is_kept_as_long_as_the_source_says(crm: Subject) -> None:
    crm.pause_page(3, 7, lasting=False)
    assert crm.sync().status == "success"
    assert 7.0 in crm.waits
    assert crm.history()[-1]["performance_metrics"]["rate_limit_hits"] == 1
    assert crm.wrong() == []


@pytest.mark.parametrize("seconds", [7, 86_400])
@who_can("pause")
def test_a_pause_that_is_too_long_defers_the_sync_and_is_no_success(
    crm: Subject, seconds: int
) -> None:
    crm.pause_page(3, seconds, lasting=True)
    row = failed(crm, Deferred)
    assert row["error_message"].startswith("deferred until")
    assert row["reason"] == "quota"
    assert row["checkpoint"] is not None
    assert sum(crm.waits) < 900, "no longer than a sync may wait"
    crm.mend()
    assert crm.sync().resumed
    assert crm.wrong() == []


@who_can("credentials")
def test_wrong_credentials_name_their_variable_and_are_told_to_nobody(
    crm: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    variable = crm.give_wrong_credentials(SECRET)
    crm.connect()
    with caplog.at_level("DEBUG"), pytest.raises(Unauthorized, match=variable) as raised:
        crm.sync()
    (row,) = crm.history()
    assert (row["status"], row["reason"], row["watermark"]) == ("failed", "auth", None)
    assert variable in row["error_message"]
    assert "canary" not in f"{row} {raised.value} {caplog.text}"


def test_a_source_that_is_not_there_fails_and_the_next_sync_is_free_to_run(crm: Subject) -> None:
    back = crm.point_nowhere()
    crm.configure(max_attempts=3)
    crm.connect()
    row = failed(crm, SyncError)
    assert row["reason"] == "system"
    assert len(crm.waits) >= 2, "it was tried again"
    back()
    crm.connect()
    assert crm.sync().status == "success"
    assert crm.wrong() == []


@pytest.mark.parametrize("page", [1, 3, 6])
@pytest.mark.parametrize("lie", ["empty", "short"])
@who_can("lie")
def test_a_page_that_leaves_records_out_loses_and_deletes_nobody(
    crm: Subject, lie: str, page: int
) -> None:
    """In a first sync, a full one, and one that replaces the table."""
    for flags in ({}, {"full": True}, {"full": True, "force": True}):
        crm.lie_at(page, lie)  # type: ignore[arg-type]
        told = crm.sync(**flags)
        assert (told.status, told.counts.deleted) == ("success", 0)
        assert crm.wrong() == []
        crm.mend()


@who_can("lie")
def test_what_a_lie_hid_is_as_new_as_what_it_did_not(crm: Subject) -> None:
    """A full sync moves the watermark: no delta would bring what changed before it."""
    lived(crm)
    crm.pass_time(HOUR)
    crm.lie_at(3, "short")
    assert crm.sync(full=True).counts.updated == crm.count
    assert crm.wrong() == []


def test_a_sync_that_fails_for_good_leaves_no_lock(crm: Subject) -> None:
    fault = next(iter(crm.faults.values()))
    crm.break_page(1, fault, "full", lasting=True)
    for _ in range(2):
        failed(crm, fault.error)
    crm.mend()
    with pytest.raises(FatalError, match="is not a date"):
        crm.sync(start_date="yesterday")
    assert crm.sync().status == "success"
    assert crm.wrong() == []
