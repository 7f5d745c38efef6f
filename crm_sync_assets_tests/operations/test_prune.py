"""Pruning: what is old goes, and nothing that a later sync, the sensor or a person still needs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
)
from dagster._core.test_utils import create_run_for_test

from crm_sync_assets.cli import exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.definitions import build
from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import AlreadyRunning, SyncError, TransientError
from crm_sync_assets.operations import prune as prune_module
from crm_sync_assets.operations.prune import Pruned, prune
from crm_sync_assets.orchestration import sensors
from crm_sync_assets.orchestration.asset_checks import CHECKS
from crm_sync_assets.orchestration.instance import open_instance
from crm_sync_assets.orchestration.jobs import prune as retention
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.prune_runs import PrunedRuns, prune_runs, remaining
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.past import CHECKPOINT, add
from crm_sync_assets_tests.runs import Runs, instance_on_disk
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    THINGS,
    FakeClient,
    history,
    person,
    rows,
    start,
    sync,
)

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)
ENTITIES = {entity.name: entity for entity in (PEOPLE, THINGS, PEOPLE_REMOVAL)}


def old(warehouse: Warehouse, days: float = 400, **values: Any) -> int:
    """A row that ended so many days ago."""
    began = NOW - timedelta(days=days)
    return add(
        warehouse, **{"start_time": began, "end_time": began + timedelta(minutes=1), **values}
    )


def pruned(warehouse: Warehouse, **options: Any) -> Pruned:
    with warehouse.connection() as connection:
        return prune(
            connection,
            ENTITIES,
            **{
                "before": NOW - timedelta(days=90),
                "now": NOW,
                "checkpoint_age": lambda _: timedelta(hours=72),
                **options,
            },
        )


def ids(warehouse: Warehouse) -> set[int]:
    return {row["id"] for row in history(warehouse)}


def make_newest(warehouse: Warehouse, **values: Any) -> None:
    """Newer rows of every kind, so that an older one is needed for one reason only."""
    for n in range(4):
        old(warehouse, 1 - n / 10, watermark=NOW, **values)


# What stays


def test_old_rows_go_and_young_ones_stay(warehouse: Warehouse) -> None:
    gone = [old(warehouse, 91 + n) for n in range(5)]
    young = old(warehouse, 89)
    make_newest(warehouse)
    assert pruned(warehouse).history == 5
    assert young in ids(warehouse)
    assert not ids(warehouse) & set(gone)
    assert pruned(warehouse) == Pruned()


SETS_WATERMARK = {"watermark": LONG_AGO}
FULL = {"watermark": LONG_AGO, "configuration": {"trial": False, "strategy": "full"}}


@pytest.mark.parametrize(
    ("values", "newer"),
    [
        pytest.param({"status": "running", "end_time": None}, {}, id="a running row"),
        pytest.param(SETS_WATERMARK, {}, id="the watermark"),
        pytest.param({"status": "partial", **SETS_WATERMARK}, {}, id="the newest partial"),
        pytest.param({"status": "failed", "error_message": "why"}, {}, id="the newest failure"),
        pytest.param(
            {"status": "failed", "checkpoint": CHECKPOINT.as_json()},
            {"status": "failed", "kind": "replay"},
            id="the checkpoint",
        ),
        pytest.param({"records_processed": 5, **FULL}, FULL, id="a full read that had rows"),
        pytest.param({"endpoint": "mirrored"}, {}, id="a mirrored report that is still in Dagster"),
    ],
)
def test_what_is_needed_stays_whatever_its_age(
    warehouse: Warehouse, values: dict[str, Any], newer: dict[str, Any]
) -> None:
    before = [old(warehouse, 500 - n, **{**newer, "watermark": None}) for n in range(6)]
    needed = old(warehouse, **values)
    after = [old(warehouse, 300 - n, **{"watermark": None, **newer}) for n in range(6)]
    make_newest(warehouse, sync_type="things")
    past = _past(warehouse)
    assert pruned(warehouse).history > 0
    assert needed in ids(warehouse)
    assert len(ids(warehouse) & {*before, *after}) <= 6
    assert _past(warehouse) == past


def _past(warehouse: Warehouse) -> sync_history.Past:
    with warehouse.connection() as connection:
        return sync_history.past(connection, PEOPLE)


def test_the_last_row_of_all_stays_for_the_sensor_takes_its_loss_for_a_restore(
    warehouse: Warehouse,
) -> None:
    make_newest(warehouse)
    last = old(warehouse, 400)
    assert pruned(warehouse).history == 0
    assert last in ids(warehouse)


def test_a_row_whose_run_is_still_in_dagster_stays(warehouse: Warehouse) -> None:
    kept, gone = old(warehouse, run_id="here"), old(warehouse, run_id="gone")
    make_newest(warehouse)
    assert pruned(warehouse, stays=lambda _: {"here"}).history == 1
    assert kept in ids(warehouse)
    assert gone not in ids(warehouse)


# The quarantine


def quarantine(warehouse: Warehouse, sync_id: int, *, days: int, record: str) -> None:
    with warehouse.connection() as connection:
        connection.execute(
            "INSERT INTO ingestion_quarantine (crm_source, sync_type, record_id, stage, reason, "
            "payload, sync_id, last_seen) "
            "VALUES ('test', 'people', %s, 'parse', 'x', '{}', %s, %s)",
            (record, sync_id, NOW - timedelta(days=days)),
        )
        connection.commit()


def test_quarantine_goes_only_when_asked_for_and_keeps_its_syncs_until_then(
    warehouse: Warehouse,
) -> None:
    first, second = old(warehouse, 400), old(warehouse, 399)
    make_newest(warehouse)
    quarantine(warehouse, first, days=400, record="1")
    quarantine(warehouse, second, days=10, record="2")
    assert pruned(warehouse).history == 0
    assert rows(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(2,)]
    asked = {"quarantine_before": NOW - timedelta(days=200)}
    told = pruned(warehouse, dry_run=True, **asked)
    assert (told.quarantine, told.history) == ({"test.people": 1}, 1)
    assert pruned(warehouse, **asked) == told
    assert rows(warehouse, "SELECT record_id FROM ingestion_quarantine") == [("2",)]
    assert second in ids(warehouse)


# Attempts


def interrupted(warehouse: Warehouse, **flags: Any) -> None:
    """A sync that stored two pages and then failed; its keys, or its shadow table, remain."""

    def fail(start_of_page: int) -> None:
        if start_of_page == 200:
            raise TransientError("the source is down")

    client = FakeClient([person(n) for n in range(300)], before_page=fail)
    with pytest.raises(TransientError):
        sync(warehouse, client, **flags)


def resumes(warehouse: Warehouse, **flags: Any) -> bool:
    client = FakeClient([person(n) for n in range(300)])
    sync(warehouse, client, **flags)
    assert rows(warehouse, "SELECT count(*) FROM test_people WHERE deleted_at IS NULL") == [(300,)]
    return client.asked == [200]


def leftovers(warehouse: Warehouse) -> tuple[int, int]:
    [(keys,)] = rows(warehouse, "SELECT count(*) FROM ingestion_sync_keys")
    [(shadows,)] = rows(
        warehouse,
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' "
        "AND starts_with(relname, 'ingestion_shadow_')",
    )
    return keys, shadows


FULL_READ = pytest.mark.parametrize(
    "flags", [{"full": True}, {"full": True, "force": True}], ids=["keys", "shadow"]
)


@FULL_READ
def test_an_attempt_that_can_be_resumed_keeps_its_keys_shadow_and_rows(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(300)]))
    interrupted(warehouse, **flags)
    before = leftovers(warehouse)
    assert max(before) > 0
    told = pruned(warehouse, before=NOW + timedelta(days=1))
    assert (told.history, told.keys, told.shadows) == (0, 0, [])
    assert leftovers(warehouse) == before
    assert resumes(warehouse, **flags)


@FULL_READ
def test_leftovers_of_an_attempt_too_old_to_resume_go(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(300)]))
    interrupted(warehouse, **flags)
    keys, shadows = leftovers(warehouse)
    later = {"now": NOW + timedelta(days=4)}
    told = pruned(warehouse, dry_run=True, **later)
    assert (told.keys, len(told.shadows)) == (keys, shadows)
    assert leftovers(warehouse) == (keys, shadows)
    pruned(warehouse, **later)
    assert leftovers(warehouse) == (0, 0)


@pytest.mark.parametrize("first_page", [0, 200], ids=["fresh", "resumed"])
@FULL_READ
def test_pruning_in_the_middle_of_a_sync_takes_nothing_from_it(
    warehouse: Warehouse, flags: dict[str, Any], first_page: int
) -> None:
    """A resumed one's first row is old; the keys of the second hang on it by a foreign key."""
    sync(warehouse, FakeClient([person(n) for n in range(300)]))
    if first_page:
        interrupted(warehouse, **flags)
    make_newest(warehouse, sync_type="things")
    client = FakeClient([person(n) for n in range(290)])

    def prune_now(_: int) -> None:
        told = pruned(warehouse, before=NOW + timedelta(days=1), now=NOW + timedelta(days=9))
        assert (told.keys, told.shadows) == (0, [])

    client.before_page = prune_now
    sync(warehouse, client, **flags)
    assert client.asked[0] == first_page
    live = rows(warehouse, "SELECT count(*) FROM test_people WHERE deleted_at IS NULL")
    assert live == [(290,)]


