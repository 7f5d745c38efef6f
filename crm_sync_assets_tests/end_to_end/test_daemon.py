"""Dagster's own processes die: runs are failed, slots come back, the next run completes the data.

A real webserver, daemon, code servers and run workers, with short intervals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from crm_sync_assets.cli.dev import free_port
from crm_sync_assets.orchestration.instance import CONFIGURATION
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.process import stop
from crm_sync_assets_tests.end_to_end.killing import (
    ROOT,
    differences,
    hubspot,
    large,
    leftovers,
    portal,
    present,
)
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs

__all__ = ["hubspot", "large", "portal"]

pytestmark = pytest.mark.timeout(300)

MODULE = "crm_sync_assets_tests.end_to_end.impatient"
PATIENCE = 120.0

LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


TERMINATE = "mutation Terminate($run: String!) { terminateRun(runId: $run) { __typename } }"
START = """
mutation Start($selector: ScheduleSelector!) {
  startSchedule(scheduleSelector: $selector) { __typename ... on PythonError { message } }
}
"""
SCHEDULE = "hubspot_hourly_delta"


def configuration() -> dict[str, Any]:
    """The project's dagster.yaml, with short intervals and one place in each pool."""
    settings: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    settings["run_monitoring"] |= {
        "poll_interval_seconds": 2,
        "free_slots_after_run_end_seconds": 1,
    }
    settings["concurrency"]["pools"]["default_limit"] = 1
    return settings


