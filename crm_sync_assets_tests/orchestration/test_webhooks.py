"""What webhooks told is read by runs that a sensor starts; nothing of it is a materialization."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.webhooks import Event
from crm_sync_assets.definitions import build
from crm_sync_assets.operations import webhook_prospects as module
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import locks, webhook_events
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Received
from crm_sync_assets_tests.runs import instance_in
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs

KEY = dg.AssetKey(["hubspot", "contacts"])
_numbers = iter(range(10**9))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_in(tmp_path) as found:
        yield found


@pytest.fixture
def syncs(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    found = HubSpotSyncs()
    found.sync("contacts")
    yield found
    found.close()


def tell(warehouse: Warehouse, entity: str, *ids: str | None, happened: Any = "changed") -> None:
    received = []
    for one in ids:
        event = Event(f"{next(_numbers)}", "x", entity, (one,) if one else (), happened)
        received.append(Received("hubspot", event))
    with warehouse.connection() as connection:
        webhook_events.add(connection, received, None)
        connection.commit()


def tick(instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str | None]:
    definitions = build()
    context = dg.build_sensor_context(
        instance=instance,
        resources={"warehouse": WarehouseResource()},
        definitions=definitions,
    )
    found = definitions.resolve_sensor_def("webhooks").evaluate_tick(context)
    return list(found.run_requests or ()), found.skip_message


def test_the_sensor_is_on_once_a_secret_is_set(environment: pytest.MonkeyPatch) -> None:
    sensor = build().resolve_sensor_def("webhooks")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    environment.setenv("CALLRAIL_WEBHOOK_KEY_FILE", "/nowhere")
    sensor = build().resolve_sensor_def("webhooks")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 5
    repository = build().get_repository_def()
    for name, crm in registry.crms().items():
        assert repository.has_job(f"{name}_webhooks") is (crm.webhooks is not None)
        assert not repository.has_schedule_def(f"{name}_webhooks")


def test_what_was_told_is_read_by_one_run_per_crm(
    syncs: HubSpotSyncs, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    warehouse = syncs.warehouse
    assert tick(instance) == ([], "0 events are pending")
    contact = sandbox.hubspot.create("contacts", {"firstname": "Ann"})
    tell(warehouse, "contacts", contact)
    tell(warehouse, "deals", "1")
    tell(warehouse, "no_such", "1")
    (request,), _ = tick(instance)
    assert request.job_name == "hubspot_webhooks"
    config = request.run_config["ops"]["webhooks_hubspot"]["config"]
    assert config == {"entities": ["contacts"]}, "deals were never synced"
    job = build().resolve_job_def("hubspot_webhooks")
    before = len(history(warehouse))
    done = job.execute_in_process(run_config=request.run_config, instance=instance)
    assert done.success
    query = "SELECT firstname FROM hubspot_contact WHERE id = %s"
    assert rows(warehouse, query, contact) == [("Ann",)]
    (row,) = history(warehouse)[before:]
    assert (row["kind"], row["run_id"], row["watermark"]) == ("webhook", done.run_id, None)
    assert instance.get_latest_materialization_event(KEY) is None
    assert instance.get_materialized_partitions(KEY) == set()
    (record,) = instance.fetch_observations(KEY, limit=1).records
    assert record.asset_observation
    assert "1 events: 1 created" in str(record.asset_observation.metadata["webhooks"].value)
    assert rows(
        warehouse, "SELECT entity, status FROM ingestion_webhook_event ORDER BY id"
    ) == [("contacts", "done"), ("deals", "pending"), ("no_such", "ignored")]  # fmt: skip


def test_while_a_run_is_under_way_no_other_is_started(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance
) -> None:
    tell(syncs.warehouse, "contacts", "1")
    assert len(tick(instance)[0]) == 1
    job = build().resolve_job_def("hubspot_webhooks")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    why = "hubspot: a run of hubspot_webhooks is under way"
    assert tick(instance) == ([], f"1 events are pending; {why}")
    instance.report_run_canceled(run)
    assert len(tick(instance)[0]) == 1


def ended(warehouse: Warehouse, ago: timedelta) -> None:
    """The sync was so long ago."""
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET start_time = now() - %s, end_time = now() - %s, "
            "watermark = watermark - %s::interval",
            (ago + timedelta(minutes=1), ago, ago),
        )
        connection.commit()


def test_what_names_no_record_starts_a_delta_once(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance
) -> None:
    warehouse = syncs.warehouse
    ended(warehouse, timedelta(minutes=1))
    tell(warehouse, "contacts", None)
    tell(warehouse, "deals", None)
    assert tick(instance)[0] == [], "not one delta after the other"
    ended(warehouse, timedelta(hours=1))
    (request,), _ = tick(instance)
    assert (request.job_name, request.asset_selection) == ("hubspot_all", [KEY])
    assert request.partition_key == f"{datetime.now(UTC):%Y-%m-01}"
    (again,), _ = tick(instance)
    assert again.run_key == request.run_key, "Dagster starts a key once"
    begun = syncs.sync("contacts")
    assert tick(instance)[0] == [], "one has begun since"
    ended(warehouse, timedelta(minutes=30))
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_webhook_event SET received_at = now() - interval '32 minutes'"
        )
        connection.commit()
    (late,), _ = tick(instance)
    assert late.run_key != request.run_key, "HubSpot's index may have been late for it"
    assert f"after sync {begun.sync_id}" in str(late.run_key)


def test_a_burst_starts_a_delta(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(syncs.warehouse, timedelta(hours=1))
    tell(syncs.warehouse, "contacts", *map(str, range(10)))
    assert [one.job_name for one in tick(instance)[0]] == ["hubspot_webhooks"]
    monkeypatch.setattr(module, "MOST", 5)
    assert [one.job_name for one in tick(instance)[0]] == ["hubspot_all"], "no turn could read it"
    tell(syncs.warehouse, "contacts", "1", happened="deleted")
    both = ["hubspot_webhooks", "hubspot_all"]
    assert [one.job_name for one in tick(instance)[0]] == both, "no delta sees that it is gone"


def test_an_entity_that_fails_fails_the_run_and_no_other_entity(
    syncs: HubSpotSyncs,
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    environment: pytest.MonkeyPatch,
) -> None:
    syncs.sync("companies")
    environment.setenv("CRM_SYNC_HUBSPOT__MAX_ATTEMPTS", "1")
    sandbox.faults.add("/crm/v3/objects/contacts/batch/read", range(1, 50), status=500)
    company = sandbox.hubspot.create("companies", {"name": "Acme"})
    tell(syncs.warehouse, "contacts", sandbox.hubspot.ids("contacts")[0])
    tell(syncs.warehouse, "companies", company)
    job = build().resolve_job_def("hubspot_webhooks")
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    assert rows(
        open_warehouse(), "SELECT entity, status, attempts FROM ingestion_webhook_event ORDER BY id"
    ) == [("contacts", "pending", 0), ("companies", "done", 0)]  # fmt: skip


def test_a_record_that_cannot_be_read_is_told_by_the_run(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance
) -> None:
    tell(syncs.warehouse, "contacts", "1/2")
    job = build().resolve_job_def("hubspot_webhooks")
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    (failure,) = done.get_step_failure_events()
    assert "hubspot.contacts: 1 events could not be read" in str(failure.event_specific_data)


def test_what_names_no_record_is_done_once_a_delta_has_read_it(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance
) -> None:
    tell(syncs.warehouse, "contacts", None)
    with syncs.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_webhook_event SET received_at = "
            "(SELECT max(watermark) FROM ingestion_sync_history) + interval '1 second'"
        )
        connection.commit()
    query = "SELECT status FROM ingestion_webhook_event"
    tick(instance)
    assert rows(syncs.warehouse, query) == [("pending",)]
    with syncs.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET watermark = watermark + interval '1 minute'"
        )
        connection.commit()
    assert tick(instance) == ([], "0 events are pending")
    assert rows(syncs.warehouse, query) == [("done",)]


def test_no_run_is_started_that_can_do_nothing(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance
) -> None:
    """The sensor says what the events wait for."""
    warehouse = syncs.warehouse
    tell(warehouse, "deals", "1")
    first = "hubspot.deals: it was never synced completely; do that first"
    assert tick(instance) == ([], f"1 events are pending; {first}")
    tell(warehouse, "contacts", "1")
    with warehouse.connection() as connection:
        locks.take(connection, locks.entity("hubspot.contacts"))
        running = "hubspot.contacts: a sync of it is running"
        assert tick(instance) == ([], f"2 events are pending; {first}; {running}")
        locks.take(connection, locks.passing("hubspot.contacts"))
        passing = "hubspot.contacts: another turn at it is under way"
        assert tick(instance) == ([], f"2 events are pending; {first}; {passing}")
        for name in (locks.passing("hubspot.contacts"), locks.entity("hubspot.contacts")):
            locks.release(connection, name)
        connection.commit()
    (request,), _ = tick(instance)
    config = request.run_config["ops"]["webhooks_hubspot"]["config"]
    assert config == {"entities": ["contacts"]}


def test_a_burst_is_settled_without_a_run(
    syncs: HubSpotSyncs, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    tell(syncs.warehouse, "contacts", *map(str, range(10)))
    left = "hubspot.contacts: 10 events wait for a delta"
    assert tick(instance) == ([], f"10 events are pending; {left}"), "one has just ended"
    with syncs.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET watermark = now() + interval '1 minute', "
            "start_time = now() + interval '1 minute', end_time = now() + interval '2 minutes'"
        )
        connection.commit()
    assert tick(instance) == ([], "0 events are pending")
    query = "SELECT DISTINCT status FROM ingestion_webhook_event"
    assert rows(syncs.warehouse, query) == [("done",)]
