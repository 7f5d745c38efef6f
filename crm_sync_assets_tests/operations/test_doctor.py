"""`doctor`: what it finds, and that it says what to do."""

from __future__ import annotations

import re

import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.clients.ahead import AT_ONCE
from crm_sync_assets.declarations import registry
from crm_sync_assets.operations.diagnoses import Diagnosis
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.sandbox import Sandbox


def findings(*crms: str) -> dict[str, Diagnosis]:
    return {finding.what: finding for finding in examine(crms)}


def test_all_is_well(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "hubspot"]) == exits.SUCCESS
    out, err = capsys.readouterr()
    assert "✗" not in out
    assert "PostgreSQL 18" in out
    assert "core tables at revision" in out
    assert "✓ HubSpot: HubSpot account 123456 (STANDARD)" in out
    taken = {entity.name for entity in registry.selection("hubspot")}
    assert {line[2:].split(":")[0] for line in out.splitlines() if ": available" in line} == taken
    assert err == ""


def test_a_refused_token(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-not-the-right-one")
    found = findings("hubspot")["HubSpot"]
    assert found.grade == "wrong"
    assert "check HUBSPOT_TOKEN" in found.detail
    assert "not-the-right-one" not in found.detail


def test_what_is_not_available_is_a_note_with_the_scopes_to_copy(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    scopes = ["crm.objects.owners.read", "crm.objects.deals.read"]
    sandbox.knobs.turn({"missing_scopes": scopes, "missing_types": ["divisions"]})
    assert main(["doctor", "hubspot"]) == exits.SUCCESS
    lines = capsys.readouterr().out.splitlines()
    noted = [line for line in lines if ": not available: " in line]
    said = {line.split(": ")[0] for line in noted}
    assert {"! hubspot.divisions", "! hubspot.deals", "! hubspot.owners"} <= said
    assert "✓ hubspot.contacts: available" in lines
    assert "! HubSpot, to grant: crm.objects.deals.read crm.objects.owners.read" in lines


def test_an_account_that_lets_us_read_nothing_is_wrong(sandbox: Sandbox) -> None:
    sandbox.faults.add("/crm/", "all", status=403)
    found = [(one.grade, one.detail) for one in examine(["hubspot"]) if one.what == "HubSpot"]
    assert found == [
        ("ok", "HubSpot account 123456 (STANDARD)"),
        ("wrong", "lets us read nothing of all this"),
    ]


def test_what_was_here_and_is_refused_now_fails(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hubspot", "owners", "--quiet"]) == exits.SUCCESS
    sandbox.knobs.turn({"missing_scopes": ["crm.objects.owners.read"]})
    sandbox.faults.add("/crm/v3/objects/tickets", "all", status=500)
    capsys.readouterr()
    assert main(["doctor", "hubspot"]) == exits.FAILED
    out, err = capsys.readouterr()
    assert "✗ hubspot.owners: failing: " in out
    assert "✗ hubspot.tickets: failing: " in out
    assert "✓ hubspot.contacts: available" in out
    assert ".." not in out
    assert "2 of these are wrong" in err


def test_one_request_for_each_entity_several_at_once(
    sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    sandbox.knobs.turn({"latency": 0.1})
    played = {name.partition("_")[0].lower() for name in sandbox.env()} & {*registry.names()}
    assert len(played) > 5
    for crm in sorted(played):
        before, sessions = sandbox.ledger.count(), len(sandbox.ledger.select("/oauth2/token"))
        found = [one for one in examine([crm]) if one.what.startswith(f"{crm}.")]
        assert [one.grade for one in found] == ["ok"] * len(registry.selection(crm)), found
        # And who answers; of sheets each year's; what its user sees; how a service spells what it
        # has; a query is ordered, looked at
        # twice, and has a page; beside what a session takes.
        sessions = len(sandbox.ledger.select("/oauth2/token")) - sessions
        more = {"five9": 4, "gsheet": 3, "marketsharp": 2, "salesforce": 2, "salespro": 25}.get(
            crm, 1
        )
        assert sandbox.ledger.count() - before - sessions <= len(found) + more, crm
    assert 1 < sandbox.ledger.most_at_once["hubspot"] <= AT_ONCE


def test_the_accounts_of_a_key_are_listed_where_a_wrong_one_is_asked_for(
    sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    known = findings("callrail")["CallRail"].detail
    [first, *_] = re.findall(r"ACC\w+", known)
    environment.setenv("CALLRAIL_ACCOUNT_IDS", "ACC0")
    found = findings("callrail")
    assert found["CallRail"].grade == "wrong"
    assert "CALLRAIL_ACCOUNT_IDS names ACC0, which these credentials do not see" in (
        found["CallRail"].detail
    )
    assert first in found["CallRail"].detail
    assert not any(name.startswith("callrail.") for name in found), "it would be said of each"


def test_what_nobody_reads_is_named(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUBSPOT_ACCESS_KEY", "somethingsecret")
    found = findings("hubspot")["HubSpot variables"]
    assert found.grade == "ok"
    assert "; set, and read by nobody: HUBSPOT_ACCESS_KEY" in found.detail
    assert "somethingsecret" not in found.detail


def test_what_is_left_out_is_told_and_alerts_are_looked_at(
    sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("ZIPCODES_OWNER")
    environment.setenv("CRM_SYNC_ALERT_URLS", "json://127.0.0.1:1/x")
    found = findings("hubspot")
    assert found["hubspot.zipcodes"].detail == "left out, for ZIPCODES_OWNER is not set"
    assert found["alerts"].grade == "ok"
    environment.setenv("CRM_SYNC_ALERT_URLS", "nonsense://secretpart")
    environment.setenv("CRM_SYNC_HEARTBEAT_URL", "hc-ping.com/x")
    wrong = [one for one in examine(["hubspot"]) if one.what == "alerts"]
    assert [one.grade for one in wrong] == ["wrong", "wrong"]
    assert "channel 1 (nonsense) is no URL that apprise knows" in wrong[0].detail
    assert "CRM_SYNC_HEARTBEAT_URL has to begin with https://" in wrong[1].detail
    assert not any("secretpart" in one.detail for one in wrong)


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
