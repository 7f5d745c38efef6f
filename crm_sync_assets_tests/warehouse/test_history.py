"""SyncHistory: which past counts, who holds the lock, and rows of the dead."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from crm_sync_assets.engine.run import drain
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import (
    AlreadyRunning,
    FatalError,
    Fenced,
    SyncError,
    TransientError,
)
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint
from crm_sync_assets_tests.past import CHECKPOINT, NOW, add
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


def past(warehouse: Warehouse) -> sync_history.Past:
    with warehouse.connection() as connection:
        return sync_history.past(connection, PEOPLE)


# The past


def test_without_history_there_is_no_past(warehouse: Warehouse) -> None:
    add(warehouse, sync_type="things", watermark=NOW)
    add(warehouse, crm_source="other", watermark=NOW)
    assert past(warehouse) == sync_history.Past()


def test_the_watermark_is_that_of_the_newest_complete_sync_by_its_end(
    warehouse: Warehouse,
) -> None:
    hour = timedelta(hours=1)
    add(warehouse, watermark=NOW, end_time=NOW + 3 * hour)
    add(warehouse, watermark=NOW + hour, end_time=NOW + 2 * hour)
    add(warehouse, watermark=NOW + 9 * hour, end_time=NOW + 9 * hour, status="failed")
    add(warehouse, watermark=None, end_time=NOW + 8 * hour)
    assert past(warehouse).watermark == NOW
    add(warehouse, watermark=NOW + 2 * hour, end_time=NOW + 4 * hour, status="partial")
    assert past(warehouse).watermark == NOW + 2 * hour


def test_state_and_fingerprint_belong_to_the_sync_that_set_the_watermark(
    warehouse: Warehouse,
) -> None:
    old = {"trial": False, "source_state": {"etag": "a"}, "fingerprint": "old"}
    new = {"trial": False, "source_state": {"etag": "b"}, "fingerprint": "new"}
    add(warehouse, watermark=NOW, configuration=old)
    add(warehouse, watermark=None, configuration=new, end_time=NOW + timedelta(hours=1))
    found = past(warehouse)
    assert (found.state, found.fingerprint) == ({"etag": "a"}, "old")


@pytest.mark.parametrize(
    ("later", "followed"),
    [
        pytest.param({"status": "success"}, False, id="a later sync without one"),
        pytest.param({"kind": "dry_run"}, True, id="a later trial"),
        pytest.param({"kind": "mirrored"}, True, id="a later report from outside"),
        pytest.param({"sync_type": "things"}, True, id="a sync of another entity"),
        pytest.param({"crm_source": "other"}, True, id="a sync of another source"),
    ],
)
def test_a_checkpoint_counts_only_if_the_newest_sync_left_it(
    warehouse: Warehouse, later: dict[str, Any], followed: bool
) -> None:
    left = add(warehouse, status="failed", checkpoint=CHECKPOINT.as_json())
    add(warehouse, start_time=NOW + timedelta(hours=1), **later)
    found = past(warehouse)
    assert (found.checkpoint == CHECKPOINT) == followed
    assert (found.interrupted_id == left) == followed


def test_of_two_syncs_that_began_at_one_moment_the_later_row_is_the_newest(
    warehouse: Warehouse,
) -> None:
    add(warehouse, status="failed", checkpoint=CHECKPOINT.as_json())
    add(warehouse)
    assert past(warehouse).checkpoint is None


def test_state_and_memory_are_known_with_and_without_a_checkpoint(warehouse: Warehouse) -> None:
    known = {"trial": False, "source_state": {"etag": "a"}, "source_memory": {"seen": [1]}}
    add(warehouse, watermark=NOW, configuration=known)
    found = past(warehouse)
    assert (found.state, found.memory) == ({"etag": "a"}, {"seen": [1]})
    later = NOW + timedelta(hours=1)
    add(warehouse, status="failed", start_time=later, checkpoint=CHECKPOINT.as_json())
    found = past(warehouse)
    assert found.checkpoint == CHECKPOINT
    assert (found.state, found.memory) == ({"etag": "a"}, {"seen": [1]})


def test_a_checkpoint_that_does_not_say_whether_keys_were_kept_kept_none() -> None:
    stored = CHECKPOINT.as_json()
    del stored["tracks_keys"]
    assert not Checkpoint.from_json(stored).tracks_keys


def test_a_checkpoint_survives_its_way_through_the_database(warehouse: Warehouse) -> None:
    add(warehouse, status="failed", checkpoint=CHECKPOINT.as_json())
    assert past(warehouse).checkpoint == CHECKPOINT
    assert Checkpoint.from_json(json.loads(json.dumps(CHECKPOINT.as_json()))) == CHECKPOINT


def test_a_checkpoint_is_as_old_as_its_page_not_as_the_discovery_of_the_crash(
    warehouse: Warehouse,
) -> None:
    """A sync died on Monday and the next one, which closes its row, runs on Friday."""
    monday = NOW - timedelta(days=4)
    add(
        warehouse,
        status="failed",
        start_time=monday,
        end_time=NOW,
        checkpoint={**CHECKPOINT.as_json(), "made": monday.isoformat()},
    )
    assert past(warehouse).interrupted_at == monday


def test_an_interruption_is_no_younger_than_the_end_of_its_sync(warehouse: Warehouse) -> None:
    """The page was dated by a clock that runs ahead of the server's."""
    made = (NOW + timedelta(days=1)).isoformat()
    add(warehouse, status="failed", end_time=NOW, checkpoint={**CHECKPOINT.as_json(), "made": made})
    assert past(warehouse).interrupted_at == NOW


