"""LeadConduit's leads: put together of events, whatever comes when; typed values; what expires."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import Expired, FatalError, Unauthorized, UsageError
from crm_sync_assets.operations import alerts, channels
from crm_sync_assets.operations.incidents import Incident
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.crms.leadconduit.conftest import CRM, DAY, Bench

LEADS = registry.entity("leadconduit.leads")


@pytest.mark.parametrize("ignored", [False, True], ids=["type asked for", "type ignored"])
def test_a_sync_counts_leads_and_not_their_events_and_a_second_one_changes_nothing(
    bench: Bench, ignored: bool
) -> None:
    bench.sandbox.knobs.leadconduit_ignores_type = ignored
    bench.world.ping()
    assert len(bench.world.events) > 2 * len(bench.world.ids()), "of types that say nothing, too"
    assert bench.sync("leads").counts == Counts(60, created=60)
    assert bench.wrong() == []
    assert bench.sync("leads", full=True).counts == Counts(60, unchanged=60)
    assert bench.wrong() == []


@pytest.mark.parametrize("is_whole", [True, False], ids=["the lead again", "only which lead"])
def test_a_feedback_of_days_later_reaches_its_lead(bench: Bench, is_whole: bool) -> None:
    bench.sync("leads")
    one = bench.world.ids()[1]
    before = bench.rows("leads")[one]
    bench.pass_time(5 * DAY)
    bench.world.feedback(one, "failure", "returned: " + "x" * 300, is_whole=is_whole)
    assert bench.sync("leads").counts == Counts(1, updated=1)
    row = bench.rows("leads")[one]
    assert (row["outcome"], len(row["reason"])) == ("failure", 310)
    same = before.keys() - {"outcome", "reason", "outcome_at", "outcome_event_id"}
    assert {n: row[n] for n in same if n[:5] != "sync_"} == {
        n: before[n] for n in same if n[:5] != "sync_"
    }
    assert bench.wrong() == []
    bench.sync("leads", full=True)
    assert bench.rows("leads")[one]["outcome"] == "failure", "its source's event is older"


def test_a_feedback_that_comes_before_its_lead_is_kept_and_joined(bench: Bench) -> None:
    """Its source's event is recorded late. What the feedback says of the lead holds meanwhile."""
    bench.sync("leads")
    bench.sandbox.knobs.leadconduit_recorded_after = 3_600
    known, unknown = (bench.world.submit({"first_name": name}) for name in ("Ann", "Bob"))
    bench.sandbox.knobs.leadconduit_recorded_after = 0
    bench.pass_time(600)
    bench.world.feedback(known, "failure", "sold")
    bench.world.feedback(unknown, "failure", "sold", is_whole=False)
    assert bench.sync("leads").counts == Counts(2, created=2)
    rows = bench.rows("leads")
    assert [rows[one]["outcome"] for one in (known, unknown)] == ["failure"] * 2
    assert (rows[known]["first_name"], rows[known]["event_at"].year) == ("Ann", 1970)
    assert (rows[unknown]["first_name"], rows[unknown]["event_id"]) == (None, "")
    bench.pass_time(3_600)
    assert bench.sync("leads").counts == Counts(2, updated=2)
    assert bench.wrong() == []


def test_a_lead_that_comes_in_again_has_its_newest_fields(bench: Bench) -> None:
    one = bench.world.ids()[3]
    bench.world.feedback(one, "failure", "returned")
    bench.world.retry(one, {"city": "Dayton", "note_hge": None})
    bench.sync("leads", batch_size=2)
    row = bench.rows("leads")[one]
    assert (row["city"], row["outcome"]) == ("Dayton", "success")
    assert bench.wrong() == []


def test_typed_values_are_taken_apart(bench: Bench) -> None:
    phone = {"normal": "6145550142x44", "raw": "614-555-0142 x44", "area": "614", "valid": True}
    code = {"normal": "43004", "raw": "43004 ", "zip": "43004", "four": None, "valid": True}
    bad = {"normal": "", "raw": "n/a", "valid": False}
    typed = bench.world.submit({"phone_1": phone, "postal_code": code, "state": bad})
    plain = bench.world.submit({"phone_1": "6145550142", "postal_code": "43004", "state": "OH"})
    bench.sync("leads")
    rows = bench.rows("leads")
    row = rows[typed]
    assert (row["phone"], row["zip_code"], row["state"]) == ("6145550142x44", "43004", "n/a")
    assert row["phone_metadata"] == phone
    assert row["address_metadata"] == {"postal_code": code, "state": bad}
    assert (rows[plain]["phone"], rows[plain]["phone_metadata"]) == ("6145550142", {})


def test_an_event_without_a_lead_or_a_time_is_set_aside_alone(bench: Bench) -> None:
    for name in ("Nobody", "Sometime", "Never"):
        bench.world.submit({"first_name": name})
    nobody, sometime, never = (event.record for event in bench.world.events[-3:])
    del nobody["vars"]["lead"]["id"]
    sometime["id"] = never["id"] = "none"
    del never["end_timestamp"], never["start_timestamp"]
    told = bench.sync("leads")
    assert (told.status, told.counts) == ("partial", Counts(63, created=61, failed=2))
    assert bench.rows("leads")[sometime["vars"]["lead"]["id"]]["outcome"] == "success"


