"""Killed between any two statements: the next sync starts at once, resumes, ends with the truth.

    python -m pytest crm_sync_assets_tests/end_to_end/test_boundaries.py -m slow

kills at every boundary; by default it is a sample of them, the same each time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm_sync_assets.engine import session
from crm_sync_assets.errors import AlreadyRunning, SyncError
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.end_to_end.boundaries import SCENARIOS, Blow, Scenario, Strike, ready
from crm_sync_assets_tests.end_to_end.killing import leftovers
from crm_sync_assets_tests.scripted import SETTINGS, FakeClient, history, rows, sync
from crm_sync_assets_tests.surroundings import copy_of

ROOT = Path(__file__).parents[2]
SAMPLED = 14
"""Boundaries of each scenario that are tried by default."""

EARLIER, FIRST, SECOND, THIRD = (datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2, 3, 4))
"""What the source's clock says when each sync begins."""

COMMITS = {"BaseTransaction._exit_gen", "BaseConnection._commit_gen", "BasePipeline._exit_gen"}


@dataclass
class Forks:
    """The process that forks a child for every kill."""

    process: subprocess.Popen[str]

    def __call__(self, scenario: str, url: str, *, kill: int = 0) -> dict[str, Any]:
        """How a sync in a child ended, and each time it spoke with the server."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"scenario": scenario, "url": url, "kill": kill, "now": FIRST.isoformat()}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@pytest.fixture(scope="module")
def fork() -> Iterator[Forks]:
    with subprocess.Popen(
        [sys.executable, "-m", "crm_sync_assets_tests.end_to_end.boundaries"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


@contextmanager
def opened(url: str) -> Iterator[Warehouse]:
    warehouse = Warehouse(url)
    try:
        yield warehouse
    finally:
        warehouse.close()


def prepare(warehouse: Warehouse, scenario: Scenario) -> None:
    """What was there before: a complete sync, rows, records in the quarantine."""
    stored = SCENARIOS["first"].entity if scenario.entity.tombstones_of else scenario.entity
    if scenario.before:
        sync(warehouse, FakeClient(list(scenario.before), now=EARLIER), stored)
    with warehouse.connection() as connection:
        failures = [
            Failure(str(record["id"]), "load", "no room", None, record, None)
            for record in scenario.waiting
        ]
        quarantine.add(connection, stored, None, failures)
        connection.commit()


def content(warehouse: Warehouse, scenario: Scenario) -> dict[str, Any]:
    """The rows and the quarantine, without the moments at which they were written."""
    stored = rows(
        warehouse,
        f"SELECT to_jsonb(t) - 'sync_created_at' - 'sync_updated_at' - 'deleted_at', "  # noqa: S608
        f"deleted_at IS NULL FROM {scenario.entity.table} t ORDER BY id",
    )
    waiting = rows(
        warehouse,
        "SELECT record_id, stage, field, reason, payload FROM ingestion_quarantine ORDER BY 1",
    )
    return {"rows": stored, "quarantine": waiting}


def counts(row: Mapping[str, Any]) -> dict[str, Any]:
    named = ("processed", "created", "updated", "failed")
    metrics = row["performance_metrics"]
    return {name: row[f"records_{name}"] for name in named} | {
        name: metrics[name] for name in ("unchanged", "deleted", "warnings")
    }


def tries(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return rows(warehouse, "SELECT record_id, tries FROM ingestion_quarantine ORDER BY 1")


def again(warehouse: Warehouse, scenario: Scenario, now: datetime) -> None:
    """The next sync. The lock dies with its process; the server needs a moment to notice that."""
    deadline = time.monotonic() + 5
    while True:
        try:
            ready(scenario, warehouse, now)()
        except AlreadyRunning:
            assert time.monotonic() < deadline, "the lock outlived its process"
            time.sleep(0.01)
        else:
            return


@dataclass(frozen=True)
class Undisturbed:
    """The same sync when nobody disturbs it: what it asked of the server, and how it ended."""

    database: str
    exchanges: list[str]
    row: Mapping[str, Any]
    content: Mapping[str, Any]
    tries: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def undisturbed(
    request: pytest.FixtureRequest, server_url: str, template: str, fork: Forks
) -> Iterator[Undisturbed]:
    name: str = request.param
    scenario = SCENARIOS[name]
    with copy_of(server_url, template) as url:
        with opened(url) as warehouse:
            prepare(warehouse, scenario)
        prepared = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with copy_of(server_url, str(prepared)) as trial, opened(trial) as warehouse:
            told = fork(name, trial)
            assert told["exit"] == 0
            *_, row = history(warehouse)
            yield Undisturbed(
                str(prepared),
                told["exchanges"],
                row,
                content(warehouse, scenario),
                tries(warehouse),
            )


def killed_at(nth: int, name: str, server_url: str, fork: Forks, undisturbed: Undisturbed) -> str:
    """One kill and what comes after it; how far the dead one had come."""
    scenario = SCENARIOS[name]
    with copy_of(server_url, undisturbed.database) as url, opened(url) as warehouse:
        earlier = len(history(warehouse))
        assert fork(name, url, kill=nth)["exit"] == -signal.SIGKILL
        left = history(warehouse)[earlier:]
        assert len(left) <= 1
        dead = left[0] if left else None
        completed = dead is not None and dead["status"] != "running"
        if completed:
            assert dead is not None
            assert (dead["status"], counts(dead)) == (scenario.ends_as, counts(undisturbed.row))
            assert content(warehouse, scenario) == undisturbed.content
        elif dead is not None:
            assert (dead["end_time"], dead["watermark"]) == (None, None)
        checkpoint = dead["checkpoint"] if dead else None

        again(warehouse, scenario, SECOND)
        *closed, last = history(warehouse)[earlier:]
        assert last["status"] == scenario.ends_as
        assert content(warehouse, scenario) == undisturbed.content
        assert leftovers(warehouse) == []
        assert staged(warehouse) == []
        if completed:
            assert [row["status"] for row in closed] == [scenario.ends_as]
            assert (last["records_created"], last["records_updated"]) == (0, 0)
            return "completed"
        assert [row["status"] for row in closed] == ["failed"] * len(left)
        assert all("died" in row["error_message"] for row in closed)
        assert counts(last) == counts(undisturbed.row)
        assert tries(warehouse) == undisturbed.tries
        began = FIRST if checkpoint else SECOND
        if scenario.waiting:
            assert last["watermark"] is None
        else:
            # Set back by what passed between the first page's arrival and the first batch.
            late = began - SETTINGS.lag - last["watermark"]
            assert timedelta(0) <= late < timedelta(minutes=1)
        if checkpoint:
            assert last["configuration"]["resumes"] == dead["id"] if dead else False

        if not scenario.waiting:
            again(warehouse, scenario, THIRD)
            *_, third = history(warehouse)
            assert (third["records_created"], third["records_updated"]) == (0, 0)
            assert content(warehouse, scenario) == undisturbed.content
        return "resumed" if checkpoint else "restarted" if dead else "never began"


def lost_at(nth: int, blow: Blow, name: str, server_url: str, undisturbed: Undisturbed) -> str:
    """One lost connection and, if the sync failed, the next one; how it ended."""
    scenario = SCENARIOS[name]
    with copy_of(server_url, undisturbed.database) as url, opened(url) as warehouse:
        earlier = len(history(warehouse))
        failed: SyncError | None = None
        begin = ready(scenario, warehouse, FIRST)
        with Strike(nth, blow):
            try:
                begin()
            except SyncError as error:
                failed = error
        done = history(warehouse)[earlier:]
        complete = [row for row in done if row["status"] == scenario.ends_as]
        if failed is None:
            assert len(done) == len(complete) == 1
        else:
            assert complete == []
            again(warehouse, scenario, SECOND)
        *closed, last = history(warehouse)[earlier:]
        assert [row["status"] for row in closed] == ["failed"] * len(closed)
        assert (last["status"], counts(last)) == (scenario.ends_as, counts(undisturbed.row))
        assert content(warehouse, scenario) == undisturbed.content
        assert tries(warehouse) == undisturbed.tries
        assert leftovers(warehouse) == []
        return "succeeded" if failed is None else "failed"


def staged(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return rows(warehouse, "SELECT relname FROM pg_class WHERE relpersistence = 't'")


def spread(number: int, sample: int) -> list[int]:
    """So many of the numbers from 1 to `number`, evenly, the first and the last included."""
    return sorted({1 + (number - 1) * i // (sample - 1) for i in range(sample)})


ALL = pytest.mark.parametrize("undisturbed", list(SCENARIOS), indirect=True, ids=str)


@ALL
def test_killed_between_two_statements_nothing_is_lost_or_doubled(
    undisturbed: Undisturbed, request: pytest.FixtureRequest, server_url: str, fork: Forks
) -> None:
    name = request.node.callspec.params["undisturbed"]
    found = {
        killed_at(nth, name, server_url, fork, undisturbed)
        for nth in spread(len(undisturbed.exchanges), SAMPLED)
    }
    in_between = set() if SCENARIOS[name].waiting else {"resumed"}
    assert found == {"never began", "restarted", "completed"} | in_between


@pytest.mark.slow
@pytest.mark.timeout(900)
@ALL
def test_killed_between_any_two_statements_nothing_is_lost_or_doubled(
    undisturbed: Undisturbed, request: pytest.FixtureRequest, server_url: str, fork: Forks
) -> None:
    name = request.node.callspec.params["undisturbed"]
    for nth in range(1, len(undisturbed.exchanges) + 1):
        killed_at(nth, name, server_url, fork, undisturbed)


@ALL
def test_a_connection_lost_between_two_statements_costs_a_pause_or_a_resume(
    undisturbed: Undisturbed,
    request: pytest.FixtureRequest,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every commit whose acknowledgement is lost, and a sample of the rest."""
    monkeypatch.setattr(session, "PAUSE_SECONDS", 0.01)
    name = request.node.callspec.params["undisturbed"]
    for nth in spread(len(undisturbed.exchanges), 5):
        lost_at(nth, "lost before it", name, server_url, undisturbed)
    found = [
        lost_at(nth, "lost after it", name, server_url, undisturbed)
        for nth, exchange in enumerate(undisturbed.exchanges, 1)
        if exchange in COMMITS
    ]
    assert "succeeded" in found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("blow", ["lost before it", "lost after it"])
@ALL
def test_a_connection_lost_between_any_two_statements_costs_a_pause_or_a_resume(
    undisturbed: Undisturbed,
    request: pytest.FixtureRequest,
    server_url: str,
    blow: Blow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "PAUSE_SECONDS", 0.01)
    name = request.node.callspec.params["undisturbed"]
    for nth in range(1, len(undisturbed.exchanges) + 1):
        lost_at(nth, blow, name, server_url, undisturbed)
