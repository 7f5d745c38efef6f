"""`health`: what it calls off, one row of history at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from crm_sync_assets.declarations import registry
from crm_sync_assets.operations.health import examine
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Connection, Warehouse

ENTITIES = {entity.name: entity for entity in registry.entities("hubspot")}
NOW = datetime.now(UTC)
METRICS = {
    "duration_seconds": 60.0,
    "records_per_second": 0.2,
    "success_rate": 1.0,
    "unchanged": 4,
}
GOOD: dict[str, Any] = {
    "crm_source": "hubspot",
    "sync_type": "contacts",
    "start_time": NOW - timedelta(minutes=5),
    "end_time": NOW - timedelta(minutes=4),
    "status": "success",
    "records_processed": 10,
    "records_created": 5,
    "records_updated": 1,
    "records_failed": 0,
    "watermark": NOW - timedelta(minutes=15),
    "configuration": {"strategy": "incremental"},
    "performance_metrics": METRICS,
}


def insert(connection: Connection, **changes: Any) -> None:
    row = {**GOOD, **changes}
    connection.execute(
        sql.SQL("INSERT INTO ingestion_sync_history ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()},
    )
    connection.commit()


def problems(connection: Connection) -> list[str]:
    return [str(one) for one in examine(connection, ENTITIES, crm=None, now=NOW).problems]


def test_a_good_sync_is_healthy(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        insert(connection)
        report = examine(connection, ENTITIES, crm="hubspot", now=NOW)
    assert report.healthy
    [crm] = report.crms
    assert (crm.syncs, crm.success, crm.success_rate, crm.failure_rate) == (1, 1, 1.0, 0.0)
    [state] = [state for state in report.entities if state.newest_status]
    assert state.entity == "hubspot.contacts"
    assert state.last_success == GOOD["end_time"]


def test_a_report_from_outside_hides_no_failed_sync(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        insert(connection, status="failed", reason="auth", error_message="no", watermark=None)
        insert(connection, start_time=NOW, end_time=NOW, kind="mirrored", watermark=None)
        [problem] = problems(connection)
        assert "its newest sync failed (auth): no" in problem


def test_no_sync_at_all_is_not_healthy(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        assert problems(connection) == ["nothing was ever synced"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sync_type": "contactz"}, "no such entity is declared"),
        ({"end_time": None}, "end_time is missing"),
        ({"end_time": NOW - timedelta(hours=1)}, "ended before it started"),
        ({"records_failed": 1, "records_created": 4}, "a success with failed records"),
        ({"status": "partial"}, "a partial sync without failed records"),
        ({"status": "failed", "watermark": None}, "does not say why"),
        ({"performance_metrics": {"unchanged": 4}}, "performance metrics are missing"),
        ({"records_processed": 11}, "processed is not created + updated + unchanged + failed"),
        ({"records_updated": -1, "records_created": 7}, "a negative count"),
        (
            {"status": "failed", "error_message": "no"},
            "a watermark on a sync that may not move it",
        ),
        ({"configuration": {"dry_run": True}}, "a watermark on a sync that may not move it"),
        ({"configuration": {"max_records": 5}}, "a watermark on a sync that may not move it"),
        ({"configuration": {"replay": True}}, "a watermark on a sync that may not move it"),
        ({"kind": "verify"}, "a watermark on a sync that may not move it"),
        ({"configuration": {"until": "2025-01-01"}}, "a watermark on a sync that may not move it"),
        (
            {"status": "failed", "error_message": "out of disk", "watermark": None},
            "hubspot.contacts: its newest sync failed: out of disk",
        ),
        (
            {
                "status": "failed",
                "reason": "system",
                "error_message": "out of disk",
                "watermark": None,
            },
            "hubspot.contacts: its newest sync failed (system): out of disk",
        ),
        (
            {"start_time": NOW - timedelta(days=2), "end_time": NOW - timedelta(days=2)},
            "hubspot.contacts: no successful sync since",
        ),
    ],
)
def test_a_row_that_breaks_the_contract_is_found(
    warehouse: Warehouse, changes: dict[str, Any], said: str
) -> None:
    with warehouse.connection() as connection:
        insert(connection, **changes)
        assert any(said in problem for problem in problems(connection))


RUNNING: dict[str, Any] = {
    "status": "running",
    "end_time": None,
    "watermark": None,
    "performance_metrics": {},
    "configuration": {"lock": "hubspot.deals"},
    "sync_type": "deals",
    "heartbeat": NOW,
}


def test_a_running_sync_is_fine_while_its_process_holds_the_lock(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection, warehouse.connection() as holder:
        insert(connection)
        history.lock(holder, registry.entity("hubspot.deals"))
        insert(connection, **RUNNING)
        assert problems(connection) == []
        history.unlock(holder, registry.entity("hubspot.deals"))
        assert any("it died" in problem for problem in problems(connection))


def test_a_running_sync_without_a_heartbeat_is_stale(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        insert(connection, **{**RUNNING, "heartbeat": NOW - timedelta(hours=2)})
        assert any("without a sign of life" in problem for problem in problems(connection))


def test_trials_do_not_count(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        insert(connection)
        insert(
            connection,
            status="failed",
            error_message="a dry run may fail",
            watermark=None,
            configuration={"dry_run": True},
            start_time=NOW - timedelta(minutes=1),
            end_time=NOW,
        )
        assert examine(connection, ENTITIES, crm=None, now=NOW).healthy


def test_another_crms_rows_are_left_out(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        insert(connection)
        insert(connection, crm_source="salesforce", records_processed=99)
        assert examine(connection, ENTITIES, crm="hubspot", now=NOW).healthy
        assert not examine(connection, ENTITIES, crm=None, now=NOW).healthy