@dataclass
class Dagster:
    """Webserver and daemon over one instance."""

    instance: dg.DagsterInstance
    home: Path
    port: int
    webserver: subprocess.Popen[bytes]
    daemon: subprocess.Popen[bytes] | None = None

    def start_daemon(self) -> None:
        self.daemon = spawn(self.home, "daemon", "dagster._daemon", "run", "-m", MODULE)

    def stop_daemon(self) -> None:
        assert self.daemon is not None
        stop([self.daemon])
        self.daemon = None

    def ask(self, query: str, **values: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": values}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def launch(self, entity: str) -> str:
        """Launch a run of one entity, as its page does; the run's id."""
        told = self.ask(
            LAUNCH,
            parameters={
                "selector": {
                    "repositoryLocationName": MODULE,
                    "repositoryName": "__repository__",
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": ["hubspot", entity]}],
                },
                "runConfigData": {},
                "executionMetadata": {
                    "tags": [{"key": "dagster/partition", "value": f"{datetime.now(UTC):%Y-%m-01}"}]
                },
            },
        )
        return str(told["data"]["launchRun"]["run"]["runId"])

    def status(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status.value

    def code_servers(self) -> list[psutil.Process]:
        """The daemon's: it starts the runs."""
        assert self.daemon is not None
        children = psutil.Process(self.daemon.pid).children(recursive=True)
        return [p for p in children if "grpc" in p.cmdline()]

    def workers(self) -> list[psutil.Process]:
        """The processes that runs are executed in."""
        return [
            child
            for server in self.code_servers()
            for child in server.children()
            if any("spawn_main" in word for word in child.cmdline())
        ]

    def scheduled(self) -> list[dg.DagsterRun]:
        """The runs that the schedule has launched."""
        tags = {"dagster/schedule_name": SCHEDULE}
        return list(self.instance.get_runs(dg.RunsFilter(tags=tags)))

    def switch_on(self, *, hours_ago: float) -> None:
        """Start the schedule, as if that had been so long ago."""
        selector = {
            "repositoryLocationName": MODULE,
            "repositoryName": "__repository__",
            "scheduleName": SCHEDULE,
        }
        told = self.ask(START, selector=selector)
        assert told["data"]["startSchedule"]["__typename"] == "ScheduleStateResult", told
        (state,) = self.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
        started = time.time() - 3600 * hours_ago
        self.instance.update_instigator_state(
            state.with_data(ScheduleInstigatorData("0 * * * *", started))
        )


def spawn(home: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    with (home / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *words],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def until(claim: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, f"not in {PATIENCE:.0f} s: {what}"
        time.sleep(0.2)


@pytest.fixture
def dagster(portal: Sandbox, tmp_path: Path) -> Iterator[Dagster]:
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(configuration()))
    port = free_port(30_000 + os.getpid() % 20_000)
    # Made before the others start: they would make the storage at the same time.
    with dg.DagsterInstance.from_config(str(home)) as instance:
        webserver = spawn(home, "webserver", "dagster_webserver", "-m", MODULE, "-p", str(port))
        running = Dagster(instance, home, port, webserver)
        running.start_daemon()
        try:
            until(lambda: answers(running), "the webserver answers")
            yield running
        finally:
            stop([p for p in (running.daemon, webserver) if p is not None])
            for log in home.glob("*.log"):
                print(log.name, log.read_text(errors="replace")[-8_000:])


def answers(running: Dagster) -> bool:
    try:
        return "data" in running.ask("{ version }")
    except OSError:
        return False


def test_a_terminated_run_a_killed_worker_and_a_killed_code_server_cost_a_run_and_no_row(
    dagster: Dagster, hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    def at_work(run_id: str) -> bool:
        rows = [row for row in history(hubspot.warehouse) if row["run_id"] == run_id]
        return bool(rows) and rows[-1]["status"] == "running" and rows[-1]["records_processed"] > 0

    portal.knobs.latency = 0.3
    stopped = dagster.launch("contacts")
    until(lambda: at_work(stopped), "a run stores something")
    told = dagster.ask(TERMINATE, run=stopped)
    assert told["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess", told
    until(lambda: dagster.status(stopped) == "CANCELED", "the run is cancelled")
    (row,) = history(hubspot.warehouse)
    assert row["status"] == "failed"
    assert row["error_message"].startswith("cancelled")

    first = dagster.launch("contacts")
    until(lambda: at_work(first), "the next run stores something")
    (worker,) = dagster.workers()
    worker.send_signal(signal.SIGKILL)
    until(lambda: dagster.status(first) == "FAILURE", "the run is failed")

    second = dagster.launch("contacts")
    until(lambda: at_work(second), "the next run goes on, so the slot was free")
    (server,) = dagster.code_servers()
    (worker,) = dagster.workers()
    server.send_signal(signal.SIGKILL)
    worker.send_signal(signal.SIGKILL)
    portal.knobs.latency = 0
    until(lambda: dagster.status(second) == "FAILURE", "the run without its code server is failed")

    third = dagster.launch("contacts")
    until(lambda: dagster.status(third) == "SUCCESS", "a run on a new code server succeeds")

    *dead, last = history(hubspot.warehouse)
    assert [row["status"] for row in dead] == ["failed"] * 3
    assert (last["status"], last["run_id"]) == ("success", third)
    assert last["records_processed"] == last["records_created"] == present(portal)
    assert last["watermark"] <= dead[0]["start_time"]
    assert differences(portal, hubspot.warehouse) == []
    assert leftovers(hubspot.warehouse) == []


def test_what_changed_while_the_daemon_was_off_is_in_the_one_run_after_it(
    dagster: Dagster, hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    """Five hourly ticks are missed; one run makes up for them, from the watermark on."""
    hubspot.sync("contacts")
    dagster.stop_daemon()
    ids = portal.hubspot.ids("contacts")
    for hour in range(5):
        portal.clock.advance(3600)
        portal.hubspot.bulk_touch(
            "contacts", ids[hour * 20 : hour * 20 + 30], properties={"tier": str(hour)}
        )
    dagster.switch_on(hours_ago=5.5)
    hour = time.time() // 3600
    dagster.start_daemon()
    until(lambda: dagster.scheduled(), "the schedule's run is launched")
    until(lambda: all(run.is_finished for run in dagster.scheduled()), "it ends")
    *later, run = dagster.scheduled()
    assert len(later) <= time.time() // 3600 - hour, "one for all the ticks that were missed"
    (row,) = [
        row
        for row in history(hubspot.warehouse)
        if (row["run_id"], row["sync_type"]) == (run.run_id, "contacts")
    ]
    assert (row["status"], row["records_updated"]) == ("success", 110)
    assert row["configuration"]["strategy"] == "incremental"
    assert differences(portal, hubspot.warehouse) == []
