"""Two runs of one entity: a backfill waits, a scheduled run is skipped, any other is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.errors import AlreadyRunning
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, Source, instance_in, reason
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, history, people, person, rows

SCHEDULED = {"dagster/schedule_name": "test_hourly_delta"}


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance)


class Held(FakeClient):
    """Serves its second page only when it is let go."""

    def __init__(self, count: int) -> None:
        super().__init__([person(n) for n in range(count)])
        self.reading, self.go = threading.Event(), threading.Event()
        self.before_page = self._hold

    def _hold(self, start: int) -> None:
        if start:
            self.reading.set()
            assert self.go.wait(60)


@pytest.fixture
def refused(environment: pytest.MonkeyPatch) -> threading.Event:
    """Set once somebody did not get the lock of an entity."""
    event, real = threading.Event(), sync_history.lock

    def lock(*given: Any) -> None:
        try:
            real(*given)
        except AlreadyRunning:
            event.set()
            raise

    environment.setattr(sync_history, "lock", lock)
    return event


def while_a_delta_runs(
    runs: Runs, meanwhile: Callable[[Runs], Any], until: threading.Event | None = None
) -> tuple[bool, Any]:
    """Whether a delta of 300 people succeeded, and what came of a run begun in the middle of it.

    The delta goes on when that run is over, or at an event.
    """
    held = Held(300)
    slow = replace(runs, source=Source(held))
    with ThreadPoolExecutor(2) as pool:
        delta = pool.submit(slow.run)
        try:
            assert held.reading.wait(60)
            other = pool.submit(meanwhile, replace(runs, source=Source(FakeClient([person(7)]))))
            if until is not None:
                assert until.wait(60)
                held.go.set()
            found = other.result(timeout=60)
        finally:
            held.go.set()
        return delta.result(timeout=60).success, found


def test_a_backfill_waits_for_the_delta_and_both_finish(
    runs: Runs, warehouse: Warehouse, refused: threading.Event
) -> None:
    done, backfill = while_a_delta_runs(
        runs, lambda r: r.run(days=("2026-01-01", "2026-03-31")), until=refused
    )
    assert done
    assert backfill.success
    delta, window = history(warehouse)
    assert (delta["status"], window["status"]) == ("success", "success")
    assert window["start_time"] >= delta["end_time"], "one at a time"
    assert (delta["watermark"] is not None, window["watermark"]) == (True, None)
    assert window["configuration"]["until"].startswith("2026-05-01")
    assert len(people(warehouse)) == 300


def test_a_backfill_waits_no_longer_than_it_may(
    runs: Runs, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CRM_SYNC_TEST__WAIT_SECONDS", "0.2")
    done, backfill = while_a_delta_runs(runs, lambda r: r.run(key="2026-01-01"))
    assert done
    assert not backfill.success
    (delta,) = history(warehouse)
    assert f"sync {delta['id']} of test.people, run {delta['run_id']}" in reason(backfill)


def test_a_scheduled_run_is_skipped_and_names_the_one_that_runs(
    runs: Runs, warehouse: Warehouse
) -> None:
    done, second = while_a_delta_runs(runs, lambda r: r.run(tags=SCHEDULED))
    assert done
    assert second.success
    (delta,) = history(warehouse)
    assert second.asset_materializations_for_node("test__people") == []
    (observed,) = second.get_asset_observation_events()
    said = observed.asset_observation_data.asset_observation.metadata["skipped"].value
    assert f"sync {delta['id']} of test.people, run {delta['run_id']}" in said
    assert observed.asset_key == asset_key(PEOPLE)
    assert rows(warehouse, "SELECT count(*) FROM test_people") == [(300,)]


@pytest.mark.parametrize("config", [{"full": True}, {"start_date": "2026-01-02"}], ids=str)
def test_a_scheduled_resweep_waits_for_the_delta(
    runs: Runs, warehouse: Warehouse, refused: threading.Event, config: dict[str, Any]
) -> None:
    done, again = while_a_delta_runs(
        runs, lambda r: r.run(tags=SCHEDULED, config={**config, "batch_size": 50}), until=refused
    )
    assert done
    delta, sweep = history(warehouse)
    assert sweep["start_time"] >= delta["end_time"]
    assert sweep["configuration"]["strategy"] == ("full" if "full" in config else "manual")
    assert again.success == ("full" not in config), "a full read of 1 of 300 is refused"


def test_a_scheduled_resweep_that_cannot_wait_longer_fails(
    runs: Runs, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CRM_SYNC_TEST__WAIT_SECONDS", "0.2")
    done, again = while_a_delta_runs(runs, lambda r: r.run(tags=SCHEDULED, config={"full": True}))
    assert done
    assert not again.success
    assert len(history(warehouse)) == 1


def test_a_run_by_hand_is_refused_and_names_the_one_that_runs(
    runs: Runs, warehouse: Warehouse
) -> None:
    done, second = while_a_delta_runs(runs, lambda r: r.run())
    assert done
    assert not second.success
    (delta,) = history(warehouse)
    assert f"run {delta['run_id']}" in reason(second)


def test_a_scheduled_run_that_fails_otherwise_fails(runs: Runs, warehouse: Warehouse) -> None:
    result = runs.run(tags=SCHEDULED, config={"batch_size": 0})
    assert not result.success
    assert "batch_size is 0" in reason(result)
    assert history(warehouse) == []
