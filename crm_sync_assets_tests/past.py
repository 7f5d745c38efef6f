"""Rows of SyncHistory as some sync of people might have left them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint
from crm_sync_assets_tests.scripted import START

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
