"""Runs through Dagster: one outcome per entity, and the trace the UI shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance, DagsterRunStatus

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations import opening
from crm_sync_assets.orchestration.asset_checks import CHECKS
from crm_sync_assets.orchestration.instance import CONFIGURATION, instance_folder, open_instance
from crm_sync_assets.orchestration.launch import Outcome, command, launch, plan
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import environment as read_environment

HUBSPOT = registry.crm("hubspot")


@pytest.fixture
def instance(environment: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    with open_instance(read_environment()) as instance:
        yield instance


def sync(instance: DagsterInstance, *names: str, flags: Flags | None = None) -> list[Outcome]:
    entities = [registry.entity(f"hubspot.{name}") for name in names]
    return launch(
        HUBSPOT,
        plan(HUBSPOT, entities, flags or Flags()),
        job=None,
        instance=instance,
        warehouse=opening.open_warehouse(),
    )


def test_dates_go_to_the_entities_that_track_changes(environment: pytest.MonkeyPatch) -> None:
    flags = Flags(start_date="2025-01-01", end_date="2025-02-01", debug=True)
    tasks = plan(HUBSPOT, registry.selection("hubspot"), flags)
    dated = {task.entity.name: task.flags.start_date for task in tasks}
    assert dated["hubspot.contacts"] == "2025-01-01"
    assert dated["hubspot.owners"] is None
    assert all(task.flags.debug for task in tasks)


def test_dates_are_refused_where_no_entity_could_use_them(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="associations_contact_appointment: this entity cannot"):
        plan(HUBSPOT, registry.selection("hubspot", "associations"), Flags(start_date="2025-01-01"))


def test_a_setting_that_cannot_be_used_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__PAGE_SIZE", "0")
    with pytest.raises(UsageError, match="CRM_SYNC_HUBSPOT__PAGE_SIZE"):
        plan(HUBSPOT, registry.selection("hubspot", "deals"), Flags())


def test_one_entity_that_fails_stops_no_other(sandbox: Sandbox, instance: DagsterInstance) -> None:
    sync(instance, "deals")
    sandbox.knobs.turn({"missing_scopes": ["crm.objects.deals.read"]})
    by_name = {one.entity.sync_type: one for one in sync(instance, "tickets", "deals", "owners")}
    assert by_name["tickets"].status == "success"
    assert by_name["owners"].status == "success"
    assert by_name["deals"].status == "failed"
    assert "crm.objects.deals.read" in (by_name["deals"].error or "")
    assert by_name["tickets"].processed == by_name["tickets"].created > 0
    assert by_name["tickets"].watermark is not None
    run, _ = instance.get_runs()
    assert run.status is DagsterRunStatus.FAILURE
    assert run.tags["crm_sync/started_by"] == "command line"


def test_a_run_names_what_it_syncs_and_checks_it(
    sandbox: Sandbox, instance: DagsterInstance
) -> None:
    sync(instance, "owners", "tickets", flags=Flags(full=True, batch_size=50))
    [run] = instance.get_runs()
    keys = {AssetKey(["hubspot", "owners"]), AssetKey(["hubspot", "tickets"])}
    assert run.asset_selection == keys
    assert run.tags["crm_sync/command"] == "crm-sync hubspot owners tickets --full --batch-size=50"
    checks = [AssetCheckKey(key, name) for key in keys for name in CHECKS]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    assert {key: one.status.value for key, one in found.items()} == dict.fromkeys(
        checks, "SUCCEEDED"
    )
    assert {one.run_id for one in found.values()} == {run.run_id}


def test_what_a_check_finds_is_in_the_outcome(sandbox: Sandbox, instance: DagsterInstance) -> None:
    [outcome] = sync(instance, "owners", flags=Flags(max_records=1))
    assert outcome.status == "success"
    assert outcome.doubts == ["fresh: there was no complete sync yet"]
    [outcome] = sync(instance, "owners")
    assert outcome.doubts == []


def test_a_long_command_is_cut(environment: pytest.MonkeyPatch) -> None:
    tasks = plan(HUBSPOT, registry.selection("hubspot"), Flags())
    assert command(HUBSPOT, tasks, whole=True) == "crm-sync hubspot all"
    assert len(command(HUBSPOT, tasks, whole=False)) == 200


def test_a_whole_crm_runs_under_the_name_the_ui_has_for_it(
    sandbox: Sandbox, instance: DagsterInstance
) -> None:
    entities = [registry.entity("hubspot.divisions"), registry.entity("hubspot.owners")]
    outcomes = launch(
        HUBSPOT,
        plan(HUBSPOT, entities, Flags()),
        job="hubspot_all",
        instance=instance,
        warehouse=opening.open_warehouse(),
    )
    assert [outcome.status for outcome in outcomes] == ["success", "success"]
    [run] = instance.get_runs()
    assert run.job_name == "hubspot_all"
    materialized = instance.fetch_materializations(
        AssetKey(["hubspot", "divisions"]), limit=1
    ).records
    assert materialized[0].run_id == run.run_id


def test_a_sync_that_is_refused_says_why_without_a_row(
    sandbox: Sandbox, instance: DagsterInstance, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("HUBSPOT_TOKEN")
    [outcome] = sync(instance, "owners")
    assert outcome.status == "failed"
    assert outcome.sync_id is None
    assert "HUBSPOT_TOKEN is not set" in (outcome.error or "")


def test_the_instance_follows_the_projects_configuration(environment: pytest.MonkeyPatch) -> None:
    folder = instance_folder(read_environment())
    copy = folder / "dagster.yaml"
    assert copy.read_text() == CONFIGURATION.read_text()
    copy.write_text("telemetry: {enabled: true}\n")
    instance_folder(read_environment())
    assert copy.read_text() == CONFIGURATION.read_text()


def test_a_dagster_home_of_ones_own_is_left_alone(
    environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("own")
    environment.setenv("DAGSTER_HOME", str(own))
    assert instance_folder(read_environment()) == own
    assert list(own.iterdir()) == []


def test_the_instance_has_pools_monitoring_and_no_telemetry(instance: DagsterInstance) -> None:
    concurrency = instance.get_concurrency_config()
    assert concurrency.pool_config.default_pool_limit == 4
    assert concurrency.pool_config.pool_granularity is not None
    assert concurrency.pool_config.pool_granularity.value == "run"
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 86_400
    assert not instance.telemetry_enabled
    assert "crm_sync_assets" in instance.managed_python_loggers
