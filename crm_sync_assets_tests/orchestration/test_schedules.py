"""The job and the schedule of a CRM: one run for everything, and one failure stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.cli.entities import again
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Resweep
from crm_sync_assets.declarations.overrides import settings_for, unknown_overrides
from crm_sync_assets.declarations.switches import is_in_all
from crm_sync_assets.definitions import build
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.assets import description
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.partitions import partitions_of
from crm_sync_assets.orchestration.schedules import build_resweeps
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, instance_in, today
from crm_sync_assets_tests.scripted import CALLS, CRM, PEOPLE, THINGS, FakeClient, history, person
from crm_sync_assets_tests.truth import differences


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    environment.setenv("CRM_SYNC_FIRST_DAY", last_month())
    with instance_in(tmp_path) as instance:
        yield Runs(instance)


def last_month() -> str:
    return f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m-01}"


def tick(runs: Runs, schedule_name: str = "hubspot_hourly_delta") -> dg.ExecuteInProcessResult:
    """What the daemon does at that hour: evaluate the schedule, launch what it asks for."""
    definitions = build()
    schedule = definitions.resolve_schedule_def(schedule_name)
    context = dg.build_schedule_context(
        instance=runs.instance,
        repository_def=definitions.get_repository_def(),
        scheduled_execution_time=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    )
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    return definitions.resolve_job_def(schedule.job_name).execute_in_process(
        run_config=request.run_config,
        partition_key=request.partition_key,
        tags={**request.tags, "dagster/schedule_name": schedule.name},
        instance=runs.instance,
        raise_on_error=False,
    )


def empty_partitions(runs: Runs) -> list[str]:
    """Partitions of HubSpot's entities that the catalogue shows as missing."""
    return [
        f"{entity.sync_type} {key}"
        for entity in registry.entities("hubspot")
        if entity.in_all and (partitioned := partitions_of(entity))
        for key in set(partitioned.get_partition_keys())
        - runs.instance.get_materialized_partitions(asset_key(entity))
    ]


def test_every_crm_has_a_delta_and_a_full_read_that_are_off_until_switched_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, status in (("", "STOPPED"), ("on", "RUNNING")):
        if given:
            monkeypatch.setenv("CRM_SYNC_SCHEDULES", given)
        definitions = build()
        for schedule in definitions.schedules or ():
            assert isinstance(schedule, dg.ScheduleDefinition)
            if schedule.name != "prune_history_nightly":
                assert schedule.default_status.value == status, schedule.name
        for crm in registry.crms().values():
            delta = definitions.resolve_schedule_def(f"{crm.name}_hourly_delta")
            assert delta.cron_schedule == f"{crm.minute} * * * *"
            assert delta.execution_timezone == "UTC"
            # What is read whole by each delta needs no other schedule for that.
            if any(e.tracks_changes and is_in_all(crm, e) for e in registry.entities(crm.name)):
                full = definitions.resolve_schedule_def(f"{crm.name}_weekly_full")
                assert full.cron_schedule == f"{(crm.minute + 30) % 60} 2 * * 0"
                assert full.execution_timezone == "UTC"
            taken = definitions.resolve_job_def(f"{crm.name}_all").asset_layer
            assert {key.path[1] for key in taken.executable_asset_keys} == {
                entity.sync_type for entity in registry.entities(crm.name) if is_in_all(crm, entity)
            }


def test_the_environment_says_when_a_crm_is_synced_and_that_it_never_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRM_SYNC_HUBSPOT__SCHEDULE", "*/20 6-20 * * 1-5")
    monkeypatch.setenv("CRM_SYNC_HUBSPOT__FULL_SCHEDULE", "Off")
    settings_for(registry.crm("hubspot"))
    assert unknown_overrides(registry.crms(), registry.all_entities()) == []
    repository = build().get_repository_def()
    assert repository.get_schedule_def("hubspot_hourly_delta").cron_schedule == "*/20 6-20 * * 1-5"
    assert not repository.has_schedule_def("hubspot_weekly_full")
    monkeypatch.setenv("CRM_SYNC_HUBSPOT__SCHEDULE", "hourly-ish")
    with pytest.raises(UsageError, match="CRM_SYNC_HUBSPOT__SCHEDULE is 'hourly-ish', which is no"):
        build()
    monkeypatch.setenv("CRM_SYNC_HUBSPOT__CONTACTS__SCHEDULE", "0 1 * * *")
    form, whole = sorted(unknown_overrides(registry.crms(), registry.all_entities()), key=len)
    assert "that is said of a whole CRM, CRM_SYNC_HUBSPOT__SCHEDULE" in form
    assert "is 'hourly-ish', which is no cron" in whole


