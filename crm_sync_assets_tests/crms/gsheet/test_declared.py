"""Any sheet is a table by a few lines: where it is, what its rows are known by, its columns."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crm_sync_assets.crms.gsheet.sources import Sheet, sheet
from crm_sync_assets.declarations.columns import Column, decimal, text
from crm_sync_assets.declarations.crm import flags_of
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import Refused
from crm_sync_assets_tests.crms.gsheet.conftest import CRM, SPENDS, Bench
from crm_sync_assets_tests.truth import stored_rows

COSTS = sheet(
    "gsheet.costs",
    about="What each campaign cost.",
    source=Sheet(
        "GSHEET_MARKETING_SPENDS_ID",
        "All Marketing Spend",
        headers={"cost": ("Costs", "Cost")},
        header_row=3,
    ),
    table="gsheet_cost",
    columns=(text("campaign"), decimal("cost")),
)


def synced(bench: Bench, entity: Entity) -> Sync:
    begun = begin(
        Request(CRM, entity, flags_of(CRM)(), settings_for(CRM, entity)),
        bench.client,
        bench.warehouse,
    )
    drain(begun)
    return begun


@pytest.fixture
def titled(bench: Bench) -> Bench:
    """The sheet with two rows of titles above its header, as people like them."""
    book = bench.world.book("spends")
    header = {column.name: column.header for column in book.columns}
    for column, title in zip(book.columns, ("What we spent", *[""] * 20), strict=False):
        column.header = title
    book.lines[:0] = [
        type(book.lines[0])("blank", {}),
        type(book.lines[0])("header", {name: {"shown": text} for name, text in header.items()}),
    ]
    bench.world.touch("spends")
    return bench


def test_a_declared_sheet_is_a_table_whose_rows_are_known_by_all_they_say(titled: Bench) -> None:
    told = synced(titled, COSTS)
    assert (told.status, told.counts.created) == ("success", 40)
    rows = stored_rows(titled.warehouse, COSTS)
    assert {row["sheet_row_number"] for row in rows.values()} == set(range(4, 44))
    true = {row["row"]: row["values"] for row in titled.world.truth(SPENDS) if row["row"] > 3}
    for row in rows.values():
        values = true[row["sheet_row_number"]]
        assert (row["campaign"], str(row["cost"])) == (values["Campaign"], values["Cost"])
    titled.world.edit(titled.world.ids(SPENDS)[5], {"Cost": "1.25"})
    told = synced(titled, COSTS)
    assert (told.counts.created, told.counts.updated, told.counts.deleted) == (1, 0, 1)


def test_another_name_that_is_declared_is_tried_in_turn(titled: Bench) -> None:
    synced(titled, COSTS)
    titled.world.edit("header", {"Cost": {"shown": "Costs"}})
    told = synced(titled, COSTS)
    assert (told.status, told.counts.created, told.counts.deleted) == ("success", 0, 0)


def test_what_a_declaration_cannot_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="no column is called prise"):
        sheet("gsheet.x", about="", source=Sheet("X", "T", ("prise",)), table="x", columns=())
    with pytest.raises(ValueError, match="a tab has a name"):
        replace(COSTS.source, header_row=0)  # type: ignore[type-var]


def plain(*columns: Column, **source: object) -> Entity:
    return sheet(
        "gsheet.plain",
        about="A sheet whose columns have any names.",
        source=Sheet("GSHEET_MARKETING_SPENDS_ID", "All Marketing Spend", **source),  # type: ignore[arg-type]
        table="gsheet_plain",
        columns=columns,
    )


def test_a_sheet_of_no_year_may_have_columns_called_id_and_year(bench: Bench) -> None:
    entity = plain(
        text("id"), text("year"), key=("id",), headers={"id": "Campaign ID", "year": "Division"}
    )
    assert synced(bench, entity).status == "success"
    found = {(row["id"], row["year"]) for row in stored_rows(bench.warehouse, entity).values()}
    true = [row["values"] for row in bench.world.truth(SPENDS)]
    assert found == {(values["Campaign ID"], values["Division"]) for values in true}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (text("raw_data"), "has raw_data of its own"),
        (text("row_key"), "has row_key of its own"),
        (text("campaign", at="Campaign"), "campaign: a sheet's header is given in `headers`"),
        (text("campaign", key=True), "what its rows are known by in `key`"),
    ],
    ids=["raw data", "row key", "a place", "a key"],
)
def test_a_column_that_no_header_would_fill_is_refused(column: Column, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plain(column)


def test_decimals_of_a_key_are_what_they_are_however_many_digits_are_shown(bench: Bench) -> None:
    entity = plain(text("campaign_id"), decimal("cost"), headers={"campaign_id": "Campaign ID"})
    ids = bench.world.ids(SPENDS)
    bench.world.edit(ids[0], {"Cost": {"shown": "$1,200.50"}})
    bench.world.edit(ids[1], {"Cost": {"shown": "1200"}})
    synced(bench, entity)
    bench.world.edit(ids[0], {"Cost": {"shown": "1200.5"}})
    bench.world.edit(ids[1], {"Cost": {"shown": "$1,200.00"}})
    told = synced(bench, entity)
    assert (told.counts.processed, told.counts.created, told.counts.deleted) == (40, 0, 0)


def test_a_row_of_headers_that_the_grid_does_not_have_is_named(bench: Bench) -> None:
    with pytest.raises(Refused, match="has no row 99 for the headers"):
        synced(bench, plain(text("campaign"), header_row=99))


def test_the_sheet_in_the_readme_is_a_table(bench: Bench) -> None:
    page = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    [code] = [part for part in re.findall(r"```python\n(.*?)```", page, re.S) if "COSTS" in part]
    found: dict[str, Entity] = {}
    exec(code, found)
    bench.world.set("spends", tab="Costs")
    bench.environment.setenv("GSHEET_COSTS_ID", bench.world.book("spends").id)
    bench.connect()
    assert synced(bench, found["COSTS"]).counts.created == 40
    rows = stored_rows(bench.warehouse, found["COSTS"]).values()
    true = [row["values"] for row in bench.world.truth(SPENDS)]
    assert sorted((str(row["day"]), str(row["cost"])) for row in rows) == sorted(
        (values["Date"], values["Cost"]) for values in true
    )
