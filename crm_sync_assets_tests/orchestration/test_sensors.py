"""The sensor: every materialization has its row, exactly once, and no dead run has a live one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.definitions import build
from crm_sync_assets.engine.run import drain
from crm_sync_assets.orchestration import sensors
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, instance_in
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    THINGS,
    FakeClient,
    history,
    person,
    rows,
    start,
    sync,
)

KEY = asset_key(PEOPLE)


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance, entities=(PEOPLE, THINGS))


class Ticks:
    """The daemon's part: evaluates the sensor and keeps its cursor between ticks."""

    def __init__(self, instance: dg.DagsterInstance, entities: Sequence[Entity]) -> None:
        self.instance = instance
        self.sensor = sensors.build_sensor(entities)
        self.cursor: str | None = None

    def __call__(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"warehouse": WarehouseResource()},
        )
        result = self.sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return str(result.skip_message)


@pytest.fixture
def tick(runs: Runs) -> Ticks:
    return Ticks(runs.instance, [PEOPLE, THINGS])


def report(runs: Runs, key: dg.AssetKey = KEY, **metadata: Any) -> None:
    runs.instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=metadata))


def test_the_sensor_of_the_project_runs_by_itself_over_every_entity() -> None:
    sensor = build().resolve_sensor_def("sync_history")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 30


# Mirrored materializations


def test_a_report_from_outside_gets_a_row_without_a_watermark_once(
    runs: Runs, tick: Ticks, warehouse: Warehouse
) -> None:
    report(runs)
    assert tick() == "1 materializations mirrored, 0 rows closed"
    (row,) = history(warehouse)
    assert (row["crm_source"], row["sync_type"], row["status"]) == ("test", "people", "success")
    assert row["watermark"] is None
    assert row["end_time"] is not None
    assert tick() == "0 materializations mirrored, 0 rows closed"
    tick.cursor = None
    assert tick() == "0 materializations mirrored, 0 rows closed"
    report(runs)
    assert tick() == "1 materializations mirrored, 0 rows closed"
    assert len(history(warehouse)) == 2


def test_the_next_delta_does_not_believe_a_report_from_outside(
    runs: Runs, tick: Ticks, warehouse: Warehouse
) -> None:
    report(runs)
    tick()
    client = FakeClient([person(1)])
    sync(warehouse, client)
    assert client.reads[0].strategy.name == "initial_full"


def test_a_run_that_has_its_row_is_not_mirrored(
    runs: Runs, tick: Ticks, warehouse: Warehouse
) -> None:
    runs.source.client = FakeClient([person(1)])
    runs.run()
    runs.run(days=("2026-03-01", "2026-03-05"))
    assert tick() == "0 materializations mirrored, 0 rows closed"
    assert len(history(warehouse)) == 2


@pytest.mark.parametrize("noticed_before", [False, True])
def test_lost_rows_are_written_again_once_each(
    runs: Runs, tick: Ticks, warehouse: Warehouse, noticed_before: bool
) -> None:
    """SyncHistory was restored from a backup. A run over five days is one sync, not five."""
    runs.source.client = FakeClient([person(n) for n in range(3)])
    runs.run()
    kept = runs.run()
    runs.run()
    runs.run(days=("2026-03-01", "2026-03-05"))
    if noticed_before:
        tick()
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_sync_history WHERE run_id <> %s", (kept.run_id,))
        connection.commit()
    assert tick() == "3 materializations mirrored, 0 rows closed"
    mirrored = [row for row in history(warehouse) if row["endpoint"] == "mirrored"]
    assert [row["records_processed"] for row in mirrored] == [3, 3, 3]
    assert [row["records_created"] for row in mirrored] == [3, 0, 0]
    assert {row["watermark"] for row in mirrored} == {None}
    tick.cursor = None
    assert tick() == "0 materializations mirrored, 0 rows closed"


def test_a_row_that_only_has_the_same_number_is_no_row_of_that_sync(
    runs: Runs, tick: Ticks, warehouse: Warehouse
) -> None:
    """After a restore the numbers of lost syncs are given out again."""
    sync(warehouse, FakeClient([person(1)]))
    sync(warehouse, FakeClient([person(1)]), THINGS)
    for sync_id in (1, 2):
        report(runs, sync_id=sync_id)
    assert tick() == "2 materializations mirrored, 0 rows closed"


@pytest.mark.parametrize("metadata", [{"sync_id": "seven"}, {"sync_id": -1}, {"sync_id": 10**30}])
def test_odd_metadata_from_outside_stops_nothing(
    runs: Runs, tick: Ticks, warehouse: Warehouse, metadata: dict[str, Any]
) -> None:
    report(runs, **metadata, records_processed_by_this_run="many", status="brilliant")
    assert tick() == "1 materializations mirrored, 0 rows closed"
    assert history(warehouse)[0]["records_processed"] == 0


