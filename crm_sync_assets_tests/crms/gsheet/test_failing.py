"""A sheet that cannot be read keeps its rows, the others go on, and nothing is green."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.errors import (
    Closed,
    FatalError,
    Incomplete,
    NotSet,
    Refused,
    Unauthorized,
    UsageError,
)
from crm_sync_assets.sandbox.crms.gsheet import tokens
from crm_sync_assets_tests.crms.gsheet.conftest import LEADS, SPENDS, VALUES, Bench

FIRST, LAST = "2024", "2025"
BROKEN: dict[str, tuple[dict[str, Any], type[FatalError], str]] = {
    "in the trash": ({"is_trashed": True}, Refused, "'Leads 2024' is in the trash"),
    "not shared": ({"is_shared": False}, Incomplete, f"Share it with {tokens.EMAIL}"),
    "another tab": ({"tab": "Leads!"}, Refused, "no tab 'Marketing Source Leads'.*'Leads!'"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_year_that_fails_stops_no_other_and_loses_nothing(bench: Bench, how: str) -> None:
    changes, error, said = BROKEN[how]
    bench.sync(LEADS)
    before = {k: row for k, row in bench.rows(LEADS).items() if row["year"] == 2024}
    as_it_was = {name: getattr(bench.world.book(FIRST), name) for name in changes}
    for turn in range(2):
        bench.world.set(FIRST, **changes)
        bench.world.create(LAST)
        bench.world.delete(bench.world.ids(LEADS)[-3])
        bench.client._remembered.clear()
        with pytest.raises(error, match=f"2024 \\(GSHEET_2024_MARKETING_LEADS_ID\\).*{said}"):
            bench.sync(LEADS)
        row = bench.history()[-1]
        assert (row["status"], row["watermark"], row["checkpoint"]) == ("failed", None, None)
        assert row["records_created"] == 1
        rows = bench.rows(LEADS)
        assert {key: rows[key] for key in before} == before
        gone = [row for row in rows.values() if row["deleted_at"] is not None]
        assert len(gone) == turn + 1, "what is gone of the other year is gone here"
    bench.world.set(FIRST, **as_it_was)
    assert bench.sync(LEADS).status == "success"
    assert bench.wrong(LEADS) == []


def test_a_replacement_replaces_nothing_while_a_year_cannot_be_read(bench: Bench) -> None:
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.world.set(FIRST, is_trashed=True)
    bench.world.create(LAST)
    with pytest.raises(Refused, match="in the trash"):
        bench.sync(LEADS, full=True, force=True)
    assert bench.rows(LEADS) == before


def test_a_year_whose_variable_is_gone_is_not_taken_for_deleted(bench: Bench) -> None:
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.environment.delenv("GSHEET_2024_MARKETING_LEADS_ID")
    bench.connect()
    for flags in ({}, {"full": True}):
        with pytest.raises(Refused, match=r"2024 .*the variable is set no more"):
            bench.sync(LEADS, **flags)
        assert bench.rows(LEADS) == before
    told = bench.sync(LEADS, full=True, force=True)
    assert (told.status, told.counts.deleted) == ("success", 30)


def test_a_year_that_comes_is_read_beside_the_others(bench: Bench) -> None:
    spreadsheet = bench.world.book(LAST).id
    bench.environment.delenv("GSHEET_2025_MARKETING_LEADS_ID")
    bench.connect()
    bench.sync(LEADS)
    address = f"https://docs.google.com/spreadsheets/d/{spreadsheet}/edit#gid=0"
    bench.environment.setenv("GSHEET_2025_MARKETING_LEADS_ID", address)
    bench.connect()
    assert bench.sync(LEADS).counts.created == 30
    assert bench.wrong(LEADS) == []


def test_one_spreadsheet_is_not_read_for_two_years(bench: Bench) -> None:
    bench.environment.setenv("GSHEET_2023_MARKETING_LEADS_ID", bench.world.book(LAST).id)
    bench.connect()
    with pytest.raises(UsageError, match=r"2023.* and GSHEET_2025.* name the same spreadsheet"):
        bench.sync(LEADS)


def test_without_a_spreadsheet_its_variable_is_named(bench: Bench) -> None:
    bench.environment.delenv("GSHEET_MARKETING_SPENDS_ID")
    bench.connect()
    with pytest.raises(NotSet, match="GSHEET_MARKETING_SPENDS_ID is not set"):
        bench.sync(SPENDS)
    bench.environment.setenv("GSHEET_MARKETING_SPENDS_ID", "the one with the money")
    bench.connect()
    with pytest.raises(UsageError, match="between /d/ and /edit"):
        bench.sync(SPENDS)


def test_a_sheet_that_was_emptied_is_not_believed_until_forced(bench: Bench) -> None:
    bench.sync(LEADS)
    for id in bench.world.ids(LEADS)[:30]:
        bench.world.clear(id)
    with pytest.raises(Refused, match="no rows below its headers, and 30 are stored"):
        bench.sync(LEADS)
    told = bench.sync(LEADS, force=True)
    assert told.counts.deleted == 30
    assert bench.wrong(LEADS) == []


def test_nothing_is_stored_of_a_sync_that_would_delete_too_much(bench: Bench) -> None:
    """Readers see what was there before, or what is there now: it is one transaction."""
    bench.sync(SPENDS)
    before = bench.rows(SPENDS)
    for id in bench.world.ids(SPENDS)[:20]:
        bench.world.delete(id)
    bench.world.create("spends")
    with pytest.raises(Refused, match="lacks 20 of 40 rows that are stored, more than 20%"):
        bench.sync(SPENDS)
    assert bench.rows(SPENDS) == before
    assert bench.sync(SPENDS, force=True).counts.deleted == 20
    assert bench.wrong(SPENDS) == []


def test_what_is_still_being_calculated_is_waited_for(bench: Bench) -> None:
    bench.sandbox.knobs.gsheet_loading = 2
    assert bench.sync(SPENDS).status == "success"
    assert len(bench.waits) == 2
    assert bench.wrong(SPENDS) == []
    bench.world.touch("spends")
    bench.sandbox.knobs.gsheet_loading = 99
    with pytest.raises(FatalError, match=r"formulas show Loading\.\.\."):
        bench.sync(SPENDS)
    bench.sandbox.knobs.reset()
    assert bench.wrong(SPENDS) == []


def many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of ten rows, so that a sheet takes several answers."""
    monkeypatch.setattr("crm_sync_assets.crms.gsheet.tabs.BLOCK", 10)


