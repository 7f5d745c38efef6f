"""What changed: by the day of the last change, by a report, or, where neither is to be had, all."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import FatalError, Refused, TransientError, UsageError
from crm_sync_assets.sandbox.crms.five9.reports import FOLDER, NAME
from crm_sync_assets_tests.crms.five9.conftest import DAY, NOON, Bench

FIELD = "New Contact Field"


def _days(bench: Bench) -> list[str]:
    """The days that were asked for without an id."""
    head = f"getContactRecords {FIELD}="
    return [line.removeprefix(head) for line in bench.questions() if line.startswith(head)]


def _ran(bench: Bench) -> int:
    return sum(line == "runReport" for line in bench.questions())


def _read_everything(bench: Bench) -> bool:
    return "getContactRecords contactID=%" in bench.questions()


def lived(bench: Bench, count: int = 3) -> list[str]:
    """Synced, and an hour later some are edited, without a call."""
    bench.sync("contacts")
    bench.pass_time(3_600)
    edited = bench.world.ids("contacts")[:count]
    for one in edited:
        bench.world.edit("contacts", one, {"city": "Tampa, FL", "2nd Visit": None})
    bench.sandbox.ledger.reset()
    return edited


def with_report(bench: Bench, folder: str = FOLDER, name: str = NAME) -> None:
    bench.environment.setenv("FIVE9_REPORT_FOLDER", folder)
    bench.environment.setenv("FIVE9_REPORT_NAME", name)
    bench.connect()


# -- by days


def test_an_edit_without_a_call_is_in_the_next_delta(bench: Bench) -> None:
    lived(bench)
    told = bench.sync("contacts")
    assert (told.counts.updated, told.counts.processed) == (3, 3)
    assert _days(bench) == ["2026-11-18%", "2026-11-19%", "2026-11-20%", "2026-11-21%"]
    assert bench.wrong() == []


def test_a_day_with_too_many_is_cut_by_ids(bench: Bench) -> None:
    bench.cut_at(7)
    lived(bench, 40)
    told = bench.sync("contacts")
    assert (told.counts.updated, told.counts.processed) == (40, 40)
    assert any("2026-11-20% contactID=100" in line for line in bench.questions())
    assert bench.wrong() == []


def test_without_wildcards_in_ids_a_day_is_cut_by_its_hours(bench: Bench) -> None:
    bench.cut_at(7)
    bench.sandbox.knobs.five9_id_wildcards = False
    bench.sync("contacts")
    for number, one in enumerate(bench.world.ids("contacts")[:40]):
        bench.pass_time(60 + number)
        bench.world.edit("contacts", one, {"city": "Tampa"})
    bench.sandbox.ledger.reset()
    told = bench.sync("contacts")
    assert (told.counts.updated, told.counts.processed) == (40, 40)
    assert any(day.startswith("2026-11-20 ") for day in _days(bench))
    assert bench.wrong() == []


@pytest.mark.parametrize(
    "knob", ["five9_unmapped", "five9_date_wildcards"], ids=["no such field", "no such wildcards"]
)
def test_where_days_cannot_be_asked_for_everything_is_read(bench: Bench, knob: str) -> None:
    bench.sandbox.knobs.turn({knob: knob == "five9_unmapped"})
    lived(bench)
    told = bench.sync("contacts")
    assert (told.strategy.name, told.counts.updated) == ("incremental", 3)
    assert _days(bench) == []
    assert _read_everything(bench)
    if knob != "five9_unmapped":
        assert bench.wrong() == []


def test_a_wildcard_that_finds_nobody_is_noticed_by_a_contact_that_is_known(bench: Bench) -> None:
    """It would look like a day on which nothing happened."""
    lived(bench)
    bench.sandbox.faults.add(rf"getContactRecords .*{FIELD}", on="all", lie="empty")
    told = bench.sync("contacts")
    assert told.counts.updated == 3
    assert _read_everything(bench)
    assert bench.wrong() == []


def test_a_contact_is_tried_that_is_still_there(bench: Bench) -> None:
    lived(bench)
    for one in bench.world.ids("contacts")[:2]:
        bench.world.purge("contacts", one)
    bench.sync("contacts")
    assert _days(bench)
    assert not _read_everything(bench)


def test_a_wrong_zone_loses_nothing(bench: Bench) -> None:
    """The domain's clock is seventeen hours from what the setting says."""
    bench.environment.setenv("FIVE9_TZ", "Asia/Tokyo")
    bench.connect()
    for hours in (0, 9, 18, 27):
        bench.sync("contacts")
        bench.pass_time(hours * 3_600)
        one = bench.world.ids("contacts")[hours]
        bench.world.edit("contacts", one, {"city": f"after {hours} hours"})
        bench.sync("contacts")
        assert bench.rows("contacts")[one]["city"] == f"after {hours} hours"


def test_a_long_pause_is_asked_for_by_months(bench: Bench) -> None:
    bench.sync("contacts")
    bench.pass_time(200 * DAY)
    bench.world.edit("contacts", bench.world.ids("contacts")[0], {"city": "late"})
    bench.sandbox.ledger.reset()
    bench.sync("contacts")
    assert _days(bench)[0] == "2026-11%"
    assert len(_days(bench)) == 8
    assert bench.wrong() == []


