"""A run over many partitions: what we do for it does not grow with their number.

Dagster writes events for each partition; they are all that may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from crm_sync_assets.orchestration import sensors
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import FIRST_DAY, Runs, instance_in
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, history, person

FEW, MANY = 2, 30


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Statements sent to the warehouse in this process, by their first words."""
    found: Counter[str] = Counter()
    execute = psycopg.Cursor.execute

    def counted(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        text = query if isinstance(query, str) else str(query)
        found[" ".join(text.split()[:3])] += 1
        return execute(self, query, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counted)
        yield found


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance, entities=(PEOPLE,), unit="day")


def run(runs: Runs, days: int) -> dg.ExecuteInProcessResult:
    runs.source.client = FakeClient([person(n) for n in range(3)])
    last = FIRST_DAY + timedelta(days=days - 1)
    result = runs.run(days=(FIRST_DAY.isoformat(), last.isoformat()))
    assert result.success
    return result


def test_a_run_asks_the_warehouse_and_the_source_as_often_for_many_partitions_as_for_few(
    runs: Runs, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(runs, FEW)
    asked = []
    for days in (FEW, MANY):
        with statements(monkeypatch) as found:
            result = run(runs, days)
        client = runs.source.client
        assert isinstance(client, FakeClient)
        events = Counter(event.event_type_value for event in result.all_events)
        assert events["ASSET_MATERIALIZATION"] == days
        others = events.total() - events["ASSET_MATERIALIZATION"]
        asked.append((found, client.asked, len(history(warehouse)), others))
    few, many = asked
    assert many[0] == few[0] != Counter()
    assert many[1] == few[1] == [0]
    assert many[2] == few[2] + 1, "one run is one sync"
    assert many[3] == few[3], "no event of ours is for a partition"


def test_the_sensor_looks_once_for_a_run_however_many_partitions_it_filled(
    runs: Runs, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked once per event: 3,100 times for one run."""
    asked = []
    cursors: dict[str, int] = {}
    with warehouse.connection():
        pass  # a first connection asks for its server's ways
    for days in (FEW, MANY):
        run(runs, days)
        with statements(monkeypatch) as found, warehouse.connection() as connection:
            assert sensors.mirror_all(runs.instance, connection, [PEOPLE], cursors) == 0
        asked.append(found)
    assert asked[0] == asked[1] != Counter()


def test_a_lost_row_of_such_a_run_is_written_once(
    runs: Runs, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "PAGE", 10)
    run(runs, MANY)
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_sync_history")
        connection.commit()
        cursors: dict[str, int] = {}
        assert sensors.mirror_all(runs.instance, connection, [PEOPLE], cursors) == 1
        assert sensors.mirror_all(runs.instance, connection, [PEOPLE], cursors) == 0
    (row,) = history(warehouse)
    assert (row["endpoint"], row["records_processed"]) == ("mirrored", 3)
