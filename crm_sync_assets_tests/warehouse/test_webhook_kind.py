"""A turn at what webhooks told counts as no sync, whoever asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.dashboard.states import states
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import FatalError
from crm_sync_assets.operations import alert_rules, health
from crm_sync_assets.operations.baselines import paces
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.operations.owed import owed
from crm_sync_assets.orchestration import asset_checks
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.past import CHECKPOINT, NOW, add
from crm_sync_assets_tests.scripted import (
    CRM,
    PEOPLE,
    SETTINGS,
    FakeClient,
    history,
    person,
    start,
    sync,
)

ENTITIES = {PEOPLE.name: PEOPLE}
LIMITS = Limits(rate_limit_hits=5, failure_rate=0.05, failure_syncs=2)


def settings(_: Entity) -> SyncSettings:
    return SETTINGS


def told(warehouse: Warehouse) -> dict[str, Any]:
    """All that is said of the entity's syncs."""
    with warehouse.connection() as connection:
        found = {
            "past": sync_history.past(connection, PEOPLE),
            "health": health.examine(connection, ENTITIES, crm=None, now=NOW).as_json(),
            "full reads": health.last_full_reads(connection, PEOPLE),
            "alerts": alert_rules.look(
                connection,
                ENTITIES,
                silence=timedelta(hours=26),
                limits=LIMITS,
                now=NOW,
                settings=settings,
            ),
            "pace": paces(connection, [PEOPLE], NOW),
            "owed": owed(connection, [PEOPLE]),
            "checks": {
                check.__name__: check(connection, CRM, PEOPLE)
                for check in (asset_checks.last_sync, asset_checks.failure_rate)
            },
            "complete": asset_checks.one(
                connection, asset_checks.COMPLETE, (PEOPLE.crm, PEOPLE.sync_type)
            ),
            # How many rows there are is estimated by the server, when it likes.
            "states": [
                replace(one, rows=0)
                for one in states(connection, [PEOPLE], now=NOW, settings=settings)
            ],
        }
        connection.rollback()
    return found


PASTS: dict[str, list[dict[str, Any]]] = {
    "never synced": [],
    "synced days ago": [{"watermark": NOW - timedelta(days=3)}],
    "failed last": [
        {"watermark": NOW - timedelta(days=3)},
        {"status": "failed", "error_message": "no", "reason": "other"},
    ],
    "interrupted": [
        {"watermark": NOW - timedelta(days=3)},
        {"status": "failed", "reason": "system", "checkpoint": CHECKPOINT.as_json()},
    ],
    "a full read failed": [
        {"watermark": NOW - timedelta(days=3), "configuration": {"strategy": "full"}},
        {"status": "failed", "reason": "other", "configuration": {"strategy": "full"}},
    ],
}


@pytest.mark.parametrize("past", PASTS.values(), ids=PASTS.keys())
@pytest.mark.parametrize("status", ["success", "partial", "failed"])
def test_nothing_that_is_said_of_syncs_changes(
    warehouse: Warehouse, past: list[dict[str, Any]], status: str
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_sync_history")
        connection.commit()
    for number, row in enumerate(past):
        ended = NOW - timedelta(days=3) + timedelta(hours=number)
        add(warehouse, start_time=ended - timedelta(minutes=5), end_time=ended, **row)
    before = told(warehouse)
    for minutes in (50, 40, 30):
        add(
            warehouse,
            kind="webhook",
            status=status,
            start_time=NOW - timedelta(minutes=minutes),
            end_time=NOW - timedelta(minutes=minutes - 1),
            records_processed=10,
            records_created=1,
            records_failed=0 if status == "success" else 9,
            reason="data" if status == "failed" else None,
            error_message="x" if status == "failed" else None,
            performance_metrics={
                "duration_seconds": 9_999,
                "records_per_second": 0.1,
                "success_rate": 0.1,
                "unchanged": 9 if status == "success" else 0,
            },
            configuration={"trial": True, "webhook": True, "lock": "test.people"},
        )
    assert told(warehouse) == before


def test_an_interrupted_sync_goes_on_where_it_was(warehouse: Warehouse) -> None:
    """Whatever webhooks have brought since."""
    source = FakeClient([person(n) for n in range(500)], page_size=100)

    def broken(place: int) -> None:
        if place >= 300:
            raise FatalError("the source went away")

    source.before_page = broken
    with pytest.raises(FatalError):
        sync(warehouse, source)
    add(warehouse, kind="webhook", end_time=None, status="running")
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET status = 'success', start_time = now(), "
            "end_time = now() WHERE kind = 'webhook'"
        )
        connection.commit()
    source.before_page, source.asked = lambda _: None, []
    resumed = start(warehouse, source)
    assert resumed.resumed
    drain(resumed)
    assert min(source.asked) >= 200
    assert history(warehouse)[-1]["records_processed"] == 500
