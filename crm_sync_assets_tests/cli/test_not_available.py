"""An account that is not its author's: what it has not is skipped, what it had is missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.dashboard.states import states
from crm_sync_assets.declarations import registry
from crm_sync_assets.operations import health
from crm_sync_assets.operations.alert_rules import declared_settings, look
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import environment as settings
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.scripted import history

__all__ = ["run"]

SMALL = {"deals": 3, "appointments": 3, "companies": 3, "tickets": 3, "line_items": 3}
TICKETS = "tickets"
MISSING = {
    "divisions", "appointments", "genius_users", "tickets", "owners",
    "associations_contact_appointment", "associations_contact_division",
}  # fmt: skip
"""What an account without custom objects and appointments, and without two scopes, has not."""


@pytest.fixture
def account(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Another account; the environment has its token and nothing else."""
    with Sandbox(seed=7, contacts=20, counts=SMALL) as sandbox:
        sandbox.knobs.turn(
            {
                "missing_types": ["divisions", "appointments", "genius_users"],
                "missing_scopes": [TICKETS, "crm.objects.owners.read"],
            }
        )
        given = sandbox.env()
        for name in ("HUBSPOT_TOKEN", "HUBSPOT_BASE_URL"):
            environment.setenv(name, given[name])
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", "[]")
        yield sandbox


def kinds(warehouse: Warehouse) -> dict[str, tuple[str, str]]:
    """Per entity kind and status of its newest row."""
    return {row["sync_type"]: (row["kind"], row["status"]) for row in history(warehouse)}


def wrong(warehouse: Warehouse) -> list[str]:
    """What health, the dashboard and the alerts find, now and in three days' time."""
    found = []
    with warehouse.connection() as connection:
        for now in (datetime.now(UTC), datetime.now(UTC) + timedelta(days=3)):
            entities = {e.name: e for e in registry.all_active().values() if e.sync_type in MISSING}
            report = health.examine(connection, entities, crm="hubspot", now=now)
            found += [str(p) for p in report.problems if "ever synced" not in str(p)]
            seen = look(
                connection,
                entities,
                silence=timedelta(days=9),
                limits=Limits.of(settings()),
                now=now,
                settings=declared_settings,
            )
            board = states(connection, [*entities.values()], now=now, settings=declared_settings)
            found += [str(s.entity) for s in board if s.word(now) != "never synced"]
            found += [finding.subject for finding in seen.findings if finding.subject in entities]
    return found


def test_all_of_another_account(run: Run, account: Sandbox, warehouse: Warehouse) -> None:
    for _ in range(2):
        status, out, err = run("hubspot", "all", "--no-progress")
        assert status == exits.SUCCESS, err
        said = [line for line in err.splitlines() if line.startswith("crm-sync: ")]
        assert {line.split()[1].removeprefix("hubspot.") for line in said} == MISSING | {"zipcodes"}
        assert any("tickets" in line and "missing scopes: tickets" in line for line in said)
        assert any("2-37778609" in line for line in said)
        assert not any(f"hubspot.{name} " in out for name in MISSING)
    found = kinds(warehouse)
    assert {name for name, how in found.items() if how == ("unavailable", "failed")} == MISSING
    assert {how for name, how in found.items() if name not in MISSING} == {("sync", "success")}
    assert wrong(warehouse) == []


def test_what_comes_is_synced_and_what_goes_again_is_a_failure(
    run: Run, account: Sandbox, warehouse: Warehouse
) -> None:
    status, _, err = run("hubspot", "tickets", "contacts", "--no-progress")
    assert status == exits.FAILED
    assert "hubspot.tickets" in err
    assert "missing scopes: tickets" in err
    assert "Traceback" not in err
    assert kinds(warehouse) == {
        "tickets": ("unavailable", "failed"),
        "contacts": ("sync", "success"),
    }
    account.knobs.turn({"missing_scopes": []})
    assert run("hubspot", "tickets", "--quiet")[0] == exits.SUCCESS
    account.knobs.turn({"missing_scopes": [TICKETS]})
    status, _, err = run("hubspot", "all", "--no-progress")
    assert status == exits.FAILED
    assert "hubspot.tickets (sync" in err
    assert kinds(warehouse)["tickets"] == ("sync", "failed")
    assert any("hubspot.tickets" in one for one in wrong(warehouse))


def test_what_failed_before_it_was_known_to_be_missing_is_not_missed(
    run: Run, account: Sandbox, warehouse: Warehouse
) -> None:
    account.faults.add("/tickets", "all", status=404)
    assert run("hubspot", "tickets", "--quiet")[0] == exits.FAILED
    assert kinds(warehouse)["tickets"] == ("sync", "failed")
    assert wrong(warehouse)
    account.faults.clear()
    run("hubspot", "tickets", "--quiet")
    assert kinds(warehouse)["tickets"] == ("unavailable", "failed")
    assert wrong(warehouse) == []


def test_an_account_that_has_nothing_of_it_is_a_failure(
    run: Run, account: Sandbox, warehouse: Warehouse
) -> None:
    account.faults.add("/crm/", "all", status=403)
    status, _, err = run("hubspot", "all", "--no-progress")
    assert status == exits.FAILED
    assert "answered 403" in err
