"""SyncHistory: which past counts, who holds the lock, and rows of the dead."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from crm_sync_assets import history as sync_history
from crm_sync_assets.errors import (
    AlreadyRunning,
    FatalError,
    Fenced,
    SyncError,
    TransientError,
)
from crm_sync_assets.history import Checkpoint
from crm_sync_assets.session import Session
from crm_sync_assets.warehouse import Counts, Warehouse
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    START,
    THINGS,
    FakeClient,
    history,
    person,
    rows,
    start,
    sync,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHECKPOINT = Checkpoint(
    {"phase": "live", "after": "ü\n100"}, "a=1 b=None", 7, START, Counts(3, 1, 1, 1), True, NOW
)


def add(warehouse: Warehouse, **values: Any) -> int:
    """A history row as some sync of people might have left it."""
    row = {
        "crm_source": "test",
        "sync_type": "people",
        "start_time": NOW,
        "end_time": NOW + timedelta(minutes=1),
        "status": "success",
        "configuration": {"trial": False, "lock": "test.people"},
        **values,
    }
    names = ", ".join(row)
    marks = ", ".join(["%s"] * len(row))
    kept = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
    with warehouse.connection() as connection:
        found = connection.execute(
            f"INSERT INTO ingestion_sync_history ({names}) VALUES ({marks}) RETURNING id",  # noqa: S608  # type: ignore[arg-type]
            kept,
        ).fetchone()
        connection.commit()
    assert found is not None
    return int(found[0])


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
        pytest.param(
            {"configuration": {"trial": True, "lock": "test.people"}}, True, id="a later trial"
        ),
        pytest.param({"sync_type": "things"}, True, id="a sync of another entity"),
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
        assert not sync_history.close_failed(connection, closed, "again")
        connection.commit()
    assert history(warehouse) == before


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
        assert sync_history.close_failed_run(connection, "run-1", "test", "people", "why")
        assert not sync_history.close_failed_run(connection, "run-1", "test", "people", "why")
        assert not sync_history.close_failed_run(connection, "run-2", "test", "things", "why")
    assert [row["id"] for row in history(warehouse) if row["status"] == "failed"] == [mine]


# The reaper


def test_the_reaper_spares_a_sync_that_lives_and_ends_none_twice(warehouse: Warehouse) -> None:
    alive = start(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        assert sync_history.reap(connection) == []
        assert sync_history.reap(connection, stale_after=timedelta(0)) == [alive.sync_id]
        assert sync_history.reap(connection, stale_after=timedelta(0)) == []
    with pytest.raises((SyncError, psycopg.Error)):
        alive.drain()
    (row,) = history(warehouse)
    assert row["status"] == "failed"
    assert "no sign of life" in row["error_message"]


def test_a_reaped_row_keeps_its_checkpoint(warehouse: Warehouse) -> None:
    add(warehouse, status="running", end_time=None, checkpoint=CHECKPOINT.as_json())
    with warehouse.connection() as connection:
        assert len(sync_history.reap(connection)) == 1
    assert past(warehouse).checkpoint == CHECKPOINT


def test_the_reaper_finds_the_lock_of_any_name(warehouse: Warehouse) -> None:
    """A hash below zero once has its halves compared as unsigned numbers."""
    with warehouse.connection() as connection:
        for number in range(40):
            name = f"crm_sync some.thing_{number}"
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            holder = sync_history._lock_holder(connection, name)
            assert holder == connection.info.backend_pid
            connection.execute("SELECT pg_advisory_unlock_all()")
            assert sync_history._lock_holder(connection, name) is None


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
        "run_id", "watermark", "checkpoint", "heartbeat",
    }  # fmt: skip
