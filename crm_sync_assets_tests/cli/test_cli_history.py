"""`crm-sync history`: what a row is, and why it failed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.warehouse.test_history import add


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["history", *words]) == exits.SUCCESS
    return capsys.readouterr().out


def add_some(warehouse: Warehouse) -> None:
    values: dict[str, Any] = {"crm_source": "hubspot", "sync_type": "contacts"}
    add(warehouse, status="failed", reason="auth", error_message="no", **values)
    add(warehouse, kind="mirrored", **values)
    add(warehouse, kind="dry_run", configuration={"strategy": "full"}, **values)
    add(warehouse, kind="verify", configuration={}, **values)


def test_the_history_names_the_reason_and_hides_trials(
    warehouse: Warehouse,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", warehouse.url)
    add_some(warehouse)
    out = told(capsys, "--wide")
    assert "1 hubspot.contacts (auth): no" in out
    assert "2 trials are not shown" in out
    assert "mirrored" in out
    assert "dry run" not in out
    out = told(capsys, "--trials")
    assert "dry run full" in out
    assert "verify" in out


def test_programs_read_the_kind_and_the_reason(
    warehouse: Warehouse,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", warehouse.url)
    add_some(warehouse)
    found = json.loads(told(capsys, "--json", "--trials"))
    assert {(row["kind"], row["reason"]) for row in found} == {
        ("sync", "auth"),
        ("mirrored", None),
        ("dry_run", None),
        ("verify", None),
    }
    assert all(datetime.fromisoformat(row["start_time"]) for row in found)
