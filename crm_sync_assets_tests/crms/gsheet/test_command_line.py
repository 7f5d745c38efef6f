"""Flags of Google Sheets as they are typed."""

from __future__ import annotations

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.crms.gsheet.sources import Sheet, sheet
from crm_sync_assets.declarations.columns import text
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.crms.gsheet.conftest import LEADS, SPENDS, VALUES, Bench

__all__ = ["run"]


@pytest.mark.parametrize(
    ("flag", "skipped", "other", "changed"),
    [("--skip-leads", LEADS, SPENDS, "Cost"), ("--skip-spends", SPENDS, LEADS, "call_notes")],
)
def test_what_is_skipped_is_left_and_the_other_is_a_whole_sync(
    bench: Bench, run: Run, flag: str, skipped: str, other: str, changed: str
) -> None:
    assert run("gsheet", "all", "--no-progress")[0] == exits.SUCCESS
    before = bench.rows(skipped)
    for name in (skipped, other):
        bench.world.delete(bench.world.ids(name)[2])
    changed_in = bench.world.where(bench.world.ids(other)[0])
    bench.world.edit(bench.world.ids(other)[0], {changed: "1.25"})
    bench.sandbox.ledger.reset()
    status, out, err = run("gsheet", "all", flag, "--no-progress")
    assert status == exits.SUCCESS, err
    assert f"{skipped}: left out by {flag[2:].replace('-', '_')}" in err
    assert bench.rows(skipped) == before
    [read] = {entry.path.split("/")[4] for entry in bench.asked(VALUES)}
    assert read == bench.world.book(changed_in).id, "the one file of the other that changed"
    kinds = {row["sync_type"]: row["kind"] for row in bench.history()[-2:]}
    assert kinds == {skipped: "filtered", other: "sync"}
    assert bench.wrong(other) == []
    assert f"gsheet.{other} " in out
    assert "dates" not in err
    assert run("gsheet", "all", "--no-progress")[0] == exits.SUCCESS
    assert bench.wrong(skipped) == []


def test_a_flag_of_another_sheet_alone_is_refused_before_anything_is_asked(
    bench: Bench, run: Run
) -> None:
    bench.sandbox.ledger.reset()
    status, _, err = run("gsheet", SPENDS, "--skip-leads")
    assert (status, "takes no skip_leads" in err) == (exits.USAGE, True)
    assert bench.asked() == []


def test_a_connection_is_tested_by_a_word(bench: Bench, run: Run) -> None:
    status, _, err = run("gsheet", LEADS, "--test-connection", "--no-progress")
    assert (status, "2024 (GSHEET_2024_MARKETING_LEADS_ID) is 'Leads 2024'" in err) == (0, True)
    assert bench.asked(VALUES) == []
    assert bench.rows(LEADS) == {}


def test_a_connection_is_tested_of_a_sheet_that_has_a_variable_of_its_own(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    source = Sheet("GSHEET_COSTS_ID", "All Marketing Spend")
    entity = sheet("gsheet.costs", about="", source=source, table="x", columns=(text("campaign"),))
    bench.environment.setenv("GSHEET_COSTS_ID", bench.world.book("spends").id)
    bench.connect()
    assert bench.pages(entity, options={"test_connection": True})[0].records == []
    assert "GSHEET_COSTS_ID is 'Marketing Spend'" in caplog.text
