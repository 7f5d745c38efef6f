"""Another try for quarantined records."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import AlreadyRunning
from crm_sync_assets.operations.replay import Replayed, replay
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.warehouse import history, quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.tables import ensure_table

TICKETS = registry.entity("hubspot.tickets")


def record(record_id: str, subject: str = "leak", modified: str = "2025-05-01T10:00:00Z") -> Any:
    return {
        "id": record_id,
        "properties": {"subject": subject, "hs_lastmodifieddate": modified},
        "createdAt": "2025-01-01T00:00:00Z",
        "updatedAt": modified,
        "archived": False,
    }


def set_aside(warehouse: Warehouse, *records: Any) -> list[quarantine.Entry]:
    failures = [Failure(r.get("id"), "load", "no room", None, r, None) for r in records]
    with warehouse.connection() as connection:
        quarantine.add(connection, TICKETS, None, failures)
        connection.commit()
        return quarantine.entries(connection)


def run(warehouse: Warehouse) -> Replayed:
    with warehouse.connection() as connection:
        entries = quarantine.entries(connection)
    return replay(warehouse, TICKETS, entries)


def query(warehouse: Warehouse, text: Any) -> list[Any]:
    with warehouse.connection() as connection:
        return connection.execute(text).fetchall()


def test_what_loads_leaves_the_quarantine_and_history_says_so(warehouse: Warehouse) -> None:
    set_aside(warehouse, record("1"), record("2"))
    done = run(warehouse)
    assert (done.counts.created, done.counts.failed, done.refused) == (2, 0, [])
    assert query(warehouse, "SELECT id, subject FROM hubspot_ticket ORDER BY id") == [
        ("1", "leak"),
        ("2", "leak"),
    ]
    assert query(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(0,)]
    [(status, watermark, kind, processed)] = query(
        warehouse, "SELECT status, watermark, kind, records_processed FROM ingestion_sync_history"
    )
    assert (status, watermark, kind, processed) == ("success", None, "replay", 2)


def test_what_is_refused_again_stays_with_one_more_try(warehouse: Warehouse) -> None:
    nameless = {key: value for key, value in record("3").items() if key != "id"}
    set_aside(warehouse, record("1"), nameless)
    done = run(warehouse)
    assert (done.counts.created, done.counts.failed) == (1, 1)
    assert done.counts.add_up
    assert query(warehouse, "SELECT tries, sync_id FROM ingestion_quarantine") == [
        (2, done.sync_id)
    ]
    assert query(warehouse, "SELECT status FROM ingestion_sync_history") == [("partial",)]


def test_a_newer_stored_row_wins(warehouse: Warehouse) -> None:
    set_aside(warehouse, record("1", "newer", "2025-06-01T00:00:00Z"))
    run(warehouse)
    set_aside(warehouse, record("1", "older", "2025-05-01T00:00:00Z"))
    done = run(warehouse)
    assert (done.counts.updated, done.counts.unchanged) == (0, 1)
    assert query(warehouse, "SELECT subject FROM hubspot_ticket") == [("newer",)]


def test_a_record_deleted_since_is_not_brought_back(warehouse: Warehouse) -> None:
    set_aside(warehouse, record("1"))
    run(warehouse)
    set_aside(warehouse, record("1", "late", "2025-07-01T00:00:00Z"))
    with warehouse.connection() as connection:
        connection.execute("UPDATE hubspot_ticket SET deleted_at = now(), sync_updated_at = now()")
        connection.commit()
    done = run(warehouse)
    assert done.obsolete == 1
    assert query(warehouse, "SELECT deleted_at IS NULL, subject FROM hubspot_ticket") == [
        (False, "leak")
    ]
    assert query(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(0,)]


def test_a_running_sync_of_the_entity_is_not_disturbed(warehouse: Warehouse) -> None:
    set_aside(warehouse, record("1"))
    with warehouse.connection() as connection:
        history.lock(connection, TICKETS)
        with pytest.raises(AlreadyRunning):
            run(warehouse)
        history.unlock(connection, TICKETS)
    assert run(warehouse).counts.created == 1


def test_a_replay_that_breaks_off_keeps_every_entry(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(warehouse, record("1"))
    monkeypatch.setattr(quarantine, "remove", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(warehouse)
    assert query(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(1,)]
    with warehouse.connection() as connection:
        ensure_table(connection, TICKETS)
    assert query(warehouse, "SELECT count(*) FROM hubspot_ticket") == [(0,)]
    assert query(warehouse, "SELECT status FROM ingestion_sync_history") == [("failed",)]
