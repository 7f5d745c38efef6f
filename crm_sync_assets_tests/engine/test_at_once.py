"""What is stored at once is seen whole or not at all; a part that cannot be read stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import Incomplete, Refused, TransientError
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import THINGS, FakeClient, history, rows, sync

SETS = replace(
    THINGS,
    name="test.sets",
    table="test_sets",
    columns=(
        text("id", key=True),
        text("name"),
        replace(integer("read_in"), follows=True),
    ),
    at_once=True,
)


def things(count: int, name: str = "one", read_in: int = 1) -> list[Record]:
    return [{"id": f"{n:03}", "name": name, "read_in": read_in} for n in range(count)]


def stored(warehouse: Warehouse) -> list[tuple[str, int]]:
    """How many live rows have which name."""
    found = rows(
        warehouse,
        "SELECT name, count(*) FROM test_sets WHERE deleted_at IS NULL GROUP BY 1 ORDER BY 1",
    )
    return [(name, count) for name, count in found]


@dataclass
class Parted(FakeClient):
    """One of which a part, from a record on, cannot be read."""

    closed_from: int = 0

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        whole = self.records
        self.records = whole[: self.closed_from]
        yield from super().pages(read, usage)
        self.records = whole
        kept = [(record["id"],) for record in whole[self.closed_from :]]
        yield Page([], {"next": len(whole)}, kept=kept, incomplete=Incomplete("the rest is closed"))


def test_nobody_sees_a_part_of_it(warehouse: Warehouse) -> None:
    client = FakeClient(things(300))
    sync(warehouse, client, SETS)
    client.records = things(290, "two")
    seen = []
    client.before_page = lambda start: seen.append(stored(warehouse)) if start else None
    told = sync(warehouse, client, SETS)
    assert seen == [[("one", 300)]] * 2
    assert stored(warehouse) == [("two", 290)]
    assert (told.counts.processed, told.counts.updated, told.counts.deleted) == (290, 290, 10)
    assert sync(warehouse, client, SETS).counts.unchanged == 290


def test_what_is_refused_in_the_end_leaves_nothing(warehouse: Warehouse) -> None:
    client = FakeClient(things(300))
    sync(warehouse, client, SETS)
    client.records = things(100, "two")
    with pytest.raises(Refused, match="200 of 300 live rows"):
        sync(warehouse, client, SETS)
    assert stored(warehouse) == [("one", 300)]
    assert sync(warehouse, client, SETS, force=True).counts.deleted == 200


def test_an_interrupted_one_goes_on_with_what_it_has_gathered(warehouse: Warehouse) -> None:
    client = FakeClient(things(300))

    def fail(start: int) -> None:
        if start == 200:
            raise TransientError("the source is down")

    client.before_page = fail
    with pytest.raises(TransientError):
        sync(warehouse, client, SETS)
    assert stored(warehouse) == []
    row = history(warehouse)[-1]
    counted = row["records_processed"], row["records_created"], row["records_updated"]
    assert counted == (200, 0, 0), "nobody has created what only gathers"
    client.before_page = lambda _: None
    client.asked.clear()
    told = sync(warehouse, client, SETS)
    assert (told.resumed, client.asked, told.counts.created) == (True, [200], 300)
    assert stored(warehouse) == [("one", 300)]


def test_a_trial_stores_as_any_other_does(warehouse: Warehouse) -> None:
    client = FakeClient(things(300))
    assert sync(warehouse, client, SETS, dry_run=True).counts.created == 300
    sync(warehouse, client, SETS, max_records=120)
    assert stored(warehouse) == [("one", 120)]


def test_a_part_that_cannot_be_read_stays_and_fails_the_sync(warehouse: Warehouse) -> None:
    """Five of what could be read are gone."""
    sync(warehouse, FakeClient(things(300)), SETS)
    records = [*things(190, "two"), *things(300, "three")[195:]]
    client = Parted(records, closed_from=190)
    for flags in ({"dry_run": True}, {}):
        with pytest.raises(Incomplete, match="the rest is closed"):
            sync(warehouse, client, SETS, **flags)
        row = history(warehouse)[-1]
        assert (row["status"], row["reason"], row["checkpoint"]) == ("failed", "scope", None)
        assert row["watermark"] is None
        expected = [("one", 300)] if flags else [("one", 105), ("two", 190)]
        assert stored(warehouse) == expected
    assert history(warehouse)[-1]["records_updated"] == 190
    with pytest.raises(Incomplete):
        sync(warehouse, client, SETS)
    assert history(warehouse)[-1]["performance_metrics"]["unchanged"] == 190


def test_what_only_follows_is_no_change(warehouse: Warehouse) -> None:
    client = FakeClient(things(20))
    sync(warehouse, client, SETS)
    client.records = [*things(5, "two", read_in=2), *things(20, read_in=2)[5:]]
    told = sync(warehouse, client, SETS)
    assert (told.counts.updated, told.counts.unchanged) == (5, 15)
    found = rows(warehouse, "SELECT name, read_in, count(*) FROM test_sets GROUP BY 1, 2")
    assert sorted(found) == [("one", 1, 15), ("two", 2, 5)]
