"""`doctor`: what it finds, and that it says what to do."""

from __future__ import annotations

import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.operations.doctor import Diagnosis, examine
from crm_sync_assets.sandbox import Sandbox


def findings(*crms: str) -> dict[str, Diagnosis]:
    return {finding.what: finding for finding in examine(crms)}


def test_all_is_well(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "hubspot"]) == exits.SUCCESS
    out, err = capsys.readouterr()
    assert "✗" not in out
    assert "PostgreSQL 18" in out
    assert "core tables at revision" in out
    assert "all 14 objects readable" in out
    assert err == ""


def test_a_refused_token(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-not-the-right-one")
    found = findings("hubspot")["HubSpot"]
    assert found.grade == "wrong"
    assert "check HUBSPOT_TOKEN" in found.detail
    assert "not-the-right-one" not in found.detail


def test_a_missing_scope_is_named(sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"missing_scopes": ["crm.objects.deals.read"]})
    assert "crm.objects.deals.read" in findings("hubspot")["HubSpot"].detail


def test_a_missing_token_is_wrong_only_if_asked_for(environment: pytest.MonkeyPatch) -> None:
    assert findings("hubspot")["HubSpot"].grade == "wrong"
    found = findings()
    assert found["HubSpot"].grade == "note"
    assert "HUBSPOT_TOKEN" in found["HubSpot"].detail
    assert found["credentials"].grade == "wrong"


def test_a_warehouse_that_cannot_be_reached(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", "postgresql://me:hunter22@127.0.0.1:1/x")
    assert main(["doctor", "hubspot"]) == exits.FAILED
    out, err = capsys.readouterr()
    assert "✗ warehouse: the warehouse" in out
    assert "hunter22" not in out + err
    assert "✓ HubSpot" in out


def test_an_override_that_names_nothing(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CRM_SYNC_HUBSPTO__PAGE_SIZE", "10")
    found = findings("hubspot")["settings"]
    assert found.grade == "wrong"
    assert "did you mean 'hubspot'?" in found.detail


def test_an_unmigrated_warehouse_is_a_note(
    environment: pytest.MonkeyPatch, server_url: str
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", server_url)
    assert findings("hubspot")["migrations"].grade == "note"


def test_clocks_far_apart_are_noted(sandbox: Sandbox) -> None:
    sandbox.clock.advance(7_200)
    clocks = [found for found in examine(["hubspot"]) if found.what == "clock"]
    assert [found.grade for found in clocks] == ["ok", "note"]
    assert "ahead of this machine" in clocks[1].detail