def test_a_sheet_that_changes_between_two_answers_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, monkeypatch)
    bench.sandbox.faults.add(VALUES, on=3, mutate={"op": "create", "book": "spends", "at": 2})
    told = bench.sync(SPENDS)
    assert (told.status, told.counts.created) == ("success", 41)
    assert bench.wrong(SPENDS) == []


def test_one_that_never_comes_to_rest_is_not_half_believed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, monkeypatch)
    bench.sync(SPENDS)
    before = bench.rows(SPENDS)
    bench.world.touch("spends")
    bench.sandbox.faults.add(
        VALUES, on="every 2", mutate={"op": "create", "book": "spends", "at": 2}
    )
    with pytest.raises(FatalError, match="it is being edited"):
        bench.sync(SPENDS)
    assert bench.rows(SPENDS) == before
    bench.sandbox.faults.clear()
    assert bench.sync(SPENDS).status == "success"
    assert bench.wrong(SPENDS) == []


def test_a_grid_that_shrinks_while_it_is_read_is_measured_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, monkeypatch)
    gone = bench.world.ids(SPENDS)[-15:]
    bench.sandbox.faults.add(
        VALUES,
        on=3,
        mutate=[{"op": "delete", "id": id} for id in gone]
        + [{"op": "set", "book": "spends", "spare": 0}],
    )
    told = bench.sync(SPENDS)
    assert (told.status, told.counts.created) == ("success", 25)
    assert bench.wrong(SPENDS) == []


def test_an_interrupted_sync_whose_sheets_changed_begins_anew(bench: Bench) -> None:
    """What it had gathered is not what there is: nothing is stored, and the next one is whole."""
    bench.sandbox.faults.add(bench.world.book(LAST).id + "/values", on="1-", status=500)
    with pytest.raises(Exception, match="500"):
        bench.sync(LEADS)
    assert bench.history()[-1]["checkpoint"] is not None
    bench.sandbox.faults.clear()
    bench.world.delete(bench.world.ids(LEADS)[2])
    with pytest.raises(Refused, match=r"2024 .* has changed since the sync was interrupted"):
        bench.sync(LEADS)
    assert bench.rows(LEADS) == {}
    assert bench.sync(LEADS).status == "success"
    assert bench.wrong(LEADS) == []


def test_a_key_without_drive_reads_every_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, monkeypatch)
    bench.sandbox.knobs.gsheet_drive_refuses_keys = True
    bench.environment.delenv("GSHEET_SERVICE_ACCOUNT")
    bench.environment.setenv("GSHEET_API_KEY", bench.sandbox.crms["gsheet"].key)  # type: ignore[attr-defined]
    bench.connect()
    for _ in range(2):
        told = bench.sync(SPENDS)
        assert (told.status, told.counts.processed) == ("success", 40)
    assert told.counts.unchanged == 40
    bench.world.recalculate(bench.world.ids(SPENDS)[2], {"Campaign": "calculated"})
    assert bench.sync(SPENDS).counts.processed == 40
    assert bench.wrong(SPENDS) == []


def test_credentials_that_are_refused_name_their_variable(bench: Bench) -> None:
    bench.environment.setenv("GSHEET_SERVICE_ACCOUNT", "{}")
    with pytest.raises(UsageError, match="GSHEET_SERVICE_ACCOUNT holds no service account's JSON"):
        bench.connect()
    account = tokens.account("x").replace(tokens.EMAIL, "nobody@example.com")
    bench.environment.setenv("GSHEET_SERVICE_ACCOUNT", account)
    bench.connect()
    with pytest.raises(Unauthorized, match=r"GSHEET_SERVICE_ACCOUNT.*account not found"):
        bench.sync(LEADS)


def test_a_sheet_that_is_not_shared_says_with_whom_to_share_it(bench: Bench) -> None:
    bench.world.set("spends", is_shared=False)
    with pytest.raises(Closed, match=f"Share it with {tokens.EMAIL}"):
        bench.sync(SPENDS)


def test_drives_limit_is_waited_for_although_it_is_a_403(bench: Bench) -> None:
    bench.sandbox.faults.add("/drive/", on="1-2", status=403, body="drive limit")
    assert bench.sync(SPENDS).status == "success"
    assert len(bench.waits) == 2
    assert bench.wrong(SPENDS) == []
