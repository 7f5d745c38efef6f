"""The command line's storage writes what Dagster's own classes read, whoever came first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.orchestration.instance import instance_folder, open_instance
from crm_sync_assets.orchestration.run_storage import _Events, _is_made
from crm_sync_assets.settings import environment as settings


@dg.asset
def thing() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@contextmanager
def opened(*, to_run: bool) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings(), to_run=to_run) as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    done = dg.materialize([thing], instance=instance)
    assert done.success
    return done.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[Any]:
    """What the UI shows of a run: its status and its events, and the asset's newest one."""
    record = instance.get_run_by_id(run_id)
    assert record is not None
    newest = instance.get_latest_materialization_event(thing.key)
    assert newest is not None
    return [
        record.status.value,
        [
            (entry.user_message, entry.timestamp, entry.dagster_event_type)
            for entry in instance.all_logs(run_id)
        ],
        newest.run_id,
    ]


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "dagster's first"])
def test_both_classes_read_what_either_wrote(environment: Any, ours_first: bool) -> None:
    runs = []
    for to_run in (ours_first, not ours_first, True, True):
        with opened(to_run=to_run) as instance:
            runs.append(run(instance))
            seen = told(instance, runs[-1])
        with opened(to_run=not to_run) as other:
            assert told(other, runs[-1]) == seen
            assert seen[0] == "SUCCESS"
            assert len(seen[1]) > 8
    with opened(to_run=False) as instance:
        assert {record.run_id for record in instance.get_runs()} == set(runs)


def test_it_is_ours_only_where_dagsters_sqlite_is(
    environment: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with opened(to_run=True) as instance:
        assert isinstance(instance.event_log_storage, _Events)
    with opened(to_run=False) as instance:
        assert not isinstance(instance.event_log_storage, _Events)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_storage:\n  module: dagster._core.storage.runs\n  class: SqliteRunStorage\n"
        f"  config: {{base_dir: {tmp_path}}}\n"
        "event_log_storage:\n  module: dagster._core.storage.event_log\n"
        "  class: ConsolidatedSqliteEventLogStorage\n"
        f"  config: {{base_dir: {tmp_path}}}\n"
        "schedule_storage:\n  module: dagster._core.storage.schedules\n"
        "  class: SqliteScheduleStorage\n"
        f"  config: {{base_dir: {tmp_path}}}\n"
    )
    assert instance_folder(settings()) == tmp_path
    with opened(to_run=True) as instance:
        assert type(instance.event_log_storage).__name__ == "ConsolidatedSqliteEventLogStorage"


def test_a_new_runs_database_is_a_copy_with_all_its_tables(environment: Any) -> None:
    def tables(path: Path) -> set[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))

    with opened(to_run=False) as instance:
        dagsters = run(instance)
    with opened(to_run=True) as instance:
        first, second = run(instance), run(instance)
        storage = instance.event_log_storage
        assert isinstance(storage, _Events)
        paths = {name: Path(storage.path_for_shard(name)) for name in (dagsters, first, second)}
        assert tables(paths[first]) == tables(paths[second]) == tables(paths[dagsters])
        assert all(map(_is_made, paths.values()))
        assert sorted(storage.get_all_run_ids()) == sorted(paths)


def test_a_database_that_nobody_finished_making_is_made(environment: Any) -> None:
    with opened(to_run=True) as instance:
        run(instance)
    folder = instance_folder(settings())
    for name in ("history/runs.db", "schedules/schedules.db"):
        for path in folder.glob(f"{name}*"):
            path.unlink()
        (folder / name).touch()
    with opened(to_run=True) as instance:
        assert told(instance, run(instance))[0] == "SUCCESS"
