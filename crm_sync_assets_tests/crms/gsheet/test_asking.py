"""Flags of its own, what the doctor is told, schedules, and how often Google is asked."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.declarations.switches import lacking
from crm_sync_assets.declarations.unread import refuse_misspelt, unread
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.orchestration.schedules import build_resweeps, build_schedules
from crm_sync_assets.sandbox.crms.gsheet import tokens
from crm_sync_assets_tests.crms.gsheet.conftest import CRM, ENTITIES, LEADS, SPENDS, VALUES, Bench


def test_a_connection_is_tested_and_nothing_is_read(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    told = bench.sync(LEADS, test_connection=True)
    assert (told.status, told.counts.processed, told.watermark) == ("success", 0, None)
    said = f"{tokens.EMAIL} sees GSHEET_MARKETING_SPENDS_ID is 'Marketing Spend', 2024 (GSHEET_2024"
    assert said in caplog.text
    assert bench.client.check().endswith("is 'Leads 2025', and 2 more are named")
    assert bench.asked(VALUES) == []


def test_a_summary_says_what_each_sheet_has(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.world.insert_column("2024", 2, "Mood")
    bench.sync(LEADS, show_summary=True)
    assert "2024 (GSHEET_2024_MARKETING_LEADS_ID): 30 rows in a grid of 36" in caplog.text
    assert "beside them Mood" in caplog.text


@pytest.mark.parametrize(("name", "flag"), [(LEADS, "skip_leads"), (SPENDS, "skip_spends")])
def test_what_is_skipped_is_left_as_it_is_and_the_switch_is_named(
    bench: Bench, caplog: pytest.LogCaptureFixture, name: str, flag: str
) -> None:
    bench.sync(name)
    before = bench.rows(name)
    bench.world.edit(bench.world.ids(name)[0], {"call_notes": "changed", "Cost": "1.25"})
    told = bench.sync(name, **{flag: True})
    assert (told.status, told.counts.processed, told.watermark) == ("success", 0, None)
    assert f"CRM_SYNC_GSHEET__EXCLUDE={name}" in caplog.text
    assert bench.rows(name) == before
    assert bench.sync(name).counts.updated == 1


def test_the_doctor_finds_a_header_that_is_missing(bench: Bench) -> None:
    for entity in ENTITIES:
        bench.client.probe(entity, Usage())
    bench.world.rename("2025", "division", "Region")
    with pytest.raises(FatalError, match=r"2025 \(GSHEET_2025.*no header 'division'"):
        bench.client.probe(bench.entity(LEADS), Usage())


def test_a_sheet_costs_four_requests_and_one_when_it_is_what_it_was(bench: Bench) -> None:
    bench.sync(SPENDS)
    bench.sandbox.ledger.reset()
    bench.world.touch("spends")
    bench.sync(SPENDS)
    paths = [entry.path.split("/")[2] for entry in bench.asked()]
    assert paths == ["drive", "v4", "v4", "drive"]
    bench.sandbox.ledger.reset()
    bench.sync(SPENDS)
    assert [entry.path.split("/")[2] for entry in bench.asked()] == ["drive"]


def test_there_is_a_variable_for_each_year(bench: Bench, environment: pytest.MonkeyPatch) -> None:
    assert unread(CRM) == []
    refuse_misspelt(CRM)
    environment.setenv("GSHEET_2019_MARKETING_LEADS_ID", "1" * 44)
    assert unread(CRM) == []
    assert list(bench.client._places(bench.entity(LEADS))) == ["2019", "2024", "2025"]
    environment.setenv("GSHEET_2019_MARKETNG_LEADS_ID", "1" * 44)
    assert unread(CRM) == ["GSHEET_2019_MARKETNG_LEADS_ID"]
    with pytest.raises(UsageError, match=r"did you mean GSHEET_\{year\}_MARKETING_LEADS_ID"):
        refuse_misspelt(CRM)


def test_without_any_year_leads_are_left_out(environment: pytest.MonkeyPatch) -> None:
    leads = registry.entity(f"gsheet.{LEADS}")
    assert [variable.name for variable in lacking(CRM, leads)] == [
        "GSHEET_{year}_MARKETING_LEADS_ID"
    ]
    environment.setenv("GSHEET_2021_MARKETING_LEADS_ID_FILE", "/somewhere")
    assert lacking(CRM, leads) == []


def test_sheets_are_read_by_the_hour_and_whole_by_the_day(bench: Bench) -> None:
    from crm_sync_assets.orchestration.schedules import build_job

    hourly = list(build_schedules(CRM, build_job(CRM, ENTITIES), ENTITIES))
    assert [(one.name, one.cron_schedule) for one in hourly] == [
        ("gsheet_hourly_delta", "51 * * * *")
    ]
    [daily] = build_resweeps(CRM, ENTITIES)
    assert (daily.name, daily.cron_schedule) == ("gsheet_daily_resweep", "6 3 * * *")
