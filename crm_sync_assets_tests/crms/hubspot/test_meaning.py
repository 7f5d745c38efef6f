"""Another HubSpot account, or another type id, never merges into the same tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Meaningful
from crm_sync_assets.errors import UsageError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import settings as account
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES
from crm_sync_assets.sandbox.crms.hubspot.render import PORTAL_ID
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.conftest import sandbox
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

__all__ = ["run", "sandbox"]


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def recorded(hubspot: HubSpotSyncs) -> dict[str, str]:
    found: dict[str, str] = history(hubspot.warehouse)[-1]["configuration"].get("meaning")
    return found


@pytest.mark.parametrize(
    ("name", "besides"),
    [
        ("deals", {}),
        ("owners", {}),
        ("appointments", {"object type of appointments": "0-421"}),
        ("pipelines", {"object type of appointments": "0-421"}),
        ("appointments_removal", {"object type of appointments": "0-421"}),
        ("associations_deal_company", {}),
        ("associations_contact_appointment", {"object type of appointments": "0-421"}),
    ],
)
def test_the_account_and_the_type_ids_are_recorded(
    hubspot: HubSpotSyncs, name: str, besides: dict[str, str]
) -> None:
    hubspot.sync(name)
    assert recorded(hubspot) == {"HubSpot account": str(PORTAL_ID), **besides}


def test_every_entity_says_what_its_records_mean(hubspot: HubSpotSyncs) -> None:
    assert isinstance(hubspot.client, Meaningful)
    for entity in registry.entities("hubspot"):
        assert hubspot.client.meaning(entity), entity


def test_another_account_is_refused_until_its_records_replace_the_table(
    sandbox: Sandbox, hubspot: HubSpotSyncs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of another account made one table of two."""
    for name in ("companies", "contacts"):
        assert run("hubspot", name, "--quiet")[0] == exits.SUCCESS
    monkeypatch.setattr(account, "PORTAL_ID", 777)
    requests = len(sandbox.ledger.entries)
    status, out, err = run("hubspot", "companies", "--quiet")
    assert (status, out) == (exits.USAGE, ""), err
    assert f"its HubSpot account is 777 now and was {PORTAL_ID}" in err
    assert "Set HUBSPOT_TOKEN (and HUBSPOT_BASE_URL) back" in err
    asked = [entry.path for entry in list(sandbox.ledger.entries)[requests:]]
    assert all("account-info" in path for path in asked), asked
    for command in (
        ["hubspot", "contacts-removal", "--quiet"],
        ["verify", "hubspot", "companies"],
        ["refresh", "hubspot", "companies"],
    ):
        assert run(*command)[0] == exits.USAGE, command
    assert run("hubspot", "companies", "--full", "--force", "--quiet") == (exits.SUCCESS, "", "")
    assert run("hubspot", "companies", "--quiet") == (exits.SUCCESS, "", "")
    entity = registry.entity("hubspot.companies")
    assert list(entity_differences(sandbox, hubspot.warehouse, entity, True)) == []
    assert run("hubspot", "contacts", "--quiet")[0] == exits.USAGE, "each table for itself"


def test_one_refused_entity_among_others_fails_the_command(
    hubspot: HubSpotSyncs, run: Run, environment: pytest.MonkeyPatch
) -> None:
    """Exit status 2 says that nothing was read or written."""
    hubspot.sync("divisions")
    hubspot.sync("tickets")
    environment.setenv("HUBSPOT_DIVISIONS_OBJECT_ID", TYPES["genius_users"].type_id)
    status, _, err = run("hubspot", "divisions", "tickets", "--quiet")
    assert status == exits.FAILED
    assert "Set HUBSPOT_DIVISIONS_OBJECT_ID back" in err
    assert run("hubspot", "divisions", "--quiet")[0] == exits.USAGE
    assert history(hubspot.warehouse)[-2]["status"] == "success"


def test_an_account_that_does_not_tell_its_id_is_synced_and_that_is_said_once(
    sandbox: Sandbox, hubspot: HubSpotSyncs, caplog: pytest.LogCaptureFixture
) -> None:
    hubspot.sync("tickets")
    sandbox.faults.add("account-info", on="all", status=403)
    fresh = HubSpotSyncs()
    try:
        with caplog.at_level("WARNING"):
            fresh.sync("tickets")
            fresh.sync("products")
        said = [m for m in caplog.messages if "does not tell its id" in m]
        assert len(said) == 1
        assert "scopes" in said[0]
        tickets, products = history(fresh.warehouse)[-2:]
        assert (tickets["status"], products["status"]) == ("success", "success")
        assert tickets["configuration"]["meaning"] == {"HubSpot account": str(PORTAL_ID)}
        assert "meaning" not in products["configuration"]
    finally:
        fresh.close()


def test_the_zip_codes_of_another_repository_are_refused(
    hubspot: HubSpotSyncs, environment: pytest.MonkeyPatch
) -> None:
    hubspot.sync("zipcodes")
    assert list(recorded(hubspot)) == ["repository"]
    environment.setenv("ZIPCODES_REPO", "elsewhere")
    other = HubSpotSyncs()
    try:
        with pytest.raises(UsageError, match=r"its repository is .*/elsewhere now"):
            other.sync("zipcodes")
    finally:
        other.close()