def test_a_moment_that_the_clock_shows_twice_is_not_older(bench: Bench) -> None:
    """01:30, and an hour later 01:30 once more."""
    bench.sandbox.clock.freeze(NOON.replace(month=11, day=1, hour=8, minute=30))
    one = bench.world.ids("contacts")[0]
    bench.world.edit("contacts", one, {"city": "first"})
    bench.sync("contacts")
    bench.pass_time(3_000)
    bench.world.edit("contacts", one, {"city": "second"})
    bench.sync("contacts")
    assert bench.rows("contacts")[one]["city"] == "second"


# -- by a report


def test_a_report_brings_what_changed(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    told = bench.sync("contacts")
    assert told.counts.updated == 3
    assert (_ran(bench), _days(bench)) == (2, []), "one of them to try it"
    assert 5.0 in bench.waits, "it was asked about again, and not at once"
    assert bench.wrong() == []


def test_a_report_of_one_campaign_is_noticed_by_a_contact_that_is_known(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    bench.sandbox.knobs.five9_report_campaign = "Nobody's"
    assert bench.sync("contacts").counts.updated == 3
    assert (_ran(bench), _read_everything(bench)) == (1, True)
    assert bench.wrong() == []


def test_a_first_sync_reads_everything_and_runs_no_report(bench: Bench) -> None:
    with_report(bench)
    bench.sync("contacts")
    assert _ran(bench) == 0
    assert bench.wrong() == []


def test_a_report_that_runs_is_taken_up_by_the_next_sync(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    bench.sandbox.knobs.five9_report_polls = 10_000
    with pytest.raises(TransientError, match="report report-000001 is running after"):
        bench.sync("contacts")
    assert bench.history()[-1]["checkpoint"]
    with pytest.raises(TransientError, match="report-000001"):
        bench.sync("contacts")
    assert _ran(bench) == 1
    bench.sandbox.faults.add("isReportRunning", rewrite=lambda b: b.replace(b"true", b"false"))
    bench.sandbox.crms["five9"]._desk.reports._run["report-000001"].polls = 0
    bench.sandbox.knobs.five9_report_polls = 1
    told = bench.sync("contacts")
    assert told.resumed
    assert (_ran(bench), told.counts.updated) == (2, 3)
    assert bench.wrong() == []


def test_a_report_that_is_forgotten_is_run_again(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    forget = {"five9_reports_forgotten": True}
    remember = {"five9_reports_forgotten": False}
    bench.sandbox.faults.add("isReportRunning", callback=lambda _: bench.sandbox.knobs.turn(forget))
    bench.sandbox.faults.add(
        "runReport", on=2, callback=lambda _: bench.sandbox.knobs.turn(remember)
    )
    assert bench.sync("contacts").counts.updated == 3
    assert _ran(bench) == 3
    assert bench.wrong() == []


def test_a_report_that_is_never_known_ends_the_sync(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    bench.sandbox.knobs.five9_reports_forgotten = True
    with pytest.raises(TransientError, match=r"is not known, \d+ times in a row"):
        bench.sync("contacts")
    assert _ran(bench) == bench.client.settings.max_attempts
    bench.sandbox.knobs.five9_reports_forgotten = False
    assert bench.sync("contacts").counts.updated == 3
    assert bench.wrong() == []


def test_a_report_that_is_not_ready_though_it_runs_no_more_is_waited_for(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    bench.sandbox.knobs.five9_report_polls = 3
    bench.sandbox.faults.add("isReportRunning", rewrite=lambda b: b.replace(b"true", b"false"))
    assert bench.sync("contacts").counts.updated == 3
    assert bench.wrong() == []


def test_a_report_with_a_round_number_of_lines_is_run_for_two_windows(bench: Bench) -> None:
    with_report(bench)
    bench.sync("contacts")
    for number in range(1_150):
        bench.world.create("contacts", {"city": "new"})
        if number % 10 == 0:
            bench.pass_time(30)
    bench.sandbox.ledger.reset()
    bench.sandbox.knobs.five9_report_rows = 1_000
    told = bench.sync("contacts")
    assert told.counts.created == 1_150
    assert _ran(bench) > 1
    assert bench.wrong() == []


def test_a_report_that_seems_cut_however_short_its_window_is_not_believed(bench: Bench) -> None:
    with_report(bench)
    bench.sync("contacts")
    bench.pass_time(3_600)
    for _ in range(1_100):
        bench.world.create("contacts")
    bench.sandbox.knobs.five9_report_rows = 1_000
    with pytest.raises(Refused, match="a round number, and may be cut"):
        bench.sync("contacts")


def test_a_report_without_a_field_is_refused_and_clears_nothing(bench: Bench) -> None:
    with_report(bench)
    lived(bench)
    bench.sandbox.knobs.five9_report_lacks = "Product"
    with pytest.raises(FatalError, match=r"has no column for Product.*Add all contact fields"):
        bench.sync("contacts")


def test_a_report_that_is_not_there_is_named(bench: Bench) -> None:
    with_report(bench, name="Nothing")
    lived(bench)
    with pytest.raises(FatalError, match=r"ReportNotFoundFault.*folder Shared Reports.*Nothing"):
        bench.sync("contacts")


def test_half_a_name_of_a_report_is_refused_before_anything_is_read(bench: Bench) -> None:
    bench.environment.setenv("FIVE9_REPORT_NAME", NAME)
    with pytest.raises(UsageError, match="FIVE9_REPORT_FOLDER and FIVE9_REPORT_NAME"):
        bench.connect()
    bench.environment.delenv("FIVE9_REPORT_NAME")
    bench.connect()
