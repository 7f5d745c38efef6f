"""Columns are found by their headers, wherever they stand, and never guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crm_sync_assets.crms.gsheet.layout import Layout, Unfit
from crm_sync_assets.crms.gsheet.sources import Sheet, cells_of
from crm_sync_assets.errors import Refused
from crm_sync_assets_tests.crms.gsheet.conftest import LEADS, SPENDS, Bench

FIRST, LAST = "2024", "2025"


def test_a_column_inserted_or_moved_shifts_no_value(bench: Bench) -> None:
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.world.insert_column(FIRST, 1, "Our new one")
    bench.world.insert_column(FIRST, 3, "")
    bench.world.move_column(FIRST, "Total Job Value", 0)
    told = bench.sync(LEADS)
    assert (told.counts.created, told.counts.updated, told.counts.deleted) == (0, 30, 0)
    for key, row in bench.rows(LEADS).items():
        raw = row["raw_data"]
        if row["year"] == 2024:
            assert (raw.pop("Our new one"), raw.pop("column_E")) == ("new", "new")
        kept = {name: value for name, value in row.items() if name not in OF_THE_SYNC}
        assert kept == {name: before[key][name] for name in kept}


OF_THE_SYNC = ("sync_updated_at", "sheet_last_modified")


def test_a_header_that_is_renamed_fails_its_sheet_and_empties_nothing(bench: Bench) -> None:
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.world.rename(FIRST, "Total Job Value", "Job Value Total")
    bench.world.create(LAST)
    with pytest.raises(Refused, match=r"no header 'Total Job Value'.*GSHEET_OPTIONAL_HEADERS"):
        bench.sync(LEADS)
    rows = bench.rows(LEADS)
    assert {key: rows[key] for key in before} == before
    assert len(rows) == len(before) + 1, "the other sheet went on"
    assert (bench.history()[-1]["status"], bench.history()[-1]["reason"]) == ("failed", "data")
    bench.world.rename(FIRST, "Total Job Value", "  total  JOB value ")
    assert bench.sync(LEADS).status == "success"
    values = {row["total_job_value"] for row in bench.rows(LEADS).values()}
    assert None not in values


def test_a_header_that_may_be_missing_leaves_its_column_empty_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sync(LEADS)
    bench.world.rename(FIRST, "utm_term", "something else")
    bench.environment.setenv("GSHEET_OPTIONAL_HEADERS", "UTM_Term, phone_number")
    bench.connect()
    assert bench.sync(LEADS).status == "success"
    assert "has no header for utm_term" in caplog.text
    rows = bench.rows(LEADS).values()
    assert {row["utm_term"] for row in rows if row["year"] == 2024} == {None}
    bench.world.rename(FIRST, "phone_number", "phone")
    with pytest.raises(Refused, match="no header 'phone_number'"):
        bench.sync(LEADS)


@pytest.mark.parametrize("at", [0, 60])
def test_a_header_that_is_there_twice_fails_its_sheet_wherever_the_other_stands(
    bench: Bench, at: int
) -> None:
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.world.insert_column(FIRST, at, " Call_Notes", "not this one")
    with pytest.raises(Refused, match=r"2024 .*row 1 of its tab .*either could be call_notes"):
        bench.sync(LEADS)
    assert bench.rows(LEADS) == before
    bench.world.rename(FIRST, " Call_Notes", "Other notes")
    assert bench.sync(LEADS).status == "success"
    assert bench.wrong(LEADS) == []


def test_headers_that_nobody_declared_may_come_twice_and_are_told_apart(bench: Bench) -> None:
    for value in ("one", "two"):
        bench.world.insert_column(FIRST, 0, "Mood", value)
    assert bench.sync(LEADS).status == "success"
    raw = [row["raw_data"] for row in bench.rows(LEADS).values() if row["year"] == 2024]
    assert {(row["Mood"], row["Mood_B"]) for row in raw} == {("two", "one")}


def test_two_names_of_a_column_that_are_both_there_are_refused(bench: Bench) -> None:
    entity = bench.entity(SPENDS)
    assert isinstance(entity.source, Sheet)
    source = replace(entity.source, headers={**entity.source.headers, "cost": ("Costs", "Cost")})
    header = [column.header for column in bench.world.book("spends").columns]
    found = Layout.of(header, source, cells_of(entity))
    assert found.places["cost"] == header.index("Cost")
    with pytest.raises(Unfit, match="'Costs' over A and 'Cost' over C, and either could be cost"):
        Layout.of(["Costs", *header], source, cells_of(entity))