def test_rate_budgets_of_accounts_nobody_uses_and_told_alerts_go(warehouse: Warehouse) -> None:
    make_newest(warehouse)
    with warehouse.connection() as connection:
        for days in (400, 1):
            connection.execute(
                "INSERT INTO ingestion_rate_budget VALUES (%s, '{}', %s)",
                (f"account {days}", NOW - timedelta(days=days)),
            )
            for closed, told in ((True, True), (True, False), (False, False)):
                at = NOW - timedelta(days=days)
                connection.execute(
                    "INSERT INTO ingestion_alert (rule, subject, since, what, advice, closed_at, "
                    "recovery_told_at) VALUES ('failed', %s, %s, '', '', %s, %s)",
                    (f"{days} {closed} {told}", at, at if closed else None, at if told else None),
                )
        connection.commit()
    told = pruned(warehouse)
    assert (told.rate_budgets, told.alerts) == (1, 1)
    assert rows(warehouse, "SELECT account FROM ingestion_rate_budget") == [("account 1",)]
    [(alerts,)] = rows(warehouse, "SELECT count(*) FROM ingestion_alert")
    assert alerts == 5


# Many rows


def test_a_hundred_thousand_rows_go_in_short_transactions(warehouse: Warehouse) -> None:
    """Meanwhile a sync writes its heartbeat, and ends well."""
    with warehouse.connection() as connection:
        connection.execute(
            "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
            "status, configuration) SELECT 'test', 'things', now() - '1 year'::interval, "
            "now() - '1 year'::interval, 'success', '{\"trial\": false}' "
            "FROM generate_series(1, 100000)"
        )
        connection.commit()
    make_newest(warehouse, sync_type="things")
    alive = start(warehouse, FakeClient([person(1)]))
    ended = threading.Event()
    ages: list[timedelta] = []

    def beat() -> None:
        with warehouse.connection() as connection:
            while not ended.is_set():
                sync_history.beat(connection, alive.sync_id)
                [(age,)] = connection.execute(
                    "SELECT max(clock_timestamp() - xact_start) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                    "AND query LIKE 'DELETE FROM ingestion_sync_history%'"
                ).fetchall()
                ages.extend([age] if age is not None else [])

    beats = threading.Thread(target=beat)
    beats.start()
    clock = time.monotonic()
    told = pruned(warehouse)
    took = timedelta(seconds=time.monotonic() - clock)
    ended.set()
    beats.join()
    assert told.history == 100_000
    assert len(ids(warehouse)) == 5
    assert max(ages) < took / 4, "one transaction was a good part of the pruning"
    drain(alive)
    assert history(warehouse)[-1]["status"] == "success"


