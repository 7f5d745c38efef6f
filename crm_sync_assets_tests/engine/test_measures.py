"""What a row of SyncHistory tells of its work; what a sync does to the collector of garbage is
undone, however it ends.
"""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest

from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.engine.measures import (
    COLLECT_EVERY,
    Timing,
    collecting_nothing,
    collecting_rarely,
    common,
    metrics,
)
from crm_sync_assets.warehouse.counts import Counts

COUNTS = Counts(processed=40, created=5, updated=6, unchanged=19, failed=10, deleted=2, warnings=3)


def test_any_work_tells_of_its_time_its_records_and_its_calls() -> None:
    told = {
        "duration_seconds": 4.0,
        "records_per_second": 10.0,
        "success_rate": 0.75,
        "unchanged": 19,
        "deleted": 2,
        "warnings": 3,
    }
    assert common(COUNTS, 4.0) == told
    asked = common(COUNTS, 4.0, usage=Usage(api_calls=7, quota_units=30))
    assert asked == {**told, "api_calls": 7, "quota_units": 30}
    assert common(Counts(), 0.0)["success_rate"] == 1.0


def test_a_sync_tells_the_same_and_its_speed_is_that_of_this_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Timing, "elapsed", 4.0)
    usage = Usage(api_calls=7)
    told = metrics(COUNTS, carried=Counts(processed=12), usage=usage, timing=Timing())
    assert told.items() >= common(COUNTS, 4.0, usage=usage, carried=12).items()
    assert (told["records_per_second"], told["records_per_api_call"]) == (7.0, 4.0)


def test_garbage_is_looked_for_rarely_meanwhile_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    meanwhile = before
    with suppress(ZeroDivisionError), collecting_rarely():
        meanwhile = gc.get_threshold()
        raise ZeroDivisionError
    assert meanwhile[0] == COLLECT_EVERY
    assert gc.get_threshold() == before


def test_what_was_imported_meanwhile_is_not_looked_through_afterwards() -> None:
    kept: list[list[int]] = []
    was_on = True
    try:
        with suppress(ZeroDivisionError), collecting_nothing():
            was_on = gc.isenabled()
            kept += [[number] for number in range(1000)]
            raise ZeroDivisionError
        assert (was_on, gc.isenabled()) == (False, True)
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()
