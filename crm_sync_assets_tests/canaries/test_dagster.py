"""What Dagster keeps of exceptions, wherever it runs our code, and what its UI's API tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.dev import free_port
from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.declarations.columns import email, text, timestamp
from crm_sync_assets.orchestration import hooks, io_manager, sensors
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.canaries.catalogue import ALL, BY_NAME, SAID, STORED
from crm_sync_assets_tests.canaries.conftest import World, with_password
from crm_sync_assets_tests.canaries.sinks import command_lines, in_database, in_folder, leaks
from crm_sync_assets_tests.runs import Runs, instance_on_disk
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, Script, person, rows

TOKEN = BY_NAME["HUBSPOT_TOKEN"].value
PATIENCE = 120


def broken(*_: Any, **__: Any) -> Any:
    """A mistake that quotes everything it knows, and what came before it."""
    name, secret = SAID.name, TOKEN
    try:
        raise KeyError(SAID.email)
    except KeyError as error:
        raise ValueError(
            f"{name} of 77 {SAID.tag}lane called {SAID.phone} with {secret}"
        ) from error


@pytest.fixture
def runs(secrets: None, tmp_path: Path) -> Iterator[Runs]:
    (tmp_path / "dagster").mkdir()
    with instance_on_disk(tmp_path / "dagster") as instance:
        yield Runs(instance)


def of_people(**more: Any) -> Any:
    return replace(
        PEOPLE,
        source=Script(),
        columns=(
            text("id", key=True),
            email("name"),
            text("balance", **more),
            timestamp("modified"),
            *PEOPLE.columns[4:],
        ),
    )


def in_the_client(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    runs.source.client = FakeClient([person(1)], before_page=broken)


def in_the_io_manager(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(io_manager, "findings", broken)


def in_a_callback(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    runs.entities = (of_people(at=broken),)


def in_a_rule(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    runs.entities = (replace(PEOPLE, rules=(broken,)),)


def in_the_link(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeClient, "record_url", broken)
    patch.setattr(FakeClient, "list_url", broken)
    runs.entities = (of_people(),)


def in_the_hook(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    runs.source.client = FakeClient([person(1)], before_page=broken)
    patch.setattr(hooks.history, "close_failed_run", broken)


def in_opening_the_client(runs: Runs, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs.source, "open", broken)


@pytest.mark.parametrize(
    "breaks",
    [
        in_the_client,
        in_the_io_manager,
        in_a_callback,
        in_a_rule,
        in_the_link,
        in_the_hook,
        in_opening_the_client,
    ],
    ids=lambda one: one.__name__,
)
def test_a_mistake_in_a_run_tells_its_place_and_no_value(
    runs: Runs,
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    breaks: Callable[[Runs, pytest.MonkeyPatch], None],
) -> None:
    runs.source.client = FakeClient([person(1, name=f"{SAID.email}@@", balance="1")])
    breaks(runs, monkeypatch)
    result = runs.run(*runs.entities[:1])
    events = runs.events(result)
    kept = events + str(rows(warehouse, "SELECT * FROM ingestion_quarantine"))
    assert "ValueError at test_dagster.py:" in kept
    printed = "".join(capfd.readouterr())
    sinks = {
        "events": (events, ALL),
        "printed": (printed, ALL),
        **in_folder(tmp_path / "dagster"),
        **in_database(warehouse.url),
    }
    assert leaks(sinks) == []


def test_a_mistake_in_the_sensor_tells_its_place_and_no_value(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors.history, "reap", broken)
    sensor = sensors.build_sensor([PEOPLE])
    context = dg.build_sensor_context(
        instance=runs.instance, resources={"warehouse": WarehouseResource()}
    )
    told = serialised(lambda: sensor(context))
    assert "ValueError at test_dagster.py:" in told
    assert leaks({"the tick": (told, ALL)}) == []


def test_what_the_database_says_of_an_input_tells_no_value(
    runs: Runs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs.source.client = FakeClient([person(1)])
    assert runs.run().success

    @dg.asset(
        key=dg.AssetKey("report"),
        ins={"x": dg.AssetIn(asset_key(PEOPLE), metadata={"where": {"balance": SAID.name}})},
    )
    def report(x: Any) -> None: ...

    runs.more_assets = [report]
    result = runs.run(dg.AssetKey("report"))
    assert not result.success
    events = runs.events(result)
    assert "[22P02]" in events or "[42883]" in events
    # The metadata is the asset's own declaration; what is looked at is the error.
    errors = "\n".join(str(e.event_specific_data) for e in result.all_events if e.is_step_failure)
    assert leaks({"errors": (errors, ALL)}) == []


def serialised(call: Callable[[], Any]) -> str:
    """An exception as Dagster stores it."""
    try:
        call()
    except Exception:  # noqa: BLE001
        return serializable_error_info_from_exc_info(sys.exc_info()).to_string()  # type: ignore[arg-type]
    raise AssertionError("it did not fail")


def test_dagster_keeps_no_local_variables() -> None:
    def fails() -> None:
        of_a_record = SAID.name
        with TellingSafely():
            raise ValueError(of_a_record)

    told = serialised(fails)
    assert "raise ValueError(of_a_record)" in told
    assert leaks({"stack": (told, ALL)}) == []


# The webserver


QUERIES = {
    "runs": "{ runsOrError { ... on Runs { results { runId status runConfigYaml tags { key value } "
    "stats { __typename } eventConnection(limit: 1000) { events { __typename "
    "... on MessageEvent { message level } "
    "... on ExecutionStepFailureEvent { error { ...E } errorSource } "
    "... on RunFailureEvent { error { ...E } } "
    "... on MaterializationEvent { metadataEntries { __typename label description "
    "... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } "
    "... on IntMetadataEntry { intRepr } } } } } } } ... on PythonError { ...E } } }",
    "resources": "{ allTopLevelResourceDetailsOrError(repositorySelector: %(repo)s) { __typename "
    "... on ResourceDetailsList { results { name description resourceType "
    "configFields { name defaultValueAsJson } configuredValues { key value type } } } } }",
    "assets": "{ assetNodes { assetKey { path } description metadataEntries { label "
    "... on TextMetadataEntry { text } } assetMaterializations(limit: 5) { metadataEntries { "
    "label ... on TextMetadataEntry { text } } } assetChecksOrError { ... on AssetChecks { checks "
    "{ name description executionForLatestMaterialization { evaluation { description "
    "metadataEntries { label ... on TextMetadataEntry { text } } } } } } } } }",
    "instance": "{ instance { info runLauncher { name } daemonHealth { allDaemonStatuses { "
    "daemonType lastHeartbeatErrors { ...E } } } } version }",
    "locations": "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus "
    "displayMetadata { key value } locationOrLoadError { __typename ... on PythonError { ...E } } "
    "} } } }",
    "sensor": "mutation { sensorDryRun(selectorData: %(sensor)s, cursor: null) { __typename "
    "... on DryRunInstigationTick { evaluationResult { error { ...E } skipReason } } "
    "... on PythonError { ...E } } }",
    "schedule": "mutation { scheduleDryRun(selectorData: %(schedule)s, timestamp: 1790000000) { "
    "__typename ... on DryRunInstigationTick { evaluationResult { error { ...E } "
    "runRequests { runConfigYaml tags { key value } } } } ... on PythonError { ...E } } }",
    "ticks": "{ sensorsOrError(repositorySelector: %(repo)s) { ... on Sensors { results { name "
    "sensorState { ticks { status error { ...E } } } } } } }",
}
ERROR = (
    " fragment E on PythonError { message stack className "
    "errorChain { error { message stack className } } }"
)
REPOSITORY = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "crm_sync_assets.definitions",
}


def selector(**more: str) -> str:
    fields = {**REPOSITORY, **more}
    return "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in fields.items()) + "}"


def ask(url: str, query: str) -> str:
    names = {
        "repo": selector(),
        "sensor": selector(sensorName="sync_history"),
        "schedule": selector(scheduleName="hubspot_hourly_delta"),
    }
    text = query % names if "%(" in query else query
    if "...E" in text:
        text += ERROR
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


@pytest.mark.timeout(300)
def test_the_ui_tells_no_canary(world: World, tmp_path: Path) -> None:
    world.sandbox.hubspot.create("contacts", STORED.properties())
    assert world.run("hubspot", "contacts", "--debug")[0] == exits.SUCCESS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HubSpot, "pages", broken)
        assert world.run("hubspot", "contacts", "--full")[0] == exits.FAILED
    world.sandbox.faults.add("GET .*owners", "all", status=400, body=f'{{"message": "{TOKEN}"}}')
    assert world.run("hubspot", "owners")[0] == exits.FAILED
    # The sensor cannot reach its warehouse, and says so in its tick.
    password = BY_NAME["CRM_SYNC_WAREHOUSE_URL"].value
    away = with_password("postgresql://postgres:@127.0.0.1:1/x", password)
    port = free_port(21_000 + os.getpid() % 20_000)
    with (tmp_path / "webserver").open("w+") as said:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dagster_webserver", "-m", "crm_sync_assets.definitions"),
                *("-h", "127.0.0.1", "-p", str(port)),
            ],
            env={
                **os.environ,
                "DAGSTER_HOME": str(world.home / "dagster"),
                "CRM_SYNC_WAREHOUSE_URL": away,
                "PYTHONWARNINGS": "ignore",
            },
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process)
            told = {name: ask(url, query) for name, query in QUERIES.items()}
            world.saw("command lines", "\n".join(command_lines(process.pid)))
        finally:
            process.terminate()
            process.wait(60)
        said.seek(0)
        world.saw("what the webserver printed", said.read())
    for name, answer in told.items():
        assert "errors" not in json.loads(answer), answer
        world.saw(f"GraphQL: {name}", answer)
    assert "ValueError at test_dagster.py:" in told["runs"]
    assert "dagster/row_count" in told["runs"]
    assert "ClientResource" in told["resources"]
    assert "cannot be reached" in told["sensor"]
    assert "runRequests" in told["schedule"]
    assert "crm_sync_assets.definitions" in told["locations"]
    assert "hubspot_contact" in told["assets"]
    assert world.leaks() == []


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.3)
