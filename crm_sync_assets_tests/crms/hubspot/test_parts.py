"""Pipelines of several object types, one of which is closed to us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.errors import Incomplete, SyncError, Unknown, UsageError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.conftest import Reader
from crm_sync_assets_tests.crms.hubspot.test_client import MakeReader
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs

EVERY_TYPE = {"members": ["deals", "tickets", "appointments"]}
"""What the last sync has read."""


def until_it_fails(pages: Iterator[Page]) -> tuple[list[Page], SyncError]:
    found: list[Page] = []
    with pytest.raises(SyncError) as caught:
        found.extend(pages)
    return found, caught.value


def types(pages: list[Page]) -> list[str]:
    return list(dict.fromkeys(record["objectType"] for page in pages for record in page.records))


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("closed", ["deals", "tickets", "0-421"])
@pytest.mark.parametrize("entity", ["pipelines", "pipeline_stages"])
def test_the_open_parts_are_read_and_the_closed_one_is_named(
    sandbox: Sandbox, reader: MakeReader, entity: str, closed: str, status: int
) -> None:
    sandbox.faults.add(rf"GET .*/pipelines/{closed}", "all", status=status)
    pages, error = until_it_fails(reader().pages(entity, memory=EVERY_TYPE))
    name = "appointments" if closed == "0-421" else closed
    assert types(pages) == [n for n in ("deals", "tickets", "appointments") if n != name]
    assert isinstance(error, Incomplete)
    assert f"hubspot.{entity}: not complete, {name} could not be read" in str(error)
    assert "HUBSPOT_PIPELINE_OBJECTS" in str(error)
    if status == 403:
        assert "missing scopes: crm.objects.contacts.read" in str(error)


def test_a_reading_that_is_resumed_asks_for_the_closed_part_again(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    """Or the part that was closed before the crash would be missing, and nobody would know."""
    rule = sandbox.faults.add(r"GET .*/pipelines/deals", "all", status=403)
    pages, _ = until_it_fails(reader().pages("pipelines", memory=EVERY_TYPE))
    again = reader().pages("pipelines", cursor=pages[0].cursor, memory=EVERY_TYPE)
    still, error = until_it_fails(again)
    assert types(still) == ["appointments"]
    assert "deals could not be read" in str(error)
    sandbox.faults.remove(rule)
    resumed = list(reader().pages("pipelines", cursor=pages[0].cursor))
    assert types(resumed) == ["appointments", "deals"]
    assert resumed[-1].cursor["done"]
    crashed_later = list(reader().pages("pipelines", cursor=pages[-1].cursor))
    assert types(crashed_later) == ["deals"]


@pytest.mark.parametrize("status", [500, 401])
def test_what_is_no_closed_part_fails_as_ever(
    sandbox: Sandbox, reader: MakeReader, status: int
) -> None:
    sandbox.faults.add(r"GET .*/pipelines/deals", "all", status=status)
    read: Reader = reader()
    pages, error = until_it_fails(read.pages("pipelines"))
    assert not pages
    assert not isinstance(error, Incomplete)


@pytest.fixture
def syncs(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[HubSpotSyncs]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def stored(syncs: HubSpotSyncs) -> list[tuple[Any, ...]]:
    with syncs.warehouse.connection() as connection:
        return connection.execute(
            "SELECT object_type, id, label, deleted_at IS NULL FROM hubspot_pipeline ORDER BY 1, 2"
        ).fetchall()


def test_what_is_open_is_stored_and_the_rest_stays_as_it_is(
    syncs: HubSpotSyncs, sandbox: Sandbox
) -> None:
    syncs.sync("pipelines")
    before = stored(syncs)
    sandbox.crms["hubspot"].operate(
        "edit_pipeline", {"type": "tickets", "id": "0", "label": "Renamed"}
    )
    sandbox.crms["hubspot"].operate(
        "edit_pipeline", {"type": "deals", "id": "default", "label": "Unseen"}
    )
    rule = sandbox.faults.add(r"GET .*/pipelines/deals", "all", status=403)
    for _ in range(2):
        with pytest.raises(Incomplete):
            syncs.sync("pipelines")
        row = history(syncs.warehouse)[-1]
        assert (row["status"], row["watermark"], row["checkpoint"]) == ("failed", None, None)
        assert "HUBSPOT_PIPELINE_OBJECTS" in row["error_message"]
        assert [r if r[0] != "tickets" else (*r[:2], "Renamed", True) for r in before] == stored(
            syncs
        )
    sandbox.faults.remove(rule)
    assert syncs.sync("pipelines").status == "success"
    assert ("deals", "default", "Unseen", True) in stored(syncs)


def test_leaving_the_closed_part_out_does_what_the_error_says(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, syncs: HubSpotSyncs
) -> None:
    syncs.sync("pipelines")
    sandbox.faults.add(r"GET .*/pipelines/deals", "all", status=403)
    environment.setenv("HUBSPOT_PIPELINE_OBJECTS", "tickets,appointments")
    without = HubSpotSyncs()
    assert without.sync("pipelines", force=True).status == "success"
    without.close()
    live = {row[0] for row in stored(syncs) if row[3]}
    assert live == {"tickets", "appointments"}


def test_a_list_of_no_types_is_refused(reader: MakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """To read none of them would look as if all pipelines were gone."""
    monkeypatch.setenv("HUBSPOT_PIPELINE_OBJECTS", " , ")
    with pytest.raises(UsageError, match="HUBSPOT_PIPELINE_OBJECTS names no object type"):
        reader()


# What the account has not


@pytest.mark.parametrize("entity", ["pipelines", "pipeline_stages"])
def test_types_that_the_account_never_had_are_left_out(
    sandbox: Sandbox, reader: MakeReader, entity: str
) -> None:
    sandbox.knobs.turn({"missing_types": ["appointments"], "missing_scopes": ["tickets"]})
    pages = list(reader().pages(entity))
    assert types(pages) == ["deals"]
    assert pages[-1].memory == {"members": ["deals"]}
    again = list(reader().pages(entity, memory=pages[-1].memory))
    assert types(again) == ["deals"]


def test_one_that_was_named_or_may_be_stored_is_missed(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.knobs.turn({"missing_types": ["appointments"]})
    older = reader()
    older.stored.live["hubspot_pipeline.object_type"] = {"appointments"}
    assert isinstance(until_it_fails(older.pages("pipelines"))[1], Incomplete)
    monkeypatch.setenv("HUBSPOT_PIPELINE_OBJECTS", "deals,appointments")
    assert isinstance(until_it_fails(reader().pages("pipelines"))[1], Incomplete)


def test_where_no_type_can_be_read_it_is_about_the_whole(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.knobs.turn({"missing_types": ["deals", "tickets", "appointments"]})
    assert isinstance(until_it_fails(reader().pages("pipelines"))[1], Unknown)
