"""Sheets as people keep them: sorted, edited, with rows and columns that come and go."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.errors import UsageError
from crm_sync_assets_tests.crms.gsheet.conftest import LEADS, SPENDS, VALUES, Bench

FIRST, LAST = "2024", "2025"


def created(bench: Bench, name: str = LEADS) -> dict[str, Any]:
    """When each live row was stored first."""
    rows = bench.rows(name)
    return {k: row["sync_created_at"] for k, row in rows.items() if row["deleted_at"] is None}


@pytest.mark.parametrize("name", [LEADS, SPENDS])
def test_a_sheet_is_read_as_it_is(bench: Bench, name: str) -> None:
    told = bench.sync(name)
    assert told.status == "success"
    assert told.counts.created == told.counts.processed == len(bench.world.ids(name))
    assert bench.wrong(name) == []


def test_what_has_not_changed_is_not_read(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.sandbox.ledger.reset()
    told = bench.sync(LEADS)
    assert (told.status, told.counts.processed) == ("success", 0)
    assert bench.asked(VALUES) == []


def test_of_two_sheets_the_one_that_changed_is_read_and_the_other_stays(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.world.edit(bench.world.ids(LEADS)[-1], {"call_notes": "changed"})
    bench.world.delete(bench.world.ids(LEADS)[-2])
    bench.sandbox.ledger.reset()
    told = bench.sync(LEADS)
    assert {entry.path.split("/")[4] for entry in bench.asked(VALUES)} == {
        bench.world.book(LAST).id
    }
    assert (told.counts.created, told.counts.deleted) == (0, 1)
    assert bench.wrong(LEADS) == []


def test_a_sheet_of_which_rows_are_missing_here_is_read_again(bench: Bench) -> None:
    bench.sync(LEADS)
    with bench.warehouse.connection() as connection:
        connection.execute("DELETE FROM gsheet_marketing_lead WHERE sheet_row_number = 5")
        connection.commit()
    assert bench.sync(LEADS).counts.created == 2
    assert bench.wrong(LEADS) == []


def test_a_row_inserted_in_the_middle_makes_no_other_one_new(bench: Bench) -> None:
    bench.sync(LEADS)
    before = created(bench)
    bench.world.create(FIRST, at=10)
    told = bench.sync(LEADS)
    assert (told.counts.created, told.counts.deleted) == (1, 0)
    # Those below it stand one row further down, which is all that changed about them.
    assert told.counts.updated == 20
    assert bench.wrong(LEADS) == []
    after = created(bench)
    assert {key: after[key] for key in before} == before


def test_an_edit_changes_one_row_although_the_file_is_of_another_date(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.world.edit(bench.world.ids(LEADS)[3], {"call_notes": "changed"})
    told = bench.sync(LEADS)
    assert (told.counts.created, told.counts.updated) == (0, 1)
    dates = {row["sheet_last_modified"] for row in bench.rows(LEADS).values()}
    assert len(dates) == 3, "of the two files as they were, and of the one as it is"


def test_sorting_moves_rows_and_makes_none_new(bench: Bench) -> None:
    bench.sync(LEADS)
    before = created(bench)
    bench.world.sort(FIRST, "last_name", descending=True)
    told = bench.sync(LEADS)
    assert (told.counts.created, told.counts.deleted) == (0, 0)
    assert bench.wrong(LEADS) == []
    assert created(bench) == before


def test_a_row_whose_key_is_emptied_is_another_row_and_its_neighbours_stay(bench: Bench) -> None:
    bench.sync(LEADS)
    one, two, three = bench.world.ids(LEADS)[4:7]
    bench.world.edit(one, {"phone_number": None})
    for each in (two, three):
        bench.world.edit(each, dict.fromkeys(("created_at", "phone_number", "email_address")))
    told = bench.sync(LEADS)
    assert (told.counts.created, told.counts.deleted) == (3, 3)
    assert bench.wrong(LEADS) == []
    assert bench.sync(LEADS, full=True).counts.created == 0


def test_rows_that_are_the_same_are_as_many_here(bench: Bench) -> None:
    bench.sync(SPENDS)
    one = bench.world.ids(SPENDS)[7]
    copies = [bench.world.copy(one) for _ in range(3)]
    assert bench.sync(SPENDS).counts.created == 3
    assert bench.wrong(SPENDS) == []
    bench.world.delete(copies[1])
    assert bench.sync(SPENDS).counts.deleted == 1
    assert bench.wrong(SPENDS) == []


def test_blank_rows_are_none_and_keep_the_numbers_of_those_below(bench: Bench) -> None:
    bench.world.blank(FIRST, 3)
    bench.world.blank(FIRST, 3)
    told = bench.sync(LEADS)
    assert told.counts.processed == 60
    assert bench.wrong(LEADS) == []
    rows = [row for row in bench.rows(LEADS).values() if row["year"] == 2024]
    numbers = {row["sheet_row_number"] for row in rows}
    assert not {5, 6} & numbers
    assert 32 in numbers


def test_boxes_to_be_ticked_make_no_row(bench: Bench) -> None:
    """They are put down the whole column before anybody has written a lead."""
    for _ in range(3):
        row = bench.world.create(FIRST)
        bench.world.clear(row)
        bench.world.edit(row, {"lead_set": "false", "manager_followup": "false"})
    assert bench.sync(LEADS).counts.created == 60
    bench.world.edit(row, {"lead_set": "true"})
    assert bench.sync(LEADS).counts.created == 1


def test_an_error_in_a_cell_is_null_and_is_counted(bench: Bench) -> None:
    one = bench.world.ids(LEADS)[0]
    errors = ("#N/A", "#REF!", "#DIV/0!")
    names = ("call_notes", "Total Job Value", "Appt Date-Time")
    bench.world.edit(one, {n: {"shown": e} for n, e in zip(names, errors, strict=True)})
    told = bench.sync(LEADS)
    assert (told.status, told.counts.warnings >= 3) == ("success", True)
    assert bench.wrong(LEADS) == []
    [row] = [row for row in bench.rows(LEADS).values() if row["id"] == "2024-2"]
    assert [row["call_notes"], row["total_job_value"], row["appt_date_time"]] == [None] * 3
    assert {issue["field"] for issue in row["sync_issues"]} >= {"call_notes", "total_job_value"}
    assert row["raw_data"]["call_notes"] == "#N/A"


def test_cells_that_are_merged_down_a_column_are_all_what_the_first_one_shows(
    bench: Bench,
) -> None:
    ids = bench.world.ids(SPENDS)
    bench.world.edit(ids[2], {"Division": "Ohio"})
    for id in ids[3:6]:
        bench.world.edit(id, {"Division": None})
    merge = {"startRowIndex": 3, "endRowIndex": 7, "startColumnIndex": 2, "endColumnIndex": 3}
    bench.world.set("spends", merges=[merge])
    bench.sync(SPENDS)
    rows = {row["sheet_row_number"]: row for row in bench.rows(SPENDS).values()}
    assert [rows[number]["division"] for number in range(4, 8)] == ["Ohio"] * 4


def test_a_column_of_dates_with_a_format_of_its_own_is_not_taken_for_the_locales(
    bench: Bench,
) -> None:
    """Nobody of an American file means the twelfth of April where the 13/4/2024 stands above."""
    ids = bench.world.ids(SPENDS)
    for id, shown in zip(ids, ("13/4/2024", "4/12/2024"), strict=False):
        bench.world.edit(id, {"event_start_date": {"shown": shown}})
    for id in ids[2:]:
        bench.world.edit(id, {"event_start_date": None})
    bench.sync(SPENDS)
    rows = {row["sheet_row_number"]: row for row in bench.rows(SPENDS).values()}
    assert [rows[number]["event_start_date"] for number in (2, 3)] == [None, None]
    for number in (2, 3):
        assert "event_start_date" in {issue["field"] for issue in rows[number]["sync_issues"]}


def test_what_a_formula_calculates_anew_is_found_by_a_full_read(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.world.recalculate(bench.world.ids(LEADS)[2], {"call_notes": "calculated"})
    assert bench.sync(LEADS).counts.processed == 0, "nothing tells of it"
    assert bench.sync(LEADS, full=True).counts.updated == 1
    assert bench.wrong(LEADS) == []


@pytest.mark.parametrize("locale", ["de_DE", "en_GB", "en_US"])
def test_dates_and_money_are_as_the_locale_and_the_zone_write_them(
    bench: Bench, locale: str
) -> None:
    for book in bench.world.books:
        bench.world.set(book, locale=locale, zone="Europe/Berlin")
    for name in (LEADS, SPENDS):
        assert bench.sync(name).status == "success"
        assert bench.wrong(name) == []


def test_another_zone_would_shift_every_moment_and_is_refused(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.world.set(FIRST, zone="Asia/Tokyo")
    bench.connect()
    with pytest.raises(UsageError, match="time zone of 2024 is Asia/Tokyo now and was Amer"):
        bench.sync(LEADS)
    assert bench.sync(LEADS, full=True, force=True).status == "success"
    assert bench.wrong(LEADS) == []