def test_a_batch_that_was_removed_stays_removed_when_the_next_one_breaks(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_module, "BATCH", 2)
    for _ in range(6):
        old(warehouse)
    make_newest(warehouse)
    calls = 0

    def stays(_: list[str]) -> set[str]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("Dagster is gone")
        return set()

    with pytest.raises(RuntimeError):
        pruned(warehouse, stays=stays)
    assert len(history(warehouse)) == 8
    assert pruned(warehouse).history == 4


def test_two_prunings_at_once_are_refused(warehouse: Warehouse) -> None:
    def stays(_: list[str]) -> set[str]:
        with pytest.raises(AlreadyRunning, match="another"):
            pruned(warehouse)
        return set()

    old(warehouse)
    make_newest(warehouse)
    assert pruned(warehouse, stays=stays).history == 1
    assert pruned(warehouse) == Pruned()


# Dagster


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_on_disk(tmp_path) as instance:
        yield Runs(instance, entities=(PEOPLE, THINGS))


class Daemon:
    """Ticks the SyncHistory sensor; its cursor is kept where the daemon keeps it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.sensor = sensors.build_sensor([PEOPLE, THINGS])
        self.cursor: str | None = None
        self.origin = RemoteInstigatorOrigin(_repository_origin(), sensors.NAME)

    def tick(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"warehouse": WarehouseResource()},
        )
        result = self.sensor.evaluate_tick(context)
        self.cursor = result.cursor
        state = InstigatorState(
            self.origin,
            InstigatorType.SENSOR,
            InstigatorStatus.RUNNING,
            SensorInstigatorData(cursor=self.cursor),
        )
        known = self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        (self.instance.update_instigator_state if known else self.instance.add_instigator_state)(
            state
        )
        return str(result.skip_message)


def _repository_origin() -> Any:
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    location = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(executable_path="python", module_name="crm_sync_assets.definitions"),
        location_name="crm_sync_assets",
    )
    return RemoteRepositoryOrigin(location, "__repository__")


def prune_dagster(
    runs: Runs, warehouse: Warehouse, before: datetime, *, dry_run: bool = False
) -> tuple[PrunedRuns, Pruned]:
    """What `retention.prune_all` does, with the scripted entities."""
    with warehouse.connection() as connection:
        gone = prune_runs(
            runs.instance, connection, [PEOPLE, THINGS], before=before, dry_run=dry_run
        )
    told = pruned(
        warehouse,
        before=before,
        now=before,
        stays=lambda asked: remaining(runs.instance, asked) - gone.gone,
        dry_run=dry_run,
    )
    return gone, told


def latest(runs: Runs) -> dict[str, Any]:
    """What the catalogue shows: newest events of assets, partitions and checks."""
    instance = runs.instance
    shown: dict[str, Any] = {}
    for entity in (PEOPLE, THINGS):
        key = asset_key(entity)
        event = instance.get_latest_materialization_event(key)
        shown[entity.name] = event and (event.run_id, event.timestamp)
        shown[f"{entity.name} observed"] = [
            record.run_id for record in instance.fetch_observations(key, limit=1).records
        ]
        partitions = instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        shown[f"{entity.name} partitions"] = dict(partitions)
        checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(key, name) for name in CHECKS]
        )
        shown[f"{entity.name} checks"] = {
            check.name: (record.run_id, record.status) for check, record in checks.items()
        }
    for name, value in list(shown.items()):
        for run_id in _run_ids(value):
            assert instance.get_run_by_id(run_id), f"{name}: its run is gone"
    return shown


def _run_ids(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value} if value.count("-") == 4 else set()
    if isinstance(value, dict):
        return _run_ids(list(value.values()))
    if isinstance(value, list | tuple):
        return {found for each in value for found in _run_ids(each)}
    return set()


def test_after_pruning_catalogue_watermark_and_sensor_are_as_before(
    runs: Runs, warehouse: Warehouse
) -> None:
    daemon = Daemon(runs.instance)
    runs.source.client = FakeClient([person(n) for n in range(3)])
    runs.run()
    first = runs.run()
    runs.run(days=("2026-03-01", "2026-03-03"))
    window = runs.run(days=("2026-03-03", "2026-03-05"))
    runs.run(PEOPLE, THINGS)
    runs.run(config={"dry_run": True})
    runs.run(PEOPLE, THINGS)
    runs.run(PEOPLE, THINGS)
    runs.failing_checks(PEOPLE)
    daemon.tick()
    shown, past, before = latest(runs), _past(warehouse), len(history(warehouse))
    soon = datetime.now(UTC) + timedelta(seconds=1)

    told = prune_dagster(runs, warehouse, soon, dry_run=True)
    assert (latest(runs), len(history(warehouse))) == (shown, before)
    gone, rows_gone = prune_dagster(runs, warehouse, soon)
    assert (gone, rows_gone) == told
    assert first.run_id in gone.gone
    assert window.run_id not in gone.gone, "the newest of some partitions"
    assert len(gone.gone) >= 3
    assert rows_gone.history >= 1
    assert latest(runs) == shown
    assert _past(warehouse) == past

    # No row is written again, also when the sensor starts from nothing.
    assert daemon.tick() == "0 materializations mirrored, 0 rows closed"
    daemon.cursor = None
    assert daemon.tick() == "0 materializations mirrored, 0 rows closed"
    assert not [row for row in history(warehouse) if row["endpoint"] == "mirrored"]
    runs.source.client = again = FakeClient([person(1)])
    runs.run()
    assert again.reads[0].strategy.since == past.watermark
    assert daemon.tick() == "0 materializations mirrored, 0 rows closed"
    # What was removed takes no room.
    for run_id in gone.gone:
        assert not list(Path(runs.instance.root_directory).rglob(f"*{run_id}*"))
    left = _check_runs(runs)
    assert not left & gone.gone
    assert left


def _check_runs(runs: Runs) -> set[str]:
    storage: Any = runs.instance.event_log_storage
    with storage.index_connection() as connection:
        return {
            row[0]
            for row in connection.exec_driver_sql("SELECT run_id FROM asset_check_executions")
        }


@pytest.mark.parametrize("read_by_sensor", [True, False])
def test_a_run_stays_until_the_sensor_has_written_its_row(
    runs: Runs, warehouse: Warehouse, read_by_sensor: bool
) -> None:
    """SyncHistory was restored from a backup that does not have the newest rows."""
    daemon = Daemon(runs.instance)
    runs.source.client = FakeClient([person(n) for n in range(3)])
    runs.run()  # which fills the partitions, and stays for them
    lost = runs.run()
    runs.run()
    if read_by_sensor:
        daemon.tick()
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_sync_history WHERE run_id = %s", (lost.run_id,))
        connection.commit()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    gone, _ = prune_dagster(runs, warehouse, soon)
    assert (lost.run_id in gone.gone) == read_by_sensor
    if not read_by_sensor:
        assert daemon.tick() == "1 materializations mirrored, 0 rows closed"
        soon = datetime.now(UTC) + timedelta(seconds=1)
        assert prune_dagster(runs, warehouse, soon)[0].gone == {lost.run_id}
    assert daemon.tick() == "0 materializations mirrored, 0 rows closed"


def test_a_history_that_lost_rows_is_compared_again_before_runs_go(
    runs: Runs, warehouse: Warehouse
) -> None:
    """The sensor had read everything; then the newest rows were lost, which it has yet to see."""
    daemon = Daemon(runs.instance)
    runs.source.client = FakeClient([person(n) for n in range(3)])
    runs.run()
    lost = [runs.run().run_id for _ in range(3)]
    daemon.tick()
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_sync_history WHERE run_id = ANY(%s)", (lost,))
        connection.commit()
    gone, _ = prune_dagster(runs, warehouse, datetime.now(UTC) + timedelta(seconds=1))
    assert not gone.gone & set(lost)
    assert daemon.tick() == "3 materializations mirrored, 0 rows closed"


@pytest.mark.parametrize("status", ["STARTED", "NOT_STARTED", "CANCELING"])
def test_a_run_that_has_not_ended_stays(runs: Runs, warehouse: Warehouse, status: str) -> None:
    run = create_run_for_test(runs.instance, "any", status=dg.DagsterRunStatus(status))
    ended = create_run_for_test(runs.instance, "any", status=dg.DagsterRunStatus.FAILURE)
    gone, _ = prune_dagster(runs, warehouse, datetime.now(UTC) + timedelta(seconds=1))
    assert gone.gone == {ended.run_id}
    assert runs.instance.get_run_by_id(run.run_id)


def test_a_run_younger_than_asked_for_stays(runs: Runs, warehouse: Warehouse) -> None:
    create_run_for_test(runs.instance, "any", status=dg.DagsterRunStatus.SUCCESS)
    gone, _ = prune_dagster(runs, warehouse, datetime.now(UTC) - timedelta(days=1))
    assert (gone.gone, gone.kept) == (set(), 0)


# The command and the schedule

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["history", "prune", *words])
        return (status, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--older-than"),
        ("--older-than=ninety", "is no number of days"),
        ("--older-than=0d", "is no number of days"),
        ("--older-than=3d", "3 days is less than 7"),
        ("--older-than=90d --quarantine-older-than=10", "10 days is less than 30"),
    ],
)
def test_an_age_that_is_missing_or_short_is_refused(run: Run, words: str, said: str) -> None:
    status, out, err = run(*words.split())
    assert (status, out) == (exits.USAGE, "")
    assert said in err


def test_the_command_prunes_warehouse_and_dagster_and_compacts(
    run: Run, warehouse: Warehouse
) -> None:
    people = {"crm_source": "hubspot", "sync_type": "contacts"}
    for _ in range(3):
        old(warehouse, 400, **people)
    make_newest(warehouse, **people)
    quarantine(warehouse, 0, days=400, record="1")
    status, out, err = run("--older-than=90d", "--quarantine-older-than=200d", "--dry-run")
    assert status == exits.SUCCESS, err
    assert "3 would be removed" in out
    assert "test.people 1" in out
    assert len(history(warehouse)) == 7
    status, out, _ = run("--older-than=90", "--quarantine-older-than=7", "--yes", "--json")
    assert status == exits.SUCCESS
    told = json.loads(out)
    assert (told["history"], told["quarantine"], told["runs"]) == (3, {"test.people": 1}, 0)
    assert len(history(warehouse)) == 4


def test_compacting_gives_the_disk_back(environment: pytest.MonkeyPatch) -> None:
    from crm_sync_assets.orchestration.prune_runs import compact

    instance = open_instance(read_environment())
    for _ in range(20):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key(PEOPLE), metadata={"text": "x" * 100_000})
        )
    storage: Any = instance.event_log_storage
    index = Path(storage.path_for_shard("index"))
    with storage.index_connection() as connection:
        connection.exec_driver_sql("DELETE FROM event_logs")
    full = index.stat().st_size
    assert compact(instance)
    assert index.stat().st_size < full / 2
    create_run_for_test(instance, "any", status=dg.DagsterRunStatus.STARTED)
    assert not compact(instance), "a run is in progress"
    instance.dispose()


def test_the_schedule_is_off_until_a_retention_is_set(environment: pytest.MonkeyPatch) -> None:
    name = "prune_history_nightly"
    assert build().resolve_schedule_def(name).default_status == dg.DefaultScheduleStatus.STOPPED
    environment.setenv("CRM_SYNC_RETENTION_DAYS", "90")
    schedule = build().resolve_schedule_def(name)
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    environment.setenv("CRM_SYNC_RETENTION_DAYS", "3")
    with pytest.raises(SyncError, match="CRM_SYNC_RETENTION_DAYS cannot be used"):
        build()


def test_the_nightly_job_prunes_what_the_retention_says(
    runs: Runs, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    contacts = registry.entity("hubspot.contacts")
    of = {"crm_source": contacts.crm, "sync_type": contacts.sync_type}
    old(warehouse, 31, **of)
    old(warehouse, 29, **of)
    make_newest(warehouse, **of)
    job = retention.prune_history
    more = {"instance": runs.instance, "resources": {"warehouse": WarehouseResource()}}
    assert not job.execute_in_process(raise_on_error=False, **more).success
    assert len(history(warehouse)) == 6
    environment.setenv("CRM_SYNC_RETENTION_DAYS", "30")
    assert job.execute_in_process(**more).success
    assert len(history(warehouse)) == 5
