"""`doctor` on webhooks: what is missing, and when something came last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.operations.webhook_doctor import examine_webhooks
from crm_sync_assets.settings import environment as current
from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_tallies import Sort, Span

NAMES = ["callrail", "genius", "hubspot", "pipedrive"]


def found(warehouse: Warehouse | None, *names: str) -> list[tuple[str, str, str]]:
    lines = examine_webhooks(names or NAMES, current(), warehouse)
    return [(one.what, one.grade, one.detail) for one in lines]


@pytest.fixture
def secret(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("HUBSPOT_WEBHOOK_SECRET", "hubspot-webhook-secret-1")
    environment.setenv("CRM_SYNC_WEBHOOKS_URL", "https://hooks.example.com")
    return environment


def told(warehouse: Warehouse, call: Any, *arguments: Any) -> None:
    with warehouse.connection() as connection:
        call(connection, *arguments)
        connection.commit()


def test_who_wants_no_webhooks_hears_nothing_of_them(
    environment: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    assert found(warehouse) == []
    environment.setenv("HUBSPOT_WEBHOOK_SECRET", "hubspot-webhook-secret-1")
    assert found(warehouse, "pipedrive") == []


def test_a_secret_without_a_public_address(
    secret: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    (what, grade, detail), *_ = found(warehouse)
    assert (what, grade) == ("webhooks", "ok")
    assert detail == "senders have the address https://hooks.example.com"
    secret.delenv("CRM_SYNC_WEBHOOKS_URL")
    (what, grade, detail), *_ = found(warehouse)
    assert (what, grade) == ("webhooks", "note")
    assert "CRM_SYNC_WEBHOOKS_URL" in detail


def test_a_secret_that_cannot_be_read_or_is_half_of_two(
    secret: pytest.MonkeyPatch, warehouse: Warehouse, tmp_path: Path
) -> None:
    secret.delenv("HUBSPOT_WEBHOOK_SECRET")
    secret.setenv("HUBSPOT_WEBHOOK_SECRET_FILE", str(tmp_path / "nowhere"))
    secret.setenv("PIPEDRIVE_WEBHOOK_PASSWORD", "pipedrive-password-1")
    wrong = {what: detail for what, grade, detail in found(None) if grade == "wrong"}
    assert set(wrong) == {"HubSpot webhooks", "Pipedrive webhooks"}
    assert f"HUBSPOT_WEBHOOK_SECRET_FILE points to {tmp_path}/nowhere" in wrong["HubSpot webhooks"]
    assert "PIPEDRIVE_WEBHOOK_USER is not set" in wrong["Pipedrive webhooks"]
    assert "pipedrive-password-1" not in str(wrong)


def test_when_something_came_last_and_whether_a_receiver_is_up(
    secret: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    now = datetime.now(UTC)

    def line() -> tuple[str, str]:
        (_, (what, grade, detail)) = found(warehouse)
        assert what == "HubSpot webhooks"
        return grade, detail

    nothing = "nothing was received yet"
    never = f"{nothing}; no receiver was ever up for it: `crm-sync webhooks` is one"
    assert line() == ("note", never)
    told(warehouse, webhook_tallies.is_up, ["hubspot"], now - timedelta(hours=3))
    grade, detail = line()
    assert (grade, nothing in detail) == ("note", True)
    assert "no receiver is up, the last one was 3 hours ago" in detail
    told(warehouse, webhook_tallies.is_up, ["hubspot"], now)
    grade, detail = line()
    assert grade == "note"
    assert detail.startswith(f"{nothing}, and a receiver is up since 3 hours")
    at = now - timedelta(days=5)
    sort = Sort("hubspot", "contacts", "created")
    told(warehouse, webhook_tallies.add_heard, {sort: Span(1, at, at)})
    assert line() == ("ok", "the last delivery came 5 days ago")


def test_a_table_that_is_missing(secret: pytest.MonkeyPatch, warehouse: Warehouse) -> None:
    told(warehouse, lambda one: one.execute("DROP TABLE ingestion_webhook_event"))
    _, (what, grade, detail) = found(warehouse)
    assert (what, grade) == ("webhooks", "wrong")
    assert detail.startswith("ingestion_webhook_event is missing in the warehouse")
    assert "crm-sync migrate" in detail
