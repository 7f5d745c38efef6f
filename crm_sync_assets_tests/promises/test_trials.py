"""Runs that only try, or read a part, move nothing; two at once there are not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import AlreadyRunning, SyncError, UsageError
from crm_sync_assets_tests.promises.crms import who_can
from crm_sync_assets_tests.promises.driver import HOUR, NOON, PAGE, Reading, Subject, failed

DAY = timedelta(days=1)
YESTERDAY, TOMORROW = f"{NOON - DAY:%Y-%m-%d}", f"{NOON + DAY:%Y-%m-%d}"
LIMIT = 2 * PAGE + 5

TRIALS: dict[str, dict[str, Any]] = {
    "dry": {"dry_run": True},
    "dry and full": {"dry_run": True, "full": True},
    "dry and replacing": {"dry_run": True, "full": True, "force": True},
    "limited": {"max_records": LIMIT},
    "limited and full": {"max_records": LIMIT, "full": True},
    "limited and replacing": {"max_records": LIMIT, "full": True, "force": True},
}
WINDOWS: dict[str, dict[str, Any]] = {
    "a window": {"start_date": YESTERDAY, "end_date": TOMORROW},
    "up to a day": {"end_date": TOMORROW},
}
PARTIAL = {**TRIALS, **WINDOWS}


def changed(crm: Subject) -> None:
    """Two are gone and the others have changed since the first sync."""
    crm.sync()
    crm.pass_time(HOUR)
    if "vanish" not in crm.lacks:
        for key in crm.keys()[3:5]:
            crm.vanish(key)
    crm.touch(crm.keys(), "changed")


@pytest.mark.parametrize("name", PARTIAL)
def test_a_partial_run_moves_no_watermark_leaves_no_checkpoint_and_deletes_nobody(
    crm: Subject, name: str
) -> None:
    if name in WINDOWS and "delta" in crm.lacks:
        with pytest.raises(UsageError, match="read whole every time"):
            crm.sync(**PARTIAL[name])
        return
    changed(crm)
    before = crm.rows()
    told = crm.sync(**PARTIAL[name])
    assert told.status == "success"
    if name in TRIALS and "dry" in name:
        assert crm.rows() == before
    else:
        assert told.counts.deleted == 0
        assert {k for k, row in crm.rows().items() if row["deleted_at"] is None} >= {
            k for k, row in before.items() if row["deleted_at"] is None
        }
    if "limited" in name:
        assert told.counts.processed == LIMIT
    first, second = crm.history()
    assert (second["watermark"], second["checkpoint"]) == (None, None)
    real = crm.sync()
    since = first["watermark"] - crm.settings.overlap
    assert real.strategy.since == (None if "delta" in crm.lacks else since)
    assert not real.resumed
    assert crm.history()[-1]["watermark"] > first["watermark"]
    crm.sync(full=True)
    assert crm.wrong() == []


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_that_fails_leaves_nothing_to_resume(crm: Subject, name: str) -> None:
    changed(crm)
    flags = TRIALS[name]
    fault = next(iter(crm.faults.values()))
    reading: Reading = "full" if flags.get("full") or "delta" in crm.lacks else "delta"
    crm.break_page(2, fault, reading, lasting=True)
    assert failed(crm, fault.error, **flags)["checkpoint"] is None
    crm.mend()
    assert not crm.sync().resumed
    crm.sync(full=True)
    assert crm.wrong() == []


def test_a_trial_leaves_an_interrupted_sync_to_be_resumed(crm: Subject) -> None:
    fault = next(iter(crm.faults.values()))
    crm.break_page(3, fault, "full", lasting=True)
    failed(crm, fault.error)
    crm.mend()
    crm.sync(dry_run=True)
    assert crm.sync().resumed
    assert crm.wrong() == []


@pytest.mark.parametrize("flags", [{}, {"full": True}, {"full": True, "force": True}], ids=str)
def test_a_dry_run_foretells_the_counts(crm: Subject, flags: dict[str, Any]) -> None:
    changed(crm)
    crm.create(7)
    foretold = crm.sync(**flags, dry_run=True)
    told = crm.sync(**flags)
    assert told.counts == foretold.counts
    assert told.counts.created == 7
    assert told.counts.add_up


@who_can("delta", "versions")
def test_a_window_reads_what_changed_within_it(crm: Subject) -> None:
    crm.sync()
    crm.query(f"TRUNCATE {crm.declared.table}")
    crm.pass_time(HOUR)
    crm.touch(crm.keys()[:9], "within")
    told = crm.sync(start_date=f"{NOON:%Y-%m-%d}", end_date=TOMORROW)
    within = {key for key, row in crm.rows().items() if row[crm.column] == "within"}
    assert within == set(crm.keys()[:9])
    modified = crm.declared.modified
    assert modified is not None
    days = [row[modified.name] for row in crm.rows().values() if row["deleted_at"] is None]
    midnight, margin = NOON.replace(hour=0), timedelta(hours=1)
    assert midnight - margin <= min(days)
    assert max(days) < midnight + DAY + margin
    assert told.counts.processed < crm.count // 2


def test_a_second_sync_at_the_same_time_is_refused_and_names_the_first(crm: Subject) -> None:
    first = crm.begin()
    try:
        with pytest.raises(AlreadyRunning, match=f"sync {first.sync_id} of {crm.declared}"):
            crm.begin(full=True)
        assert len(crm.history()) == 1
    finally:
        drain(first)
    assert first.status == "success"
    assert crm.sync().status == "success"
    assert crm.wrong() == []


def test_a_sync_that_was_declared_dead_writes_no_more(crm: Subject) -> None:
    begun = crm.begin()
    crm.query("UPDATE ingestion_sync_history SET status = 'failed', error_message = 'dead'")
    with pytest.raises(SyncError):
        drain(begun)
    (row,) = crm.history()
    assert (row["status"], row["watermark"]) == ("failed", None)
    assert crm.query("SELECT to_regclass(%s) IS NULL", crm.declared.table) == [(True,)] or (
        crm.rows() == {}
    )
    assert crm.sync().status == "success"
    assert crm.wrong() == []
