"""Dagster's own database goes away: runs fail, and the warehouse and SyncHistory stay true."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from crm_sync_assets.orchestration import hooks, sensors
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, instance_on_disk, reason
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    THINGS,
    FakeClient,
    history,
    people,
    person,
)
from crm_sync_assets_tests.surroundings import database

BEFORE = [person(n) for n in range(150)]
AFTER = [person(n, at=60, name="changed") for n in range(100, 250)]
TRUTH = {record["id"]: record["name"] for record in [*BEFORE, *AFTER]}


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_on_disk(tmp_path) as instance:
        yield Runs(instance)


class Storage:
    """Dagster's event storage, which refuses everything from its n-th event on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds: list[str] = []
        self.refuse_from: int | None = None
        real = SqliteEventLogStorage.store_event

        def store(storage: Any, event: dg.EventLogEntry) -> Any:
            self.kinds.append(event.dagster_event_type.value if event.dagster_event_type else "log")
            if self.refuse_from is not None and len(self.kinds) >= self.refuse_from:
                raise sqlite3.OperationalError("attempt to write a readonly database")
            return real(storage, event)

        monkeypatch.setattr(SqliteEventLogStorage, "store_event", store)


def tick(runs: Runs, cursor: str | None = None) -> str:
    context = dg.build_sensor_context(
        instance=runs.instance, cursor=cursor, resources={"warehouse": WarehouseResource()}
    )
    return str(sensors.build_sensor([PEOPLE, THINGS]).evaluate_tick(context).skip_message)


def test_dagsters_database_may_go_away_at_any_event(
    runs: Runs, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first event of each kind, and for good."""
    storage = Storage(monkeypatch)
    runs.source.client = FakeClient(BEFORE)
    assert runs.run().success
    kinds = list(storage.kinds)
    assert "ASSET_MATERIALIZATION" in kinds
    endings = set()
    for kind in dict.fromkeys(kinds):
        nth = kinds.index(kind) + 1
        records = [person(n, at=nth, name=f"round {nth}") for n in range(100, 250)]
        truth = {record["id"]: record["name"] for record in [*BEFORE, *records]}
        runs.source.client = FakeClient(records)
        earlier = len(history(warehouse))
        storage.kinds.clear()
        storage.refuse_from = nth
        try:
            runs.run()
        except sqlite3.OperationalError as error:
            # The worker would be gone now; this process gives back what it holds.
            for row in history(warehouse):
                hooks.abandon_run(row["run_id"], error)
        storage.refuse_from = None
        tick(runs)
        ended = [row["status"] for row in history(warehouse)[earlier:]]
        endings.add(tuple(ended))
        assert ended in ([], ["failed"], ["success"]), kind
        assert ended != ["success"] or people(warehouse) == truth, kind

        assert runs.run().success
        assert people(warehouse) == truth
        tick(runs)
        *_, last = history(warehouse)
        assert (last["status"], last["records_failed"]) == ("success", 0)
        assert tick(runs) == "0 materializations mirrored, 0 rows closed"
        assert "mirrored" not in {row["endpoint"] for row in history(warehouse)}
    assert endings == {(), ("failed",), ("success",)}


def test_without_sync_history_a_run_refuses_to_start(
    runs: Runs, environment: pytest.MonkeyPatch, database_url: str
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", database(database_url, "nowhere"))
    runs.source.client = FakeClient(BEFORE)
    result = runs.run()
    assert not result.success
    assert "cannot be reached" in reason(result)
    assert "Check CRM_SYNC_WAREHOUSE_URL" in reason(result)
    assert isinstance(runs.source.client, FakeClient)
    assert runs.source.client.asked == [], "nothing is read that could not be kept"


@pytest.mark.parametrize("flags", [{}, {"full": True, "force": True}], ids=["delta", "replacement"])
def test_sync_history_gone_at_the_end_takes_the_last_rows_with_it(
    runs: Runs, warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    """Rows and history share their transactions, so one cannot be there without the other."""
    runs.source.client = FakeClient(BEFORE)
    assert runs.run(config=flags).success
    before = people(warehouse)

    def lose(start: int) -> None:
        if start == 0:
            with warehouse.connection() as connection:
                connection.execute("ALTER TABLE ingestion_sync_history RENAME TO lost")
                connection.commit()

    runs.source.client = FakeClient(AFTER, before_page=lose)
    result = runs.run(config=flags)
    assert not result.success
    assert 'relation "ingestion_sync_history" does not exist' in reason(result)
    assert people(warehouse) == before
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE lost RENAME TO ingestion_sync_history")
        connection.commit()
    runs.source.client = FakeClient(AFTER)
    assert runs.run(config=flags).success
    expected = {record["id"]: record["name"] for record in AFTER}
    assert people(warehouse) == (expected if flags else TRUTH)
    assert [row["status"] for row in history(warehouse)] == ["success", "failed", "success"]