def test_attempts_that_store_nothing_do_not_make_a_checkpoint_younger(
    warehouse: Warehouse,
) -> None:
    def fail(start_of_page: int) -> None:
        if start_of_page == 200:
            raise TransientError("the source is down")

    client = FakeClient([person(n) for n in range(300)], before_page=fail)
    for _ in range(3):
        with pytest.raises(TransientError):
            sync(warehouse, client)
    first, second, third = (row["checkpoint"]["made"] for row in history(warehouse))
    assert first == second == third


# The lock


def test_the_lock_is_named_by_what_is_written(warehouse: Warehouse) -> None:
    assert sync_history.resource(PEOPLE) == sync_history.resource(PEOPLE_REMOVAL)
    first = Session(warehouse, PEOPLE_REMOVAL)
    with pytest.raises(AlreadyRunning, match="just starting or ending"):
        Session(warehouse, PEOPLE)
    Session(warehouse, THINGS).release()
    first.release()
    Session(warehouse, PEOPLE).release()


def test_a_lock_is_waited_for_until_its_old_session_is_gone(warehouse: Warehouse) -> None:
    old = Session(warehouse, PEOPLE)
    leaving = threading.Timer(0.5, old.release)
    with warehouse.connection() as connection:
        leaving.start()
        sync_history.relock(connection, PEOPLE, patience_seconds=60)
        leaving.join()
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        name = f"crm_sync {sync_history.resource(PEOPLE)}"
        assert locks.holder(connection, name) == connection.info.backend_pid
        sync_history.unlock(connection, PEOPLE)


def test_only_rows_of_the_same_lock_are_closed_when_it_is_taken(warehouse: Warehouse) -> None:
    dead = add(warehouse, status="running", end_time=None)
    removal = add(warehouse, status="running", end_time=None, sync_type="people_removal")
    other = add(
        warehouse,
        status="running",
        end_time=None,
        sync_type="things",
        configuration={"lock": "test.things"},
    )
    Session(warehouse, PEOPLE).release()
    states = {row["id"]: row["status"] for row in history(warehouse)}
    assert states == {dead: "failed", removal: "failed", other: "running"}


def test_taking_the_lock_says_of_the_dead_that_they_died_and_of_the_others_nothing(
    warehouse: Warehouse,
) -> None:
    add(warehouse, watermark=NOW)
    add(warehouse, status="failed", error_message="its own")
    add(warehouse, status="running", end_time=None)
    Session(warehouse, PEOPLE).release()
    complete, failed, dead = sorted(history(warehouse), key=lambda row: row["id"])
    assert (complete["status"], complete["error_message"]) == ("success", None)
    assert failed["error_message"] == "its own"
    assert "died" in dead["error_message"]


def test_whoever_is_refused_is_told_of_the_running_sync_not_of_an_ended_one(
    warehouse: Warehouse,
) -> None:
    holder = Session(warehouse, PEOPLE)
    running = add(warehouse, status="running", end_time=None)
    add(warehouse, start_time=NOW + timedelta(hours=1), run_id="ended")
    with pytest.raises(AlreadyRunning, match=rf"\(sync {running} of test.people, run unknown"):
        Session(warehouse, PEOPLE)
    holder.release()


def test_the_database_itself_refuses_a_second_running_row(warehouse: Warehouse) -> None:
    add(warehouse, status="running", end_time=None)
    with pytest.raises(Exception, match="one_running_sync_per_entity"):
        add(warehouse, status="running", end_time=None)


def test_a_status_nobody_knows_is_refused_by_the_database(warehouse: Warehouse) -> None:
    with pytest.raises(Exception, match="status_is_known"):
        add(warehouse, status="deferred")


