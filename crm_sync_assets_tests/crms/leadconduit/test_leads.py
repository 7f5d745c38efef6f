"""LeadConduit's leads: events joined by their lead, typed values, ids that are cursors."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, SyncError, Unauthorized, UsageError
from crm_sync_assets_tests.crms.leadconduit.conftest import DAY, NOON, Bench

LEADS = registry.entity("leadconduit.leads")


@pytest.mark.parametrize("ignored", [False, True], ids=["type asked for", "type ignored"])
def test_a_run_stores_the_newest_events_and_a_second_one_changes_nothing(
    bench: Bench, ignored: bool
) -> None:
    bench.sandbox.knobs.leadconduit_ignores_type = ignored
    for turn in range(2):
        told = bench.sync("leads")
        assert (told.status, told.counts.failed) == ("success", 0)
        assert (told.counts.created > 0) == (turn == 0)
        assert bench.wrong() == []


def test_a_feedback_of_days_later_reaches_its_lead(bench: Bench) -> None:
    bench.sync("leads")
    one = bench.world.ids()[1]
    before = bench.rows("leads")[one,]
    bench.pass_time(5 * DAY)
    bench.world.feedback(one, "failure", "returned: " + "x" * 300)
    assert bench.sync("leads").counts.updated == 1
    row = bench.rows("leads")[one,]
    assert (row["outcome"], len(row["reason"])) == ("failure", 310)
    assert (row["email"], row["submitted_utc"]) == (before["email"], before["submitted_utc"])
    assert bench.wrong() == []
    bench.sync("leads", full=True)
    assert bench.rows("leads")[one,]["outcome"] == "failure", "its source's event is older"


def test_what_is_recorded_late_is_in_a_later_delta(bench: Bench) -> None:
    bench.sync("leads")
    bench.sandbox.knobs.leadconduit_recorded_after = 3_600
    one = bench.world.submit({"first_name": "Late"})
    bench.pass_time(600)
    bench.sync("leads")
    assert (one,) not in bench.rows("leads")
    bench.pass_time(3_600)
    bench.sync("leads")
    assert bench.wrong() == []


@pytest.mark.parametrize("size", [2, 3, 7, 50])
def test_events_of_one_second_are_read_once_each_whatever_their_order(
    bench: Bench, size: int
) -> None:
    for number in range(20):
        bench.world.submit({"first_name": f"n {number}"})
    pages = bench.pages(LEADS, page_size=size)
    found = [record["vars"]["lead"]["id"] for page in pages for record in page.records]
    assert set(found) == set(bench.world.ids())
    for number, page in enumerate(pages):
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = bench.pages(LEADS, page_size=size, cursor=cursor)
        again = [record["id"] for p in [*pages[: number + 1], *rest] for record in p.records]
        assert again == [record["id"] for p in pages for record in p.records]


def test_an_event_made_in_the_second_that_was_just_read_is_not_passed_over(bench: Bench) -> None:
    """Whatever its id: a lower one than the last that was read among them."""

    def more(_: int) -> None:
        for _turn in range(12):
            bench.world.submit({"first_name": "Just now"})

    bench.world.submit({"first_name": "The last"})
    bench.sandbox.faults.add(r"type=source.*after_id|after_id.*type=source", 8, callback=more)
    bench.pages(LEADS, page_size=10)
    bench.sandbox.faults.clear()
    bench.sync("leads", batch_size=10)
    assert bench.wrong() == []


def test_typed_values_are_taken_apart(bench: Bench) -> None:
    phone = {"normal": "6145550142x44", "raw": "614-555-0142 x44", "area": "614", "valid": True}
    code = {"normal": "43004", "raw": "43004 ", "zip": "43004", "four": None, "valid": True}
    bad = {"normal": "", "raw": "n/a", "valid": False}
    typed = bench.world.submit({"phone_1": phone, "postal_code": code, "state": bad})
    plain = bench.world.submit({"phone_1": "6145550142", "postal_code": "43004", "state": "OH"})
    bench.sync("leads")
    rows = bench.rows("leads")
    row = rows[typed,]
    assert (row["phone"], row["zip_code"], row["state"]) == ("6145550142x44", "43004", "n/a")
    assert row["phone_metadata"] == phone
    assert row["address_metadata"] == {"postal_code": code, "state": bad}
    assert (rows[plain,]["phone"], rows[plain,]["phone_metadata"]) == ("6145550142", {})


def test_a_gap_longer_than_events_are_kept_reads_what_is_left_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sync("leads")
    with bench.warehouse.connection() as connection:
        connection.execute("UPDATE ingestion_sync_history SET watermark = now() - interval '200 d'")
        connection.commit()
    told = bench.sync("leads")
    assert told.strategy.name == "full"
    assert "the source tells of what changed no further back" in caplog.text
    assert bench.wrong() == []


def test_leads_whose_events_have_expired_are_kept(bench: Bench) -> None:
    bench.sync("leads")
    before = bench.rows("leads")
    bench.pass_time(200 * DAY)
    for flags in ({"full": True}, {"full": True, "force": True}):
        assert bench.sync("leads", **flags).counts.deleted == 0
    assert bench.rows("leads") == before


@pytest.mark.parametrize("body", ["{}", '{"message": "x"}', "7"])
def test_an_object_in_place_of_the_array_is_an_error(bench: Bench, body: str) -> None:
    bench.sandbox.faults.add("/events", "1-", status=200, body=body)
    with pytest.raises(FatalError):
        bench.sync("leads")
    assert bench.history()[-1]["watermark"] is None


def test_a_source_event_without_a_lead_is_set_aside_alone(bench: Bench) -> None:
    one = bench.world.submit({"first_name": "Nobody"})
    del next(e for e in bench.world.events if e.lead == one).record["vars"]["lead"]["id"]
    told = bench.sync("leads")
    assert (told.status, told.counts.failed) == ("partial", 1)


def test_a_window_is_one_range(bench: Bench) -> None:
    bench.sandbox.ledger.reset()
    since = NOON - timedelta(days=40)
    bench.pages(LEADS, Strategy("manual", since=since, until=NOON))
    queries = {one.query for one in bench.asked() if "after_id" not in one.query}
    assert len(queries) == 2
    assert all("start=2026-10-11T17" in q and "end=2026-11-20T17" in q for q in queries)


def test_a_key_that_is_refused_is_named_and_not_told(bench: Bench) -> None:
    bench.environment.setenv("LEADCONDUIT_API_KEY", "canary-0123456789")
    bench.connect()
    with pytest.raises(Unauthorized, match="LEADCONDUIT_API_KEY") as raised:
        bench.sync("leads")
    assert "canary" not in str(raised.value)


def test_the_flag_of_old_is_taken_and_warned_about(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert bench.sync("leads", config="production").status == "success"
    assert "config chooses nothing any more" in caplog.text
    with pytest.raises((UsageError, SyncError), match="there were default, development"):
        bench.sync("leads", config="staging")


def test_old_command_names_and_the_doctor(bench: Bench) -> None:
    crm, name = registry.command("sync_leadconduit_leads")
    assert (crm.name, name) == ("leadconduit", "leads")
    assert registry.command("sync_leadconduit_all")[1] == registry.ALL
    assert bench.client.check() == f"{bench.sandbox.env()['LEADCONDUIT_BASE_URL']} answers"
