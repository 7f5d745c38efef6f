"""A sheet that changes while it is read, or between two attempts, and one that lost rows."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import FatalError, Refused
from crm_sync_assets_tests.crms.gsheet.conftest import LEADS, SPENDS, VALUES, Bench

FIRST, LAST = "2024", "2025"


def with_a_key(bench: Bench) -> None:
    """An API key, to which Drive shows nothing."""
    bench.sandbox.knobs.gsheet_drive_refuses_keys = True
    bench.environment.delenv("GSHEET_SERVICE_ACCOUNT")
    bench.environment.setenv("GSHEET_API_KEY", bench.sandbox.crms["gsheet"].key)  # type: ignore[attr-defined]
    bench.connect()


@pytest.mark.parametrize("by_key", [False, True])
def test_a_row_that_an_insertion_pushes_out_of_the_range_is_not_taken_for_deleted(
    bench: Bench, *, by_key: bool
) -> None:
    """The grid is full; before its only range is answered somebody inserts a row."""
    if by_key:
        with_a_key(bench)
    bench.world.set("spends", spare=0)
    bench.sync(SPENDS)
    bench.world.touch("spends")
    bench.sandbox.faults.add(VALUES, on=1, mutate={"op": "create", "book": "spends", "at": 2})
    told = bench.sync(SPENDS)
    assert (told.counts.created, told.counts.deleted) == (1, 0)
    assert bench.wrong(SPENDS) == []


def test_merged_cells_are_those_of_the_rows_that_were_read(bench: Bench) -> None:
    ids = bench.world.ids(SPENDS)
    bench.world.edit(ids[2], {"Division": "Ohio"})
    bench.world.edit(ids[3], {"Division": None})
    merge = {"startRowIndex": 3, "endRowIndex": 5, "startColumnIndex": 2, "endColumnIndex": 3}
    bench.world.set("spends", merges=[merge])
    moved = {**merge, "startRowIndex": 4, "endRowIndex": 6}
    bench.sandbox.faults.add(
        VALUES,
        on=1,
        mutate=[
            {"op": "create", "book": "spends", "at": 0, "values": {"Division": "Texas"}},
            {"op": "set", "book": "spends", "merges": [moved]},
        ],
    )
    bench.sync(SPENDS)
    rows = {row["sheet_row_number"]: row for row in bench.rows(SPENDS).values()}
    assert [rows[number]["division"] for number in (2, 5, 6)] == ["Texas", "Ohio", "Ohio"]


def test_a_sheet_that_lost_many_rows_is_not_believed_however_few_of_all_they_are(
    bench: Bench,
) -> None:
    """A fifth of all rows may go at once; here it is a fifth of one of two sheets."""
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    for id in bench.world.ids(LEADS)[:11]:
        bench.world.delete(id)
    with pytest.raises(Refused, match=r"2024 .*lacks 11 of 30 rows .* run it again with force"):
        bench.sync(LEADS)
    assert bench.rows(LEADS) == before
    assert bench.sync(LEADS, force=True).counts.deleted == 11
    assert bench.wrong(LEADS) == []


def test_a_handful_of_rows_may_always_go(bench: Bench) -> None:
    bench.sync(LEADS)
    for id in bench.world.ids(LEADS)[:10]:
        bench.world.delete(id)
    assert bench.sync(LEADS).counts.deleted == 10


def test_a_formula_that_moves_keys_between_two_attempts_doubles_nothing(bench: Bench) -> None:
    """No date tells of it: what was gathered of the sheet is compared by its cells."""
    cut_short(bench, after=2)
    bench.world.recalculate(bench.world.ids(SPENDS)[0], {"Campaign": "calculated"})
    with pytest.raises(Refused, match="has changed since the sync was interrupted"):
        bench.sync(SPENDS, batch_size=10)
    assert bench.rows(SPENDS) == {}
    assert bench.sync(SPENDS, batch_size=10).counts.created == 40
    assert bench.wrong(SPENDS) == []


def cut_short(bench: Bench, *, after: int) -> None:
    """A sync that ends after so many pages, as one does that is killed."""
    whole = bench.client.pages

    def pages(*asked: object) -> object:
        for number, page in enumerate(whole(*asked)):
            if number == after:
                raise FatalError("cut short")
            yield page

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bench.client, "pages", pages)
        with pytest.raises(FatalError, match="cut short"):
            bench.sync(SPENDS, batch_size=10)


def test_an_answer_of_other_rows_is_none(bench: Bench) -> None:
    body = '{"range": "\'All Marketing Spend\'!A2001:M2046", "values": [["Date"]]}'
    bench.sandbox.faults.add(VALUES, on=1, status=200, body=body)
    assert bench.sync(SPENDS).status == "success"
    assert bench.wrong(SPENDS) == []