# Fencing


def test_nothing_can_be_written_to_a_row_that_is_closed(warehouse: Warehouse) -> None:
    closed = add(warehouse, status="failed", error_message="declared dead")
    before = history(warehouse)
    with warehouse.connection() as connection:
        with pytest.raises(Fenced):
            sync_history.beat(connection, closed)
        with pytest.raises(Fenced):
            sync_history.record_progress(connection, closed, Counts(), CHECKPOINT)
        with pytest.raises(Fenced):
            sync_history.close(
                connection,
                closed,
                "success",
                Counts(),
                watermark=NOW,
                metrics={},
                extra_configuration={},
            )
        assert not sync_history.close_failed(connection, closed, "again", reason="other")
        connection.commit()
    assert history(warehouse) == before


def test_a_batch_is_stored_when_the_living_row_has_exactly_its_counts(
    warehouse: Warehouse,
) -> None:
    running = add(warehouse, status="running", end_time=None, records_processed=100)
    closed = add(warehouse, status="failed", records_processed=100)
    with warehouse.connection() as connection:
        assert sync_history.has_stored(connection, running, Counts(100), Counts())
        assert not sync_history.has_stored(connection, running, Counts(99), Counts())
        assert not sync_history.has_stored(connection, running, Counts(101), Counts())
        assert not sync_history.has_stored(connection, running, Counts(100, updated=1), Counts(100))
        assert not sync_history.has_stored(
            connection, running, Counts(100), Counts(100, warnings=1)
        )
        assert not sync_history.has_stored(connection, closed, Counts(100), Counts())


@pytest.mark.parametrize(
    ("status", "complete"),
    [("success", True), ("partial", True), ("failed", False), ("running", False)],
)
def test_a_sync_is_complete_with_or_without_failures(
    warehouse: Warehouse, status: str, complete: bool
) -> None:
    row = add(warehouse, status=status)
    with warehouse.connection() as connection:
        assert sync_history.is_complete(connection, row) == complete


def test_a_batch_and_a_wait_both_renew_the_heartbeat(warehouse: Warehouse) -> None:
    running = add(warehouse, status="running", end_time=None, heartbeat=NOW)
    with warehouse.connection() as connection:
        sync_history.record_progress(connection, running, Counts(), None)
        connection.commit()
        after_batch = history(warehouse)[0]["heartbeat"]
        sync_history.beat(connection, running)
        # Read on another connection: a beat commits.
        after_wait = history(warehouse)[0]["heartbeat"]
    assert NOW < after_batch < after_wait


def test_counts_that_do_not_add_up_may_not_end_a_sync(warehouse: Warehouse) -> None:
    running = add(warehouse, status="running", end_time=None)
    with warehouse.connection() as connection, pytest.raises(FatalError, match="do not add up"):
        sync_history.close(
            connection,
            running,
            "success",
            Counts(5, created=4),
            watermark=NOW,
            metrics={},
            extra_configuration={},
        )
    assert history(warehouse)[0]["status"] == "running"


def test_a_sync_that_ends_keeps_its_configuration_and_drops_its_checkpoint(
    warehouse: Warehouse,
) -> None:
    running = add(
        warehouse,
        status="running",
        end_time=None,
        checkpoint=CHECKPOINT.as_json(),
        configuration={"trial": False, "lock": "test.people", "fingerprint": "old"},
    )
    with warehouse.connection() as connection:
        sync_history.close(
            connection,
            running,
            "success",
            Counts(),
            watermark=NOW,
            metrics={},
            extra_configuration={"fingerprint": "new"},
        )
        connection.commit()
    (row,) = history(warehouse)
    assert row["checkpoint"] is None
    assert row["configuration"] == {"trial": False, "lock": "test.people", "fingerprint": "new"}


@pytest.mark.parametrize("start_over", [False, True])
def test_a_sync_that_fails_keeps_its_metrics_and_its_checkpoint_unless_it_starts_over(
    warehouse: Warehouse, start_over: bool
) -> None:
    running = add(
        warehouse,
        status="running",
        end_time=None,
        checkpoint=CHECKPOINT.as_json(),
        performance_metrics={"pages": 3},
    )
    message = "x" * 20_000
    with warehouse.connection() as connection:
        assert sync_history.close_failed(
            connection, running, message, {"seconds": 1}, reason="quota", start_over=start_over
        )
    (row,) = history(warehouse)
    assert row["performance_metrics"] == {"pages": 3, "seconds": 1}
    assert (row["checkpoint"] is None) == start_over
    assert (row["error_message"], row["reason"]) == ("x" * 10_000, "quota")


