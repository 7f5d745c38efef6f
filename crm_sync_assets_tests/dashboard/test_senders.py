"""What became of webhooks, for Prometheus."""

from __future__ import annotations

from datetime import timedelta

from crm_sync_assets.dashboard.board import read
from crm_sync_assets.dashboard.metrics import exposition
from crm_sync_assets.declarations.webhooks import Event
from crm_sync_assets.warehouse import webhook_events, webhook_tallies
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Received
from crm_sync_assets.warehouse.webhook_tallies import Refusal, Sort, Span
from crm_sync_assets_tests.dashboard.conftest import ENTITIES, NOW, SETTINGS


def test_what_was_heard_waits_failed_and_was_refused(warehouse: Warehouse) -> None:
    at = NOW - timedelta(hours=3)
    with warehouse.connection() as connection:
        webhook_tallies.add_heard(connection, {Sort("test", "people", "created"): Span(2, at, at)})
        webhook_tallies.add_refused(connection, {Refusal("test", "wrong"): Span(12, at, NOW)})
        told = [Received("test", Event(str(n), "x", "people", (str(n),))) for n in range(3)]
        webhook_events.add(connection, [*told, Received("nobody", told[0].event)], None)
        connection.execute("UPDATE ingestion_webhook_event SET received_at = %s", (at,))
        connection.execute(
            "UPDATE ingestion_webhook_event SET status = 'failed' WHERE event_key = '2'"
        )
        connection.commit()
        board = read(connection, ENTITIES, days_back=3, now=NOW, settings=lambda _: SETTINGS)
    [sender] = board.webhooks
    assert (sender.crm, sender.heard_at, sender.pending, sender.failed) == ("test", at, 2, 1)
    assert (sender.waiting_since, sender.refused) == (at, {"wrong": 12})
    rules = {one.rule: one.subject for one in board.findings}
    assert rules["webhook_failed"] == "test.people"
    assert rules["webhook_pending"] == "test.people"
    assert rules["webhook_refused"] == "test"
    text = exposition(board).decode()
    for line in (
        'crm_sync_webhook_events{crm="test",status="pending"} 2.0',
        'crm_sync_webhook_events{crm="test",status="failed"} 1.0',
        'crm_sync_webhook_refused_deliveries{crm="test",reason="wrong"} 12.0',
        'crm_sync_open_alerts{rule="webhook_refused"} 1.0',
    ):
        assert line in text.splitlines()
    assert 'crm_sync_webhook_heard_timestamp_seconds{crm="test"}' in text
    assert "nobody" not in text
