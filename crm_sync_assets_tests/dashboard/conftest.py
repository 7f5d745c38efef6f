"""A small past of the scripted entities, in a real warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.dashboard.board import Board, read
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests import past
from crm_sync_assets_tests.scripted import CALLS, PEOPLE, THINGS

NOW = datetime.now(UTC)
MARKUP = "<img src=x onerror=\"document.title='owned'\"></script><script>alert(1)</script>"
OTHER = replace(CALLS, name="other.calls")
ENTITIES = (PEOPLE, THINGS, CALLS, OTHER)
SETTINGS = SyncSettings(fresh_hours=26)


def add(warehouse: Warehouse, ago: timedelta, **values: Any) -> int:
    """A delta of people that began `ago` and took a minute."""
    started = NOW - ago
    return past.add(
        warehouse,
        **{
            "start_time": started,
            "end_time": started + timedelta(minutes=1),
            "watermark": started,
            "records_processed": 12,
            "records_created": 7,
            "records_updated": 2,
            "configuration": {"strategy": "incremental"},
            "performance_metrics": {
                "unchanged": 3,
                "deleted": 4,
                "api_calls": 10,
                "quota_units": 200,
                "rate_limit_hits": 1,
            },
            **values,
        },
    )


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """People are fresh, things failed with markup in the error, calls have a record set aside and
    are overdue; others were never synced.
    """
    hour = timedelta(hours=1)
    for hours in (1, 2, 3, 25, 26, 27, 28):
        add(warehouse, hours * hour)
    add(
        warehouse,
        2 * hour,
        sync_type="things",
        status="failed",
        reason="auth",
        error_message=f"answered 401 to jane.doe@example.com {MARKUP}",
        watermark=None,
        performance_metrics={},
        records_processed=0,
        records_created=0,
        records_updated=0,
    )
    add(
        warehouse,
        40 * hour,
        sync_type="calls",
        status="partial",
        records_processed=14,
        records_failed=2,
    )
    with warehouse.connection() as connection:
        for record in ("1", "2"):
            connection.execute(
                "INSERT INTO ingestion_quarantine (crm_source, sync_type, record_id, stage, field, "
                "reason, payload) VALUES ('test', 'calls', %s, 'parse', 'started', %s, %s)",
                (record, "is no date <b>bold</b>", '{"name": "Jane Doe"}'),
            )
        connection.commit()
    return warehouse


def board_of(warehouse: Warehouse, *, days_back: int = 30) -> Board:
    with warehouse.connection() as connection:
        return read(connection, ENTITIES, days_back=days_back, now=NOW, settings=lambda _: SETTINGS)


@pytest.fixture
def board(filled: Warehouse) -> Board:
    return board_of(filled)
