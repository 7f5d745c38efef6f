"""Rows that are too wide, and records that break the code that reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crm_sync_assets.declarations.columns import each, integer, text
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    FakeClient,
    Script,
    history,
    people,
    person,
    rows,
    sync,
)

WIDE = Entity(
    "test.wide",
    about="More numbers than a page of PostgreSQL's has room for: 8,160 bytes.",
    source=Script(modified=None),
    columns=(text("id", key=True), *each(integer, " ".join(f"n{i}" for i in range(1_100)))),
    table="test_wide",
)


def test_a_row_wider_than_a_page_is_set_aside_and_a_batch_may_hold_100000_values(
    warehouse: Warehouse,
) -> None:
    values = {f"n{i}": 2**40 + i for i in range(900)}
    records = [{"id": str(n), **values} for n in range(120)]
    records[60] |= {f"n{i}": 1 for i in range(1_100)}
    settings = SyncSettings(load_rows=1_000, prefetch_pages=8)
    begun = sync(warehouse, FakeClient(records, page_size=200), WIDE, settings)
    assert begun.counts == Counts(120, created=119, failed=1)
    assert begun.status == "partial"
    assert rows(warehouse, "SELECT record_id, stage, reason FROM ingestion_quarantine") == [
        ("60", "load", "row is too big: size 8976, maximum size 8160 [54000]")
    ]
    assert rows(warehouse, "SELECT count(*) FROM test_wide WHERE n899 = %s", 2**40 + 899) == [
        (119,)
    ]


def explosive(record: dict[str, Any]) -> Any:
    if record["name"] == "boom":
        raise RuntimeError("a bug of ours, or of the record's")
    return record["name"]


def test_a_record_that_breaks_its_parser_is_left_alone_after_three_tries(
    warehouse: Warehouse,
) -> None:
    columns = tuple(
        replace(column, at=explosive) if column.name == "name" else column
        for column in PEOPLE.columns
    )
    breakable = replace(PEOPLE, columns=columns)
    client = FakeClient([person(n) for n in range(50)] + [person("bad", name="boom")])
    for tries in range(1, quarantine.MOST_TRIES + 2):
        begun = sync(warehouse, client, breakable, full=True)
        assert (begun.status, begun.counts.failed) == ("partial", 1)
        assert begun.watermark is not None
        with warehouse.connection() as connection:
            (entry,) = quarantine.entries(connection)
        assert entry.tries == tries
        assert "RuntimeError at test_rows.py" in entry.reason
    assert len(people(warehouse)) == 50
    again = replay(warehouse, breakable, [entry])
    assert (again.counts.processed, again.counts.failed) == (1, 1)
    mended = replay(warehouse, PEOPLE, [entry])
    assert (mended.counts.created, mended.refused) == (1, [])
    assert people(warehouse)["bad"] == "boom"
    assert rows(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(0,)]
    assert history(warehouse)[-1]["status"] == "success"
