"""Properties that the account or the app keeps from us, and batch reads that get too wide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync_assets.errors import Closed, Deferred, FatalError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.conftest import delta
from crm_sync_assets_tests.crms.hubspot.test_client import MakeReader
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs

SCOPE = "crm.objects.contacts.highly_sensitive.read.v2"


@pytest.fixture
def syncs(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[HubSpotSyncs]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def stored(syncs: HubSpotSyncs, record_id: str) -> tuple[Any, ...]:
    with syncs.warehouse.connection() as connection:
        row = connection.execute(
            "SELECT city, lead_city FROM hubspot_contact WHERE id = %s", (record_id,)
        ).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize("flags", [{}, {"full": True}, {"full": True, "force": True}], ids=str)
def test_a_property_that_turns_sensitive_is_withheld_and_the_rest_is_read(
    sandbox: Sandbox, syncs: HubSpotSyncs, caplog: pytest.LogCaptureFixture, flags: dict[str, bool]
) -> None:
    """HubSpot refuses the whole request for it. The client asked for its properties before."""
    one = sandbox.hubspot.create("contacts", {"city": "Kent", "lead_city": "Kent"})
    syncs.sync("contacts")
    sandbox.knobs.turn({"sensitive_properties": ["city"], "missing_scopes": [SCOPE]})
    for town in ("Powell", "Dublin"):
        sandbox.hubspot.edit("contacts", one, {"city": town, "lead_city": town})
        assert syncs.sync("contacts", **flags).status == "success"
        assert stored(syncs, one) == ("Kent", town)
        assert "city" in history(syncs.warehouse)[-1]["configuration"]["hidden_columns"]
    assert caplog.text.count("the app may not read city") == 1
    assert SCOPE in caplog.text


def test_one_that_is_found_out_late_fails_this_sync_and_not_the_next(
    sandbox: Sandbox, syncs: HubSpotSyncs
) -> None:
    turn = {"sensitive_properties": ["city", "zip"], "missing_scopes": [SCOPE]}
    sandbox.faults.add(
        r"GET .*objects/contacts\?.*after=", callback=lambda _: sandbox.knobs.turn(turn)
    )
    with pytest.raises(Closed, match="highly_sensitive"):
        syncs.sync("contacts")
    resumed = syncs.sync("contacts")
    assert (resumed.status, resumed.resumed) == ("success", True)
    assert {"city", "zip"} <= set(history(syncs.warehouse)[-1]["configuration"]["hidden_columns"])


def test_an_object_that_is_closed_is_not_searched_for_properties(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    read = reader()
    read.read("deals")
    sandbox.knobs.missing_scopes = {"crm.objects.deals.read"}
    asked = len(sandbox.ledger.entries)
    with pytest.raises(FatalError, match=r"missing scopes: crm\.objects\.deals\.read"):
        read.read("deals")
    assert len(sandbox.ledger.entries) - asked == 2


def test_a_property_that_is_in_no_list_any_more_keeps_what_is_stored(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, syncs: HubSpotSyncs
) -> None:
    one = sandbox.hubspot.create("contacts", {"city": "Kent", "lead_city": "Kent"})
    syncs.sync("contacts")
    sandbox.knobs.unlisted_properties = {"city"}
    later = HubSpotSyncs()
    sandbox.hubspot.edit("contacts", one, {"city": "Powell", "lead_city": "Powell"})
    assert later.sync("contacts").status == "success"
    later.close()
    assert stored(syncs, one) == ("Kent", "Powell")
    sandbox.knobs.unlisted_properties = set()
    again = HubSpotSyncs()
    again.sync("contacts")
    again.close()
    assert stored(syncs, one) == ("Powell", "Powell")


@pytest.mark.parametrize("most", [1, 7, 100])
def test_a_batch_read_that_gets_too_wide_is_asked_in_parts(
    sandbox: Sandbox, reader: MakeReader, most: int
) -> None:
    """More properties than the list's address holds are read by batches."""
    if most == 1:
        sandbox.hubspot.gdpr_delete("deals", sandbox.hubspot.ids("deals")[3])
    entity = "deals" if most == 1 else "contacts"
    narrow = reader()
    expected = narrow.read(entity)
    wide = reader()
    wide.client.longest_url = 10
    sandbox.knobs.most_properties = most
    assert wide.read(entity) == expected
    refused = sandbox.ledger.count(r"batch/read", status=400)
    assert 0 < refused < 40, "several threads find out at once"
    since = delta(sandbox, days=4_000)
    wide.read(entity, since)
    assert sandbox.ledger.count(r"batch/read", status=400) == refused, "it remembers what fits"


def test_a_record_that_changes_between_the_parts_is_taken_for_changed_later(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    one = sandbox.hubspot.ids("deals")[0]
    before = sandbox.hubspot.get("deals", one)["updatedAt"]
    read = reader()
    read.client.longest_url = 10
    sandbox.knobs.most_properties = 6
    read.read("deals")
    sandbox.faults.add(
        r"POST .*deals/batch/read",
        2,
        mutate={"op": "edit", "type": "deals", "id": one, "properties": {"amount": "5"}},
    )
    [record] = [each for each in read.read("deals") if each["id"] == one]
    assert record["properties"]["hs_lastmodifieddate"] == before


def test_a_batch_that_is_refused_for_another_reason_is_asked_once(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    read = reader()
    read.client.longest_url = 10
    sandbox.faults.add(r"POST .*deals/batch/read", "all", status=400)
    with pytest.raises(FatalError, match="There was a problem with the request"):
        read.read("deals")
    assert sandbox.ledger.count(r"deals/batch/read", status=400) <= 4, "one per thread"


def test_an_account_that_moves_defers_whatever_is_asked(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.knobs.moving = 7_200
    with pytest.raises(Deferred, match="another data centre"):
        reader().read("deals")
    monkeypatch.delenv("HUBSPOT_TOKEN")
    for name, value in sandbox.oauth_env().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Deferred, match="another data centre"):
        reader().read("deals")