def test_more_events_than_a_page_are_all_mirrored(
    runs: Runs, tick: Ticks, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(sensors.PAGE + 20):
        report(runs)
    report(runs, asset_key(THINGS))
    assert tick() == "121 materializations mirrored, 0 rows closed"
    found = rows(
        warehouse,
        "SELECT sync_type, count(*) FROM ingestion_sync_history GROUP BY 1 ORDER BY 1",
    )
    assert found == [("people", 120), ("things", 1)]
    # A tick that is out of time leaves the rest to the next one.
    report(runs)
    monkeypatch.setattr(sensors, "TICK_SECONDS", 0)
    assert tick() == "0 materializations mirrored, 0 rows closed"
    monkeypatch.undo()
    assert len(history(warehouse)) == 121


def test_a_tick_with_nothing_new_asks_dagster_one_question(
    runs: Runs, tick: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Ticks(runs.instance, list(registry.all_entities().values()))
    report(runs, dg.AssetKey(["hubspot", "contacts"]))
    tick()
    asked = []
    for name in ("get_asset_records", "fetch_materializations", "get_run_by_id"):
        real = getattr(dg.DagsterInstance, name)

        def counting(*args: Any, _name: str = name, _real: Any = real, **more: Any) -> Any:
            asked.append(_name)
            return _real(*args, **more)

        monkeypatch.setattr(dg.DagsterInstance, name, counting)
    tick()
    assert asked == ["get_asset_records"]


# Dead runs


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED], ids=lambda s: s.value
)
def test_the_row_of_a_run_that_ended_is_closed_though_its_process_lives(
    runs: Runs, tick: Ticks, warehouse: Warehouse, status: dg.DagsterRunStatus
) -> None:
    run = create_run_for_test(runs.instance, "hubspot_all", status=status)
    begun = start(warehouse, FakeClient([person(1)]), run_id=run.run_id)
    assert tick() == "0 materializations mirrored, 1 rows closed"
    (row,) = history(warehouse)
    assert row["status"] == "failed"
    assert f"its Dagster run ended as {status.value}" in row["error_message"]
    assert tick() == "0 materializations mirrored, 0 rows closed"
    begun.session.release()


def test_the_row_of_a_process_that_died_is_closed(
    runs: Runs, tick: Ticks, warehouse: Warehouse
) -> None:
    run = create_run_for_test(runs.instance, "hubspot_all", status=dg.DagsterRunStatus.STARTED)
    begun = start(warehouse, FakeClient([person(1)]), run_id=run.run_id)
    assert tick() == "0 materializations mirrored, 0 rows closed", "it is alive"
    begun.session._pooled.invalidate()
    deadline = time.monotonic() + 10
    # PostgreSQL notices in its own time that the connection, and with it the lock, is gone.
    while (told := tick()) == "0 materializations mirrored, 0 rows closed":
        assert time.monotonic() < deadline, "nobody closed it"
        time.sleep(0.05)
    assert told == "0 materializations mirrored, 1 rows closed"
    assert "process of this sync died" in history(warehouse)[0]["error_message"]


def test_a_live_sync_is_left_alone(runs: Runs, tick: Ticks, warehouse: Warehouse) -> None:
    run = create_run_for_test(runs.instance, "hubspot_all", status=dg.DagsterRunStatus.STARTED)
    begun = start(warehouse, FakeClient([person(1)]), run_id=run.run_id)
    tick()
    drain(begun)
    assert history(warehouse)[0]["status"] == "success"


@pytest.fixture
def died(runs: Runs, tick: Ticks, warehouse: Warehouse) -> dg.DagsterRun:
    """A run whose process died and whose code server could not tell, just noticed."""
    run = create_run_for_test(runs.instance, "hubspot_all", status=dg.DagsterRunStatus.STARTED)
    begun = start(warehouse, FakeClient([person(1)]), run_id=run.run_id)
    begun.session._pooled.invalidate()
    until_closed = time.monotonic() + 10
    while history(warehouse)[0]["status"] == "running" and time.monotonic() < until_closed:
        tick()
    return run


def status(runs: Runs, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = runs.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_that_died_unnoticed_is_failed_after_a_silence(
    runs: Runs, tick: Ticks, died: dg.DagsterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    assert status(runs, died) == dg.DagsterRunStatus.STARTED, "it may be about to say something"
    monkeypatch.setattr(sensors, "SILENT_FOR", timedelta(0))
    tick()
    assert status(runs, died) == dg.DagsterRunStatus.FAILURE


def test_a_run_that_speaks_after_its_row_was_closed_is_alive(
    runs: Runs, tick: Ticks, died: dg.DagsterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection was lost, not its process: it is fenced, and goes on with what is left."""
    runs.instance.report_engine_event("the step failed", died)
    monkeypatch.setattr(sensors, "SILENT_FOR", timedelta(0))
    tick()
    assert status(runs, died) == dg.DagsterRunStatus.STARTED
