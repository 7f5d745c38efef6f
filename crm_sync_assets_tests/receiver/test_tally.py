"""What was heard and refused is counted, and costs a sender's request nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.errors import Unavailable
from crm_sync_assets.receiver import tally as module
from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_tallies import Refusal, Sort, Span
from crm_sync_assets_tests.receiver.bench import event, serving
from crm_sync_assets_tests.scripted import rows

REFUSALS = (
    "SELECT source, reason, sum(deliveries)::int FROM ingestion_webhook_refusal GROUP BY 1, 2"
)
HEARD = "SELECT source, entity, happened, events FROM ingestion_webhook_heard ORDER BY 1, 2, 3"


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not found() and time.monotonic() < deadline:
        time.sleep(0.02)
    return found()


def test_a_flood_of_wrong_signatures_is_a_row_per_reason_and_hour(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    """However many, they cost a statement at the end, and are kept when the receiver stops."""
    told: list[int] = []
    add = webhook_tallies.add_refused

    def counted(connection: Any, refused: Any) -> None:
        told.append(sum(span.count for span in refused.values()))
        add(connection, refused)

    secrets.setattr(webhook_tallies, "add_refused", counted)
    for _ in range(2):
        with serving() as found, ThreadPoolExecutor(8) as threads:
            wrong = list(
                threads.map(
                    lambda n: found.hubspot(event(n), secret=f"wrong-{n}").status_code,
                    range(100),
                )
            )
            assert set(wrong) == {401}
            assert found.hubspot(event(1), at=time.time() - 301).status_code == 401
            assert found.post("/webhooks/pipedrive", json={}).status_code == 401
    assert sorted(rows(warehouse, REFUSALS)) == [
        ("hubspot", "it was signed too long ago", 2),
        ("hubspot", "its signature is wrong", 200),
        ("pipedrive", "its user or password is wrong", 2),
    ]
    assert sum(told) == 204
    assert len(told) <= 4
    assert len(rows(warehouse, "SELECT FROM ingestion_webhook_refusal")) <= 6


def test_what_has_no_secret_is_counted_too(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    secrets.delenv("HUBSPOT_WEBHOOK_SECRET")
    with serving() as found:
        assert found.hubspot(event(1), secret="").status_code == 503
    assert rows(warehouse, REFUSALS) == [("hubspot", "HUBSPOT_WEBHOOK_SECRET is not set", 1)]
    ready = rows(warehouse, "SELECT source FROM ingestion_webhook_receiver ORDER BY 1")
    assert ("pipedrive",) in ready
    assert ("hubspot",) not in ready, "nothing of it could be proven"


def test_what_was_heard_stays_when_events_go(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    secrets.setattr(module, "EVERY_SECONDS", 0.05)
    with serving() as found:
        found.hubspot(event(1), event(2), event(3, "contact.creation"), event(4, "x.creation"))
        expected = [
            ("hubspot", "", "created", 1),
            ("hubspot", "contacts", "changed", 2),
            ("hubspot", "contacts", "created", 1),
        ]
        assert until(lambda: rows(warehouse, HEARD)) == expected, "before it ends"
        found.hubspot(event(5))
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_webhook_event")
        connection.commit()
        (empty, contacts) = webhook_tallies.heard(connection)["hubspot"]
        up = webhook_tallies.receivers(connection)["hubspot"]
    assert (empty.entity, contacts.entity) == ("", "contacts")
    assert contacts.happened == {"created", "changed"}
    assert datetime.now(UTC) - contacts.last < timedelta(minutes=1)
    assert up.since <= contacts.last
    assert ("hubspot", "contacts", "changed", 3) in rows(warehouse, HEARD)


def test_while_the_warehouse_is_away_counts_wait(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    secrets.setattr(module, "EVERY_SECONDS", 0.05)
    down, asked = [True], [0]

    def perhaps() -> Warehouse:
        if down[0]:
            asked[0] += 1
            raise Unavailable("the warehouse cannot be reached")
        return warehouse

    with serving(perhaps) as found:
        for number in range(3):
            assert found.hubspot(event(number), secret="wrong").status_code == 401
        tries = asked[0]
        assert until(lambda: asked[0] > tries + 2)
        assert found.hubspot(event(9), secret="wrong").status_code == 401
        down[0] = False
        assert until(lambda: rows(warehouse, REFUSALS))
    assert rows(warehouse, REFUSALS) == [("hubspot", "its signature is wrong", 4)]


def test_counts_add_up_by_the_hour_and_old_refusals_go(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)

    def refuse(at: datetime, count: int) -> None:
        with warehouse.connection() as connection:
            spans = {Refusal("hubspot", "no"): Span(count, at, at)}
            webhook_tallies.add_refused(connection, spans)
            connection.commit()

    refuse(now - timedelta(days=7, hours=2), 1)
    refuse(now - timedelta(hours=2), 2)
    refuse(now, 3)
    refuse(now, 4)
    query = "SELECT deliveries FROM ingestion_webhook_refusal ORDER BY hour"
    assert rows(warehouse, query) == [(2,), (7,)]
    with warehouse.connection() as connection:
        (one,) = webhook_tallies.refused(connection, now - timedelta(days=1))
    assert (one.source, one.reason, one.deliveries, one.last) == ("hubspot", "no", 9, now)


def test_an_older_count_that_comes_late_takes_nothing_back(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    sort = Sort("hubspot", "contacts", "created")
    with warehouse.connection() as connection:
        for at in (now, now - timedelta(hours=1)):
            webhook_tallies.add_heard(connection, {sort: Span(1, at, at)})
        (one,) = webhook_tallies.heard(connection)["hubspot"]
    assert one.last == now


def test_a_receiver_that_comes_back_after_a_day_begins_anew(warehouse: Warehouse) -> None:
    """While none is up nothing can be told."""
    began = datetime.now(UTC) - timedelta(days=9)
    hour = timedelta(hours=1)
    with warehouse.connection() as connection:
        for ago in (0, 23, 46, 71):
            webhook_tallies.is_up(connection, ["hubspot"], began + ago * hour)
            up = webhook_tallies.receivers(connection)["hubspot"]
            assert up.seen == began + ago * hour
            assert up.since == (began if ago < 71 else up.seen)