def test_a_tick_syncs_everything_and_the_next_one_is_a_delta(
    sandbox: Any, runs: Runs, warehouse: Warehouse
) -> None:
    assert tick(runs).success
    first = history(warehouse)
    expected = {entity.sync_type for entity in registry.selection("hubspot")}
    assert {row["sync_type"] for row in first} == expected
    assert {row["status"] for row in first} == {"success"}
    assert all(row["watermark"] is not None for row in first)
    assert differences(sandbox, warehouse) == []
    assert empty_partitions(runs) == []
    order = [row["sync_type"] for row in first]
    assert order[:4] == ["divisions", "contacts", "appointments", "deals"]
    assert tick(runs).success
    second = history(warehouse)[len(first) :]
    tracking = {
        entity.sync_type for entity in registry.entities("hubspot") if entity.tracks_changes
    }
    assert {
        row["sync_type"] for row in second if row["configuration"]["strategy"] == "incremental"
    } == tracking & expected
    # For the month before: windows where there are partitions, everything where there are none.
    past = (
        build()
        .resolve_job_def("hubspot_all")
        .execute_in_process(partition_key=last_month(), instance=runs.instance)
    )
    assert past.success
    third = history(warehouse)[len(first) + len(second) :]
    for row in third:
        assert (row["watermark"] is None) == (row["sync_type"] in tracking), row["sync_type"]
    assert tick(runs, "hubspot_weekly_full").success
    whole = history(warehouse)[len(first) + len(second) + len(third) :]
    assert {(row["sync_type"], row["configuration"]["strategy"]) for row in whole} == {
        (name, "full") for name in tracking & expected
    }
    assert all(row["watermark"] is not None for row in whole)
    assert today() not in {row["configuration"]["since"] for row in second}


def test_one_entity_that_fails_stops_no_other_and_the_run_is_a_failure(
    sandbox: Any, runs: Runs, warehouse: Warehouse
) -> None:
    sandbox.faults.add("/products", "all", status=404, body="not_found")
    result = tick(runs)
    assert not result.success
    run = runs.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    ended = {row["sync_type"]: row["status"] for row in history(warehouse)}
    assert [name for name, status in ended.items() if status != "success"] == ["products"]
    assert len(ended) == len(registry.selection("hubspot"))


# What is read again now and then

SWEPT = (
    replace(PEOPLE, resweeps=(Resweep("weekly", timedelta(days=90)), Resweep("monthly"))),
    replace(THINGS, resweeps=(Resweep("weekly"),)),
    CALLS,
)


def resweep(runs: Runs, cadence: str, at: datetime) -> dg.ExecuteInProcessResult:
    """What the daemon does at that moment."""
    schedules = list(build_resweeps(CRM, SWEPT))
    definitions = dg.Definitions.merge(runs.definitions(), dg.Definitions(schedules=schedules))
    schedule = definitions.resolve_schedule_def(f"test_{cadence}_resweep")
    context = dg.build_schedule_context(instance=runs.instance, scheduled_execution_time=at)
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    return definitions.resolve_job_def(schedule.job_name).execute_in_process(
        run_config=request.run_config,
        tags={**request.tags, "dagster/schedule_name": schedule.name},
        instance=runs.instance,
        raise_on_error=False,
    )


def test_resweeps_are_off_until_switched_on_and_say_what_they_read() -> None:
    weekly, monthly = build_resweeps(CRM, SWEPT)
    assert [weekly.name, monthly.name] == ["test_weekly_resweep", "test_monthly_resweep"]
    assert [weekly.cron_schedule, monthly.cron_schedule] == ["15 4 * * 0", "15 5 1 * *"]
    for schedule in (weekly, monthly):
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
        assert schedule.execution_timezone == "UTC"
    assert "people (90 days back), things (whole)" in (weekly.description or "")
    assert "weekly 90 days back, monthly whole" in description(SWEPT[0])
    assert "- `people`: weekly 90 days back, monthly whole" in again(SWEPT)
    assert list(build_resweeps(CRM, (PEOPLE, THINGS))) == []
    assert again((PEOPLE, THINGS)) == []


def test_a_resweep_reads_back_from_its_day_and_the_whole_of_what_has_no_windows(
    runs: Runs, warehouse: Warehouse
) -> None:
    runs.entities = SWEPT
    runs.source.client = client = FakeClient([person(n) for n in range(3)])
    assert runs.run(*SWEPT[:2]).success
    first = history(warehouse)
    client.records[1], client.now = person(1, at=9), datetime.now(UTC)
    sunday = datetime(2026, 11, 22, 4, 15, tzinfo=UTC)
    assert resweep(runs, "weekly", sunday).success
    people, things = sorted(history(warehouse)[len(first) :], key=lambda row: row["sync_type"])
    assert people["configuration"]["strategy"] == "manual"
    assert people["configuration"]["since"].startswith("2026-08-24T00:00:00")
    assert people["configuration"]["until"] is None
    assert people["watermark"] > min(row["watermark"] for row in first)
    assert (people["sync_type"], people["records_updated"]) == ("people", 1)
    assert things["configuration"]["strategy"] == "full"
    assert resweep(runs, "monthly", datetime(2026, 12, 1, 5, 15, tzinfo=UTC)).success
    last = history(warehouse)[-1]
    assert (last["sync_type"], last["configuration"]["strategy"]) == ("people", "full")
