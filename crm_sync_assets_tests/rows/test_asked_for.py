"""Small promises people ask for: rows from the future, replays of one moment, short listings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import START, FakeClient, history, people, person, rows, sync
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

TWO_YEARS = int(timedelta(days=730).total_seconds())


# Dated in the future


def test_a_record_from_the_future_is_stored_named_and_holds_nobody_up(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeClient([person(1), person(2, at=TWO_YEARS)], now=START + timedelta(minutes=5))
    with caplog.at_level("WARNING"):
        begun = sync(warehouse, source)
    assert people(warehouse) == {"1": "Person 1", "2": "Person 2"}
    assert begun.watermark is not None
    assert begun.watermark <= source.now
    (told,) = [line for line in caplog.messages if "future" in line]
    assert "2 (2028-01-01" in told
    assert "1 (" not in told
    source.now += timedelta(hours=1)
    source.records = [person(3, at=3_000)]
    delta = sync(warehouse, source)
    assert (delta.strategy.since, delta.counts.created) == (begun.watermark, 1)


def test_a_record_from_the_future_that_is_put_right_arrives(warehouse: Warehouse) -> None:
    source = FakeClient([person(2, at=TWO_YEARS)], now=START + timedelta(minutes=5))
    sync(warehouse, source)
    source.records = [person(2, at=600, name="Right")]
    sync(warehouse, source)
    assert people(warehouse) == {"2": "Right"}
    source.records = [person(2, at=60, name="Late copy")]
    sync(warehouse, source)
    assert people(warehouse) == {"2": "Right"}, "an older version still overwrites nothing"


# One moment, many rows


def test_twenty_thousand_rows_of_one_moment_are_replayed_without_a_trace(
    warehouse: Warehouse,
) -> None:
    source = FakeClient([person(n) for n in range(20_000)], page_size=1_000)
    sync(warehouse, source)
    versions = "SELECT md5(string_agg(xmin::text || ctid::text, '' ORDER BY id)) FROM test_people"
    before = rows(warehouse, versions)
    again = sync(warehouse, source)
    assert (again.counts.processed, again.counts.unchanged) == (20_000, 20_000)
    assert rows(warehouse, versions) == before, "no row was rewritten"
    row = history(warehouse)[-1]
    assert row["checkpoint"] is None
    assert len(json.dumps(row["configuration"])) < 1_024


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def test_what_hubspots_widest_object_leaves_behind_is_small(hubspot: HubSpotSyncs) -> None:
    hubspot.sync("contacts")
    (row,) = history(hubspot.warehouse)
    assert len(json.dumps(row["configuration"]["source_memory"])) < 1_024


# A list that is cut short


@pytest.fixture
def portal(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """520 contacts: the last page of the list holds so few that no guard would mind them."""
    with Sandbox(seed=11, contacts=520, counts={"deals": 5}) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
        yield sandbox


LAST_PAGE = r"GET /hubspot/crm/v3/objects/contacts\?.*archived=false.*after="


@pytest.mark.parametrize("full", [{"full": True}, {"full": True, "force": True}], ids=str)
def test_an_empty_page_in_place_of_the_last_deletes_nobody(
    portal: Sandbox, full: dict[str, Any]
) -> None:
    hubspot = HubSpotSyncs()
    hubspot.sync("contacts")
    live = "SELECT count(*) FROM hubspot_contact WHERE deleted_at IS NULL"
    before = rows(hubspot.warehouse, live)
    pages = -(-len(portal.hubspot.ids("contacts")) // 100)
    portal.faults.add(LAST_PAGE, on=f"{pages - 1}-", status=200, body='{"results": []}')
    told = hubspot.sync("contacts", **full)
    assert (told.status, told.counts.deleted) == ("success", 0)
    assert rows(hubspot.warehouse, live) == before
    entity = registry.entity("hubspot.contacts")
    assert list(entity_differences(portal, hubspot.warehouse, entity, True)) == []
    found = verify(hubspot.warehouse, entity, hubspot.client, settings_for(hubspot.crm, entity))
    assert (found.there, found.findings) == (len(portal.hubspot.ids("contacts")), [])
    hubspot.close()


def test_a_last_page_whose_records_went_meanwhile_is_the_end(portal: Sandbox) -> None:
    hubspot = HubSpotSyncs()
    hubspot.sync("contacts")
    ids = portal.hubspot.ids("contacts")
    last = ids[len(ids) // 100 * 100 :]
    assert 0 < len(last) < len(ids) // 5

    def meanwhile(_: int) -> None:
        for record_id in last:
            portal.hubspot.purge("contacts", record_id)

    portal.faults.add(LAST_PAGE, on=len(ids) // 100, callback=meanwhile)
    assert hubspot.sync("contacts", full=True).counts.deleted == len(last)
    entity = registry.entity("hubspot.contacts")
    assert list(entity_differences(portal, hubspot.warehouse, entity, True)) == []
    hubspot.close()


# A start date


def test_a_start_date_that_is_lowered_reads_the_gap_and_hides_nothing(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    """There is no default start date: without one, rows from 2013 arrive with the others."""
    old = sandbox.hubspot.bulk_touch(
        "contacts", count=50, timestamp=datetime(2013, 5, 6, tzinfo=UTC)
    )
    first = hubspot.sync("contacts", start_date="2014-01-01")
    assert first.watermark is None, "it has not read what lies before"
    stored = "SELECT count(*) FROM hubspot_contact WHERE id = ANY(%s)"
    assert rows(hubspot.warehouse, stored, old) == [(0,)]
    gap = hubspot.sync("contacts", start_date="2013-01-01", end_date="2014-01-01")
    assert (gap.counts.processed, gap.counts.created) == (50, 50)
    whole = hubspot.sync("contacts")
    assert whole.strategy.name == "initial_full"
    entity = registry.entity("hubspot.contacts")
    assert list(entity_differences(sandbox, hubspot.warehouse, entity, True)) == []