@pytest.mark.parametrize("message", ["a NUL \x00", "half \ud800 a character", "x" * 20_000])
def test_whatever_the_reason_says_the_row_is_closed(warehouse: Warehouse, message: str) -> None:
    """A source's error text with a lone surrogate once left the row `running`."""

    def fail(_: int) -> None:
        raise FatalError(message)

    with pytest.raises(FatalError):
        sync(warehouse, FakeClient([person(1)], before_page=fail))
    (row,) = history(warehouse)
    assert row["status"] == "failed"
    assert row["error_message"][:4] == message[:4]


def test_a_run_closes_only_its_own_rows(warehouse: Warehouse) -> None:
    mine = add(warehouse, status="running", end_time=None, run_id="run-1")
    add(warehouse, status="running", end_time=None, run_id="run-1", crm_source="other")
    add(warehouse, status="running", end_time=None, run_id="run-1", sync_type="things")
    with warehouse.connection() as connection:
        assert sync_history.close_failed_run(
            connection, "run-1", "test", "people", "why", reason="other"
        )
        assert not sync_history.close_failed_run(
            connection, "run-1", "test", "people", "why", reason="other"
        )
        assert not sync_history.close_failed_run(
            connection, "run-2", "test", "things", "why", reason="other"
        )
    assert [row["id"] for row in history(warehouse) if row["status"] == "failed"] == [mine]


def test_a_run_tried_again_closes_the_row_that_still_runs(warehouse: Warehouse) -> None:
    add(warehouse, status="failed", run_id="run-1")
    second = add(warehouse, status="running", end_time=None, run_id="run-1")
    with warehouse.connection() as connection:
        assert sync_history.close_failed_run(
            connection, "run-1", "test", "people", "why", reason="other"
        )
    assert {row["id"]: row["error_message"] for row in history(warehouse)}[second] == "why"


# The reaper


def test_the_reaper_spares_a_sync_that_lives_and_ends_none_twice(warehouse: Warehouse) -> None:
    alive = start(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        assert sync_history.reap(connection) == []
        assert sync_history.reap(connection, stale_after=timedelta(0)) == [alive.sync_id]
        assert sync_history.reap(connection, stale_after=timedelta(0)) == []
    with pytest.raises((SyncError, psycopg.Error)):
        drain(alive)
    (row,) = history(warehouse)
    assert row["status"] == "failed"
    assert "no sign of life" in row["error_message"]


@pytest.mark.parametrize(("minutes", "hangs"), [(25, False), (35, True)])
def test_half_an_hour_without_a_heartbeat_is_hanging(
    warehouse: Warehouse, minutes: int, hangs: bool
) -> None:
    silent = start(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history "
            "SET heartbeat = clock_timestamp() - make_interval(mins => %s)",
            (minutes,),
        )
        connection.commit()
        assert sync_history.reap(connection) == ([silent.sync_id] if hangs else [])
        assert sync_history.reap(connection, stale_after=timedelta(0)) == (
            [] if hangs else [silent.sync_id]
        )
    with pytest.raises((SyncError, psycopg.Error)):
        drain(silent)


def test_a_living_sync_beats_often_before_it_counts_as_hanging() -> None:
    assert 0 < sync_history.HEARTBEAT_SECONDS * 10 < sync_history.STALE_AFTER.total_seconds()


def test_a_reaped_row_keeps_its_checkpoint(warehouse: Warehouse) -> None:
    add(warehouse, status="running", end_time=None, checkpoint=CHECKPOINT.as_json())
    with warehouse.connection() as connection:
        assert len(sync_history.reap(connection)) == 1
    assert past(warehouse).checkpoint == CHECKPOINT


def test_the_reaper_closes_all_the_dead_and_says_that_they_died(warehouse: Warehouse) -> None:
    dead = [
        add(warehouse, status="running", end_time=None, sync_type=name, heartbeat=NOW)
        for name in ("people", "things")
    ]
    with warehouse.connection() as connection:
        assert sorted(sync_history.reap(connection)) == dead
    assert all("died" in row["error_message"] for row in history(warehouse))


def test_the_history_table_has_the_columns_and_indexes_people_rely_on(
    warehouse: Warehouse,
) -> None:
    names = {
        row[0]
        for row in rows(
            warehouse,
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_name = 'ingestion_sync_history'",
        )
    }
    assert names >= {
        "crm_source", "sync_type", "endpoint", "start_time", "end_time", "status",
        "records_processed", "records_created", "records_updated", "records_failed",
        "error_message", "configuration", "performance_metrics", "created_at",
        "run_id", "watermark", "checkpoint", "heartbeat", "kind", "reason",
    }  # fmt: skip
