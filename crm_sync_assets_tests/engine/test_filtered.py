"""A filtered run stores what it reads, and nothing follows from what it does not read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.errors import TransientError, UsageError
from crm_sync_assets.operations import health
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import (
    FILTERING,
    PEOPLE,
    PEOPLE_REMOVAL,
    START,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    sync,
)


def fails_at(start_of_page: int) -> Any:
    def before_page(start: int) -> None:
        if start == start_of_page:
            raise TransientError("the source broke")

    return before_page


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param({}, id="delta"),
        pytest.param({"full": True}, id="full"),
        pytest.param({"force": True}, id="force"),
        pytest.param({"start_date": "2025-12-01"}, id="from before the watermark"),
    ],
)
def test_it_stores_what_it_reads_moves_nothing_and_deletes_nothing(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    client = FakeClient([person(n) for n in range(150)], now=START)
    sync(warehouse, client)
    client.records = [person(3, at=5, name="edited"), person(150)]
    begun = sync(warehouse, client, crm=FILTERING, company_id="COM1", **flags)
    assert (begun.counts.created, begun.counts.updated, begun.counts.deleted) == (1, 1, 0)
    assert client.reads[-1].options == {"company_id": "COM1"}
    assert client.reads[-1].strategy.filtered
    first, second = history(warehouse)
    assert (second["status"], second["watermark"]) == ("success", None)
    assert second["configuration"]["company_id"] == "COM1"
    assert len(people(warehouse)) == 151
    assert people(warehouse)["3"] == "edited"
    assert sync(warehouse, client).strategy.since == first["watermark"]


def test_an_entity_that_is_read_whole_loses_no_row_to_a_filter(warehouse: Warehouse) -> None:
    client = FakeClient([{"id": str(n), "name": "x"} for n in range(20)])
    sync(warehouse, client, THINGS)
    client.records = client.records[:1]
    sync(warehouse, client, THINGS, crm=FILTERING, company_id="COM1")
    assert rows(warehouse, "SELECT count(*) FROM test_things WHERE deleted_at IS NULL") == [(20,)]


def test_a_filtered_removal_marks_nothing(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(20)]))
    removal = FakeClient(tombstones=[Tombstone(("3",))], confirmed=19)
    sync(warehouse, removal, PEOPLE_REMOVAL, crm=FILTERING, company_id="COM1")
    assert len(people(warehouse)) == 20
    sync(warehouse, removal, PEOPLE_REMOVAL, crm=FILTERING)
    assert len(people(warehouse)) == 19


def test_a_first_sync_with_a_filter_is_no_first_sync(warehouse: Warehouse) -> None:
    client = FakeClient([person(1)])
    sync(warehouse, client, crm=FILTERING, company_id="COM1")
    assert sync(warehouse, client, crm=FILTERING).strategy.name == "initial_full"


def test_an_interrupted_one_leaves_the_next_plain_sync_its_own_checkpoint(
    warehouse: Warehouse,
) -> None:
    client = FakeClient([person(n) for n in range(400)], before_page=fails_at(300))
    with pytest.raises(TransientError):
        sync(warehouse, client, crm=FILTERING)
    kept = history(warehouse)[0]["checkpoint"]
    assert kept is not None
    client.before_page = fails_at(200)
    with pytest.raises(TransientError):
        sync(warehouse, client, crm=FILTERING, company_id="COM1")
    assert history(warehouse)[1]["checkpoint"] is None
    with warehouse.connection() as connection:
        past = sync_history.past(connection, PEOPLE)
    assert past.interrupted_id == history(warehouse)[0]["id"]
    client.before_page = lambda _: None
    sync(warehouse, client, crm=FILTERING, company_id="COM1")
    last = sync(warehouse, client, crm=FILTERING)
    assert last.resumed
    assert last.counts.processed == len(people(warehouse)) == 400


def test_it_follows_no_checkpoint_of_a_plain_one(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client, crm=FILTERING)
    client.before_page = lambda _: None
    client.asked.clear()
    assert not sync(warehouse, client, crm=FILTERING, company_id="COM1").resumed
    assert client.asked == [0, 100, 200]


def test_a_replacement_with_a_filter_is_refused_before_anything_is_read(
    warehouse: Warehouse,
) -> None:
    client = FakeClient([person(1)])
    with pytest.raises(UsageError, match="full with force replaces the table") as refused:
        sync(warehouse, client, crm=FILTERING, company_id="COM1", full=True, force=True)
    assert "\n" not in str(refused.value)
    assert client.asked == []
    assert history(warehouse) == []


def test_it_is_told_no_state_of_the_whole(warehouse: Warehouse) -> None:
    client = FakeClient([person(1)], state={"etag": "whole"})
    sync(warehouse, client, crm=FILTERING)
    client.state = {"etag": "part"}
    sync(warehouse, client, crm=FILTERING, company_id="COM1")
    sync(warehouse, client, crm=FILTERING)
    states = [read.state for read in client.reads]
    assert states == [{}, {}, {"etag": "whole"}]


def test_it_escalates_where_the_feed_does_not_reach_and_deletes_nothing(
    warehouse: Warehouse,
) -> None:
    entity = replace(PEOPLE, feed_keeps=timedelta(days=30))
    client = FakeClient([person(n) for n in range(20)], now=START)
    sync(warehouse, client, entity)
    client.records = client.records[:1]
    begun = sync(warehouse, client, entity, crm=FILTERING, company_id="COM1")
    assert (begun.strategy.name, begun.counts.deleted) == ("full", 0)
    assert history(warehouse)[1]["watermark"] is None


def test_health_counts_it_neither_as_a_sync_nor_as_a_breach(warehouse: Warehouse) -> None:
    client = FakeClient([person(1)])
    sync(warehouse, client)
    client.before_page = fails_at(0)
    with pytest.raises(TransientError):
        sync(warehouse, client, crm=FILTERING, company_id="COM1")
    with warehouse.connection() as connection:
        now = datetime.now(UTC)
        report = health.examine(connection, {PEOPLE.name: PEOPLE}, crm=None, now=now)
    assert report.problems == []
    assert [(crm.success, crm.failed) for crm in report.crms] == [(1, 0)]