@pytest.mark.parametrize("flags", [{}, {"full": True}], ids=str)
def test_a_gap_longer_than_events_are_kept_is_stored_told_and_no_success(
    bench: Bench, flags: dict[str, bool]
) -> None:
    bench.sync("leads")
    bench.configure(keeps_days=90)
    with bench.warehouse.connection() as connection:
        connection.execute("UPDATE ingestion_sync_history SET watermark = now() - interval '200 d'")
        connection.commit()
    bench.world.submit({"first_name": "New"})
    with pytest.raises(Expired, match="crm-sync leadconduit leads --force"):
        bench.sync("leads", **flags)
    assert bench.wrong() == [], "all that is left is there"
    row = bench.history()[-1]
    assert (row["status"], row["reason"], row["watermark"]) == ("failed", "data", None)
    assert "UTC may be lost" in row["error_message"]
    (incident,) = opened(bench)
    assert incident.subject == "leadconduit.leads"
    assert bench.sync("leads", force=True).status == "success"
    bench.configure(keeps_days=9_999)
    assert bench.sync("leads").strategy.name == "incremental"
    assert opened(bench) == []


def opened(bench: Bench) -> list[Incident]:
    """The failures that a look now finds."""
    done = alerts.evaluate(
        bench.warehouse,
        channels.channels(read_environment()),
        {LEADS.name: LEADS},
        silence=timedelta(days=9_999),
        limits=Limits.of(read_environment()),
        repeat=timedelta(days=1),
        settings=lambda entity: settings_for(CRM, entity),
    )
    return [incident for incident in done.open if incident.rule == "failed"]


@pytest.mark.parametrize("is_whole", [True, False], ids=["the lead again", "only which lead"])
def test_leads_whose_events_have_expired_are_kept_with_all_that_is_known(
    bench: Bench, is_whole: bool
) -> None:
    one = bench.world.ids()[2]
    bench.sync("leads")
    before = bench.rows("leads")
    bench.pass_time(200 * DAY)
    bench.world.feedback(one, "failure", "returned", is_whole=is_whole)
    for flags in ({"full": True}, {"full": True, "force": True}, {"force": True}):
        told = bench.sync("leads", **flags)
        assert (told.counts.processed, told.counts.deleted) == (1, 0)
    after = bench.rows("leads")
    assert after[one]["event_id"] == before[one]["event_id"]
    assert after[one]["first_name"] == before[one]["first_name"]
    assert after[one]["reason"] == "returned"
    assert {k: row for k, row in after.items() if k != one} == {
        k: row for k, row in before.items() if k != one
    }


def test_events_that_expire_sooner_than_the_setting_has_it_are_told_of(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.configure(keeps_days=90)
    bench.sync("leads", full=True, force=True)
    assert "KEEPS_DAYS" not in caplog.text
    bench.sandbox.knobs.leadconduit_keeps_days = 30
    bench.world.submit()
    bench.sync("leads", full=True, force=True)
    assert "keeps its events for 29 days, and CRM_SYNC_LEADCONDUIT__KEEPS_DAYS is 90" in caplog.text


def test_a_verification_finds_what_is_missing_and_what_has_an_older_outcome(bench: Bench) -> None:
    bench.sync("leads")
    gone, old, *_ = bench.world.ids()
    with bench.warehouse.connection() as connection:
        connection.execute("DELETE FROM leadconduit_lead WHERE lead_id = %s", [gone])
        connection.execute(
            "UPDATE leadconduit_lead SET outcome = 'x', outcome_at = '2020-01-01' "
            "WHERE lead_id = %s",
            [old],
        )
        connection.commit()
    found = verify(bench.warehouse, LEADS, bench.client, settings_for(CRM, LEADS), repair=True)
    assert (found.count("missing"), found.count("stale"), found.repaired) == (1, 1, 2)
    assert bench.wrong() == []


def test_a_free_account_is_told_what_it_lacks(bench: Bench) -> None:
    bench.sandbox.knobs.leadconduit_free = True
    with pytest.raises(Unauthorized, match="a free account may read no events"):
        bench.sync("leads")


def test_the_flag_of_old_is_taken_and_warned_about(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert bench.sync("leads", config="production").status == "success"
    assert "config chooses nothing any more" in caplog.text
    with pytest.raises(UsageError, match="there were default, development"):
        bench.sync("leads", config="staging")


def test_old_command_names_and_the_doctor(bench: Bench) -> None:
    crm, name = registry.command("sync_leadconduit_leads")
    assert (crm.name, name) == ("leadconduit", "leads")
    assert registry.command("sync_leadconduit_all")[1] == registry.ALL
    assert bench.client.check() == f"{bench.sandbox.env()['LEADCONDUIT_BASE_URL']} answers"


@pytest.mark.parametrize("body", ["{}", '{"message": "x"}', "7"])
def test_an_object_in_place_of_the_array_is_an_error(bench: Bench, body: str) -> None:
    bench.sandbox.faults.add("/events", "1-", status=200, body=body)
    with pytest.raises(FatalError):
        bench.sync("leads")
    assert bench.history()[-1]["watermark"] is None
