"""The assets: what the UI shows of them, which window a run reads, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from crm_sync_assets.cli.entities import noticed
from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags
from crm_sync_assets.definitions import build
from crm_sync_assets.orchestration.assets import build_asset, description, metadata
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.lineage import group_of
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets_tests.runs import Runs, instance_in, reason, this_month, today, told
from crm_sync_assets_tests.scripted import (
    CALLS,
    CRM,
    PEOPLE,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
)

ENTITIES = list(registry.all_entities().values())


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance, unit="day", first_day=date.fromisoformat(ago(12)))


def served(runs: Runs, count: int = 3) -> FakeClient:
    client = FakeClient([person(n) for n in range(count)])
    runs.source.client = client
    return client


def ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days):%Y-%m-%d}"


# What the UI shows


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_every_entity_is_an_asset_that_explains_itself(
    entity: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_SYNC_FIRST_DAY", "2026-02-03")
    crm = registry.crm(entity.crm)
    asset = build_asset(crm, entity)
    spec = asset.get_asset_spec(dg.AssetKey([entity.crm, entity.sync_type]))
    assert entity.about in (spec.description or "")
    assert spec.group_name == group_of(crm, entity)
    assert set(spec.owners) == set(crm.owners) != set()
    assert spec.kinds == {*crm.kinds, "postgres"}
    assert spec.code_version == entity.fingerprint
    assert spec.metadata["dagster/table_name"] == entity.table
    assert asset.op.pool == crm.name
    fields = asset.op.config_schema.config_type.fields  # type: ignore[union-attr]
    own = {flag.name for flag in crm.flags}
    assert set(fields) == {*Flags.model_fields, *OLD_NAMES, *own}
    days = asset.partitions_def
    if not entity.tracks_changes:
        assert days is None
        return
    assert isinstance(days, dg.MonthlyPartitionsDefinition)
    assert days.timezone == "UTC"
    assert days.get_first_partition_key() == "2026-02-01"
    assert days.get_last_partition_key() == this_month()
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_an_entity_with_windows_but_no_versions_is_partitioned_by_them(
    environment: pytest.MonkeyPatch,
) -> None:
    asset = build_asset(CRM, CALLS)
    assert asset.partitions_def is not None
    assert metadata(CALLS, CALLS)["changes_noticed_by"] == "started"
    assert noticed(CALLS) == "started"
    assert "what changed since the last complete sync" in description(CALLS)
    assert build_asset(CRM, THINGS).partitions_def is None


def test_every_asset_shows_all_columns_of_its_table(warehouse: Warehouse) -> None:
    for entity in ENTITIES:
        stored = registry.entity(entity.tombstones_of) if entity.tombstones_of else entity
        schema = metadata(entity, stored)["dagster/column_schema"]
        shown = [column.name for column in schema.columns]
        with warehouse.connection() as connection:
            ensure_table(connection, stored)
            found = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                (entity.table,),
            ).fetchall()
        assert shown == [name for (name,) in found], entity


def test_a_run_tells_how_many_rows_the_table_has(runs: Runs, warehouse: Warehouse) -> None:
    client = served(runs, 7)
    runs.run()
    client.records = [person(9, at=1)]
    result = runs.run()
    assert result.success
    (event,) = told(result)
    found = {name: value.value for name, value in event.metadata.items()}
    assert found["dagster/row_count"] == len(people(warehouse)) == 8
    assert found["created_by_this_run"] == found["records_processed_by_this_run"] == 1
    assert found["sync_id"] == history(warehouse)[-1]["id"]
    assert history(warehouse)[-1]["run_id"] == result.run_id


def test_a_run_tells_what_the_source_calls_its_columns(runs: Runs) -> None:
    served(runs).labels = {"name": "“Full name”"}
    event = runs.run().asset_materializations_for_node("test__people")[-1]
    schema: Any = event.metadata["dagster/column_schema"].value
    told = {column.name: column.description for column in schema.columns}
    assert told["name"] == "text from name; called “Full name”"
    assert told["id"] == "text from id"


def test_a_run_tells_numbers_that_plot_and_where_to_look(
    runs: Runs, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CRM_SYNC_DASHBOARD_URL", "https://boards.example/crm/")
    served(runs, 5)
    *_, event = told(runs.run())
    found = {name: value.value for name, value in event.metadata.items()}
    plots = {name for name, value in found.items() if type(value) in (int, float)}
    assert plots >= {
        "dagster/row_count",
        "created_by_this_run",
        "updated_by_this_run",
        "deleted_by_this_run",
        "failed_in_this_run",
        "duration_seconds_of_this_run",
        "records_per_second_of_this_run",
        "api_calls_of_this_run",
        "watermark_age_hours",
    }
    assert found["records_per_second_of_this_run"] > 0
    assert 0 <= found["watermark_age_hours"] < 1
    assert found["in_the_crm"] == "https://crm.example/people"
    assert found["dashboard"] == "https://boards.example/crm/#test/people"
    assert found["history"] == "crm-sync history --crm=test --entity=people"
    assert "quarantine" not in found
    environment.delenv("CRM_SYNC_DASHBOARD_URL")
    runs.source.client = FakeClient([person(1), {"id": None}])
    *_, event = told(runs.run(config={"full": True}))
    assert "dashboard" not in event.metadata
    quarantine = "crm-sync quarantine list --crm=test --entity=people"
    assert event.metadata["quarantine"].value == quarantine


def test_a_dry_run_does_not_look_like_a_materialization(runs: Runs, warehouse: Warehouse) -> None:
    served(runs)
    result = runs.run(config={"dry_run": True})
    assert result.success
    assert result.asset_materializations_for_node("test__people") == []
    (observation,) = result.asset_observations_for_node("test__people")
    assert observation.metadata["created_by_this_run"].value == 3
    (row,) = history(warehouse)
    assert (row["status"], row["watermark"], row["configuration"]["dry_run"]) == (
        "success",
        None,
        True,
    )
    assert rows(warehouse, "SELECT to_regclass('test_people')") == [(None,)]


# Flags that only one CRM has


def test_the_launchpad_has_a_crms_own_flags_and_the_client_gets_them(
    runs: Runs, warehouse: Warehouse
) -> None:
    company = Flag("company_id", "Only this company's.", entities=("people",))
    runs.crm = replace(CRM, flags=(company, Flag("concurrent_pages", "Pages at once.", int, 4)))
    fields = build_asset(runs.crm, PEOPLE).op.config_schema.config_type.fields  # type: ignore[union-attr]
    assert set(fields) == {*Flags.model_fields, *OLD_NAMES, "company_id", "concurrent_pages"}
    assert fields["company_id"].description == "Only this company's."
    client = served(runs)
    assert runs.run(config={"company_id": "COM1"}).success
    assert client.reads[0].options == {"company_id": "COM1", "concurrent_pages": 4}
    (row,) = history(warehouse)
    assert row["configuration"]["company_id"] == "COM1"
    runs.source.asked = False
    assert "test.things takes no company_id" in reason(runs.run(THINGS, config={"company_id": "C"}))
    assert not runs.source.asked
    assert len(history(warehouse)) == 1


# Which window a run reads


def test_a_start_in_the_future_is_refused_before_anything_is_read(
    runs: Runs, warehouse: Warehouse
) -> None:
    result = runs.run(config={"start_date": ago(-1)})
    assert f"start_date {ago(-1)} is in the future" in reason(result)
    assert not runs.source.asked
    assert history(warehouse) == []


@pytest.mark.parametrize("how", ["no key", "today's key", "a range of today"])
def test_a_run_of_now_is_a_delta_that_moves_the_watermark(
    runs: Runs, warehouse: Warehouse, how: str
) -> None:
    client = served(runs)
    windows: dict[str, dict[str, Any]] = {
        "no key": {},
        "today's key": {"key": today()},
        "a range of today": {"days": (today(), today())},
    }
    window = windows[how]
    assert runs.run(**window).success
    assert runs.run(**window).success
    first, second = history(warehouse)
    assert first["configuration"]["strategy"] == "initial_full"
    assert second["configuration"]["strategy"] == "incremental"
    assert first["watermark"] is not None
    assert client.reads[1].strategy.since == first["watermark"]
    assert second["watermark"] >= first["watermark"]


@pytest.mark.parametrize(
    ("window", "since", "until"),
    [
        pytest.param({"key": ago(7)}, ago(7), ago(6), id="one day"),
        pytest.param({"days": (ago(7), ago(5))}, ago(7), ago(4), id="a range"),
        pytest.param(
            {"days": (ago(7), ago(7))},
            ago(7),
            ago(6),
            id="a range of one day",
        ),
        pytest.param({"days": (ago(2), today())}, ago(2), None, id="up to today"),
    ],
)
def test_past_days_are_a_window_that_leaves_the_watermark_alone(
    runs: Runs, warehouse: Warehouse, window: dict[str, Any], since: str, until: str | None
) -> None:
    client = served(runs)
    runs.run()
    assert runs.run(**window).success
    assert runs.run().success
    first, past, delta = history(warehouse)
    read = client.reads[1].strategy
    assert read.name == "manual"
    assert f"{read.since:%Y-%m-%dT%H:%M}" == f"{since}T00:00"
    assert read.until is not None
    if until:
        assert f"{read.until:%Y-%m-%dT%H:%M}" == f"{until}T00:00"
    else:
        assert f"{read.until:%Y-%m-%d}" > today()
    assert (past["status"], past["watermark"]) == ("success", None)
    assert delta["configuration"]["since"] == first["watermark"].isoformat()


def test_a_first_run_of_past_days_proves_nothing(runs: Runs, warehouse: Warehouse) -> None:
    served(runs)
    assert runs.run(key=ago(7)).success
    assert runs.run().success
    assert history(warehouse)[1]["configuration"]["strategy"] == "initial_full"


def test_what_cannot_say_what_changed_is_read_whole_beside_a_partition(
    runs: Runs, warehouse: Warehouse
) -> None:
    """A job of a whole CRM may be launched for a day: its entities without days go with it."""
    served(runs)
    assert runs.run(PEOPLE, THINGS, key=ago(7)).success
    found = {row["sync_type"]: row["configuration"]["strategy"] for row in history(warehouse)}
    assert found == {"people": "manual", "things": "full"}


def test_one_block_of_flags_is_for_all_entities_of_a_run_but_those_with_their_own(
    runs: Runs, warehouse: Warehouse
) -> None:
    served(runs)
    asked = {"max_records": 1, "start_date": "2026-01-01"}
    assert runs.run(PEOPLE, THINGS, for_all=asked).success
    assert [row["configuration"]["start_date"] for row in history(warehouse)] == [
        "2026-01-01",
        None,
    ]
    assert {row["records_processed"] for row in history(warehouse)} == {1}
    assert runs.run(PEOPLE, for_all=asked, config={"max_records": 2}).success
    assert history(warehouse)[-1]["records_processed"] == 2


# What is refused, before anything is read


@pytest.mark.parametrize(
    ("window", "config", "message"),
    [
        ({}, {"start_date": "01/02/2026"}, "write it as YYYY-MM-DD"),
        ({}, {"end_date": "2026-02-30"}, "'2026-02-30' is not a date"),
        ({}, {"batch_size": 0}, "batch_size is 0: give a number from 1"),
        ({}, {"max_records": -1}, "max_records is -1"),
        ({}, {"full": True, "start_date": "2026-02-01"}, "leave out one of them"),
        ({}, {"start_date": "2026-02-02", "end_date": "2026-02-01"}, "is not before"),
        ({}, {"since": "2026-02-02", "start_date": "2026-02-01"}, "give only start_date"),
        ({"key": ago(7)}, {"start_date": ago(10)}, f"partitions from {ago(7)} to"),
        ({"key": ago(7)}, {"end_date": ago(2)}, f"partitions from {ago(7)} to"),
        ({"key": ago(7)}, {"full": True}, f"partitions from {ago(7)} to"),
        ({"days": (ago(7), ago(6))}, {"full": True}, f"from {ago(7)} to {ago(5)}"),
    ],
)
def test_what_cannot_be_meant_fails_before_anything_is_read(
    runs: Runs,
    warehouse: Warehouse,
    window: dict[str, Any],
    config: dict[str, Any],
    message: str,
) -> None:
    served(runs)
    result = runs.run(**window, config=config)
    assert not result.success
    assert message in reason(result)
    assert not runs.source.asked
    assert history(warehouse) == []


def test_a_window_is_refused_where_nothing_says_what_changed(
    runs: Runs, warehouse: Warehouse
) -> None:
    client = served(runs)
    result = runs.run(THINGS, config={"start_date": ago(10)})
    assert "cannot say what changed" in reason(result)
    assert client.reads == []
    assert history(warehouse) == []


# Clients and secrets, with the real HubSpot client


def hubspot_job() -> Any:
    return build().resolve_implicit_global_asset_job_def()


def test_the_client_is_closed_after_the_run(
    sandbox: Any,
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []
    close = HubSpot.close

    def closing(self: HubSpot) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(HubSpot, "close", closing)
    for config in ({}, {"start_date": "never"}):
        hubspot_job().execute_in_process(
            run_config={"ops": {"hubspot__divisions": {"config": config}}},
            asset_selection=[dg.AssetKey(["hubspot", "divisions"])],
            instance=runs.instance,
            raise_on_error=False,
        )
    assert len(closed) == 1


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_no_secret_is_in_the_events_of_a_run(
    sandbox: Any,
    runs: Runs,
    warehouse: Warehouse,
    environment: pytest.MonkeyPatch,
    accepted: bool,
) -> None:
    if not accepted:
        environment.setenv("HUBSPOT_TOKEN", "pat-na1-a-token-nobody-knows-0815")
    token = os.environ["HUBSPOT_TOKEN"]
    result = hubspot_job().execute_in_process(
        asset_selection=[asset_key(registry.entity("hubspot.divisions"))],
        instance=runs.instance,
        raise_on_error=False,
    )
    assert result.success is accepted
    events = runs.events(result)
    assert "hubspot divisions sync" in events or not accepted
    assert token not in events
    assert token[8:] not in events
    (row,) = history(warehouse)
    assert token not in repr(row)
    if not accepted:
        assert row["status"] == "failed"
        assert "HUBSPOT_TOKEN" in row["error_message"]
        assert row["error_message"].splitlines()[0][:40] in events


def test_what_our_loggers_say_reaches_dagster_without_secrets(
    runs: Runs, environment: pytest.MonkeyPatch
) -> None:
    from crm_sync_assets.log import logger
    from crm_sync_assets.settings import environment as read

    environment.setenv("TEST_SECRET", "x-very-secret-value")
    client = served(runs)

    def tell(_: int) -> None:
        logger("crm_sync_assets.some.module").info("I know %s", read().get("TEST_SECRET"))

    client.before_page = tell
    events = runs.events(runs.run())
    assert "I know ***" in events
    assert "x-very-secret-value" not in events


# What interrupts a run


def test_a_terminated_run_closes_its_row(
    sandbox: Any, database_url: str, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    """SIGTERM is what the UI's Terminate sends to the process of a run."""
    sandbox.knobs.latency = 1.0
    environment.setenv("DAGSTER_HOME", str(tmp_path))
    with (tmp_path / "run.log").open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize"),
                *("-m", "crm_sync_assets.definitions", "--select", "key:hubspot/contacts"),
                *("--partition", this_month()),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_for(connection, "status = 'running' AND records_processed > 0")
            process.send_signal(signal.SIGTERM)
            wait_for(connection, "status = 'failed'")
            row = connection.execute(
                "SELECT error_message, watermark, checkpoint IS NOT NULL "
                "FROM ingestion_sync_history"
            ).fetchone()
        assert row == ("cancelled; the next sync resumes from the checkpoint", None, True)
        process.wait(20)
    except AssertionError:
        print((tmp_path / "run.log").read_text())
        raise
    finally:
        process.kill()
        process.wait()


def wait_for(connection: Any, condition: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    query = f"SELECT true FROM ingestion_sync_history WHERE {condition}"  # noqa: S608
    while not connection.execute(query).fetchall():
        assert time.monotonic() < deadline, f"no row where {condition}"
        time.sleep(0.1)
