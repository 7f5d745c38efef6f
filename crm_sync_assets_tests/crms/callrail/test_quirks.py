"""What is odd about CallRail, one by one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_sync_assets.crms.callrail.entities.text_messages import messages_of
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import FatalError, Incomplete, Refused, Unauthorized, UsageError
from crm_sync_assets_tests.crms.callrail.conftest import DAY, NOON, Bench

KEPT = ("calls", "form_submissions", "text_messages")


def entity(name: str) -> Any:
    return registry.entity(f"callrail.{name}")


# Values


def test_what_a_call_says_becomes_what_its_columns_are(bench: Bench) -> None:
    one = bench.world.begin_call(
        NOON - timedelta(hours=2),
        _company=1,
        value="$1,250.00",
        customer_phone_number="",
        answered=None,
        duration=None,
        voicemail=None,
    )
    bench.world.tag("calls", one, bench.world.ids("tags")[0])
    bench.sync("calls")
    row = bench.rows("calls")[one]
    assert row["value"] == Decimal("1250.00")
    assert (row["customer_phone_number"], row["duration"]) == ("", 0)
    assert (row["answered"], row["voicemail"]) == (False, False)
    assert row["start_time"] == NOON - timedelta(hours=2)
    assert [tag["id"] for tag in row["tags"]] == [int(bench.world.ids("tags")[0])]
    assert row["note"] == bench.world.get("calls", one)["properties"]["note"]


@pytest.mark.parametrize("spelled", ["2026-11-01T09:12:44.767-04:00", "2026-11-01T13:12:44.767Z"])
def test_moments_are_read_with_either_zone(spelled: str) -> None:
    [column] = [one for one in entity("calls").columns if one.name == "start_time"]
    assert column.parse(spelled) == datetime(2026, 11, 1, 13, 12, 44, 767_000, tzinfo=UTC)
    odd = datetime(2026, 2, 10, 8, 43, 50, tzinfo=UTC)
    assert column.parse("2026-02-10 03:43:50 -0500") == odd


def test_ids_are_text_whatever_they_are_there(bench: Bench) -> None:
    for name in ("companies", "tags", "calls"):
        bench.sync(name)
    companies = set(bench.rows("companies"))
    assert companies == set(bench.world.ids("companies"))
    assert {one.isdecimal() for one in companies} == {True, False}
    assert {row["company_id"] for row in bench.rows("calls").values()} <= companies
    assert all(one.isdecimal() for one in bench.rows("tags"))
    configuration = next(iter(bench.rows("tags").values()))["configuration"]
    assert set(configuration) == {"tag_level", "status", "background_color", "created_at"}


def test_a_tracker_has_its_own_destination_or_its_call_flows_or_none(bench: Bench) -> None:
    own, flow, none = bench.world.ids("trackers")[:3]
    bench.world.edit("trackers", own, {"destination_number": "+16145550100"})
    flowing = {"destination_number": None, "call_flow": {"destination_number": "+16145550101"}}
    bench.world.edit("trackers", flow, flowing)
    bench.world.edit("trackers", none, {"destination_number": None, "call_flow": None})
    bench.world.edit("trackers", none, {"tracking_numbers": None})
    bench.sync("trackers")
    rows = bench.rows("trackers")
    found = [rows[one]["destination_number"] for one in (own, flow, none)]
    assert found == ["+16145550100", "+16145550101", ""]
    assert rows[none]["tracking_numbers"] == []


def test_a_form_without_an_address_is_a_row_all_the_same(bench: Bench) -> None:
    one = bench.world.create("form_submissions", {"form_url": None, "form_data": None})
    bench.sync("form_submissions")
    row = bench.rows("form_submissions")[one]
    assert (row["form_url"], row["form_data"]) == ("", {})
    assert row["submission_time"] == NOON


def test_a_user_who_says_nothing_of_it_is_active(bench: Bench) -> None:
    users = bench.world.ids("users")[:2]
    for one, accepted in zip(users, (None, False), strict=True):
        bench.world.edit("users", one, {"accepted": accepted})
    bench.sync("users")
    assert [bench.rows("users")[one]["is_active"] for one in users] == [True, False]


def test_a_field_that_the_account_does_not_have_fails_nothing(bench: Bench) -> None:
    bench.sandbox.knobs.callrail_hidden_fields = {"agent_email", "lead_status", "company_name"}
    told = bench.sync("calls")
    assert (told.status, told.counts.failed) == ("success", 0)
    assert {row["agent_email"] for row in bench.rows("calls").values()} == {None}


def test_a_recording_that_comes_late_is_read_by_a_later_delta(bench: Bench) -> None:
    one = bench.world.begin_call(duration=30)
    bench.sync("calls")
    assert bench.rows("calls")[one]["recording"] is None
    bench.pass_time(1_201)
    bench.sync("calls")
    assert bench.rows("calls")[one]["recording_duration"] == "30"
    assert bench.wrong("calls") == []


# What is not listed


@pytest.mark.parametrize("name", KEPT)
def test_what_callrail_shows_no_more_after_25_months_is_kept(bench: Bench, name: str) -> None:
    bench.sync(name)
    before = bench.rows(name)
    bench.pass_time(500 * DAY)
    told = bench.sync(name, full=True)
    assert told.counts.processed < len(before)
    assert told.counts.deleted == 0
    assert bench.rows(name) == before


def test_a_call_that_was_flagged_as_spam_is_kept(bench: Bench) -> None:
    bench.sync("calls")
    one = bench.world.ids("calls")[-1]
    bench.world.spam(one)
    for flags in ({}, {"full": True}, {"force": True}, {"full": True, "force": True}):
        assert bench.sync("calls", **flags).counts.deleted == 0
    assert bench.rows("calls")[one]["deleted_at"] is None
    assert bench.wrong("calls") == []


def test_a_call_that_is_flagged_between_two_pages_hides_no_other(bench: Bench) -> None:
    """All after it move forward by one; in a full read, months before what a delta reads again."""
    first, *_ = new = [
        bench.world.begin_call(NOON - timedelta(days=200, minutes=-n), _company=0)
        for n in range(12)
    ]
    page = r"calls\.json\?page=2&per_page=5|calls\.json\?per_page=5&page=2"
    bench.sandbox.faults.add(page, 1, callback=lambda _: bench.world.spam(first))
    bench.sync("calls", batch_size=5)
    assert {*new[1:]} <= set(bench.rows("calls"))
    assert bench.world.get("calls", first)["state"] == "purged"
    assert bench.wrong("calls") == []


@pytest.mark.parametrize("name", ["users", "tags"])
@pytest.mark.parametrize("totals", [True, False])
def test_what_is_deleted_is_marked_once_it_was_asked_for(
    bench: Bench, name: str, totals: bool
) -> None:
    bench.sandbox.knobs.callrail_no_totals = not totals
    bench.sync(name)
    gone, hidden = bench.world.ids(name)[:2]
    bench.world.purge(name, gone)
    bench.sandbox.faults.add(rf"{name}\.json", 1, lie="short")
    assert bench.sync(name).counts.deleted == 1
    rows = bench.rows(name)
    assert rows[gone]["deleted_at"] is not None
    assert rows[hidden]["deleted_at"] is None
    assert bench.wrong(name) == []
    assert bench.asked(f"/{name}/{gone}.json")


@pytest.mark.parametrize("name", ["companies", "trackers"])
def test_what_is_disabled_stays_and_says_so(bench: Bench, name: str) -> None:
    bench.sync(name)
    one = bench.world.ids(name)[0]
    bench.world.disable(name, one)
    assert bench.sync(name).counts.deleted == 0
    row = bench.rows(name)[one]
    assert (row["status"], row["disabled_at"]) == ("disabled", NOON)
    assert bench.wrong(name) == []


def test_a_company_that_the_key_sees_no_more_is_heard_of(bench: Bench) -> None:
    """Nothing else would tell: what belongs to it is left out of every list without a word."""
    for name in ("companies", "trackers", "calls"):
        bench.sync(name)
    before = {name: bench.rows(name) for name in ("companies", "trackers", "calls")}
    bench.sandbox.knobs.callrail_hidden_companies = {bench.world.ids("companies")[0]}
    with pytest.raises(Refused, match="1 of 6 live rows would be marked as deleted"):
        bench.sync("companies")
    for name in ("trackers", "calls"):
        assert bench.sync(name, full=True).counts.deleted == 0
    assert {name: bench.rows(name) for name in before} == before


@pytest.mark.parametrize("name", ["companies", "tags", "users", "calls", "text_messages"])
def test_an_account_that_is_not_shown_any_more_is_no_deletion(bench: Bench, name: str) -> None:
    bench.sync(name)
    before = bench.rows(name)
    bench.sandbox.knobs.callrail_hidden_accounts = {bench.world.ids("accounts")[1]}
    bench.connect()
    for flags in ({}, {"full": True}):
        with pytest.raises(Incomplete, match=bench.world.ids("accounts")[1]):
            bench.sync(name, **flags)
    assert bench.rows(name) == before
    assert bench.sync("accounts").status == "success"


def test_accounts_that_are_not_shown_are_kept(bench: Bench) -> None:
    bench.sync("accounts")
    bench.sandbox.knobs.callrail_hidden_accounts = {bench.world.ids("accounts")[1]}
    assert bench.sync("accounts").counts.deleted == 0
    assert all(row["deleted_at"] is None for row in bench.rows("accounts").values())
    assert bench.wrong("accounts") == []


def test_a_key_that_sees_no_account_fails(bench: Bench) -> None:
    bench.sandbox.knobs.callrail_hidden_accounts = set(bench.world.ids("accounts"))
    with pytest.raises(Unauthorized, match="see no account"):
        bench.sync("calls")


def test_accounts_may_be_chosen(bench: Bench) -> None:
    first, second = bench.world.ids("accounts")
    bench.environment.setenv("CALLRAIL_ACCOUNT_IDS", f" {second} ,")
    bench.connect()
    bench.sync("calls")
    mine = {one["id"] for one in bench.world.truth("calls") if one["account"] == second}
    assert set(bench.rows("calls")) == mine
    assert not bench.asked(f"/a/{first}/")
    bench.environment.setenv("CALLRAIL_ACCOUNT_IDS", f"{first},ACC999999")
    bench.connect()
    with pytest.raises(FatalError, match="CALLRAIL_ACCOUNT_IDS names ACC999999"):
        bench.sync("calls")


def test_a_list_that_is_not_found_is_no_empty_one(bench: Bench) -> None:
    bench.sync("tags")
    before = bench.rows("tags")
    bench.sandbox.faults.add(r"tags\.json", "1-", status=404)
    with pytest.raises(FatalError, match="404"):
        bench.sync("tags")
    assert bench.rows("tags") == before


@pytest.mark.parametrize("name", ["trackers", "tags", "users"])
def test_lists_without_totals_are_read_until_a_page_is_empty(bench: Bench, name: str) -> None:
    bench.sandbox.knobs.callrail_no_totals = True
    bench.sync(name, batch_size=2)
    assert bench.wrong(name) == []
    accounts = len(bench.world.ids("accounts"))
    assert len(bench.waits) == accounts, "an empty page is believed when it is empty twice"


def test_a_form_that_is_sent_between_two_pages_hides_no_other(bench: Bench) -> None:
    """The list is newest first: all move back by one, and one comes twice."""
    for number in range(7):
        at = NOON - timedelta(days=9, minutes=number)
        bench.world.create("form_submissions", {"form_url": "https://a.example"}, at)
    page = r"form_submissions\.json\?(.*&)?page=2(&|$)"
    bench.sandbox.faults.add(page, 1, callback=lambda _: bench.world.create("form_submissions", {}))
    bench.sync("form_submissions", batch_size=3)
    bench.sandbox.faults.clear()
    bench.sync("form_submissions")
    assert bench.wrong("form_submissions") == []


# Filters


@pytest.mark.parametrize("name", ["calls", "trackers"])
def test_a_company_may_be_chosen_and_nothing_follows_for_the_others(
    bench: Bench, name: str
) -> None:
    bench.sync(name)
    first = bench.history()[-1]["watermark"]
    row = next(iter(bench.rows(name).values()))
    company = str(row["company_id"] if name == "calls" else row["company"]["id"])
    told = bench.sync(name, company_id=company, full=True)
    assert 0 < told.counts.processed < len(bench.rows(name))
    assert told.counts.deleted == 0
    assert bench.history()[-1]["watermark"] is None
    assert first is not None
    asked = [one.query for one in bench.asked(f"/{name}.json")]
    assert f"company_id={company}" in asked[-1]
    assert bench.wrong(name) == []


def test_what_has_no_company_takes_no_filter(bench: Bench) -> None:
    with pytest.raises(UsageError, match="takes no company_id"):
        bench.sync("users", company_id="COM1")


# Text messages


def test_a_message_has_the_id_of_what_it_says(bench: Bench) -> None:
    said = [
        {"created_at": "2024-04-12T18:02:11.000Z", "direction": "incoming", "content": "Late"},
        {"created_at": "2024-04-12T18:02:11.000Z", "direction": "incoming", "content": "Late"},
        {"created_at": "2024-04-12T18:02:12.000Z", "direction": "outgoing", "content": None},
    ]
    found = [one["id"] for one in messages_of({"id": "7kq2x", "messages": said})]
    texts = [
        "2024-04-12T18:02:11.000Z|incoming|Late|1",
        "2024-04-12T18:02:11.000Z|incoming|Late|2",
        "2024-04-12T18:02:12.000Z|outgoing||1",
    ]
    assert found == [f"7kq2x-{hashlib.sha256(one.encode()).hexdigest()[:32]}" for one in texts]


def test_a_message_is_the_same_in_another_zone() -> None:
    spelled = ("2024-04-12T18:02:11.000Z", "2024-04-12T14:02:11-04:00", "2024-04-12T18:02:11+00:00")
    ids = {
        record["id"]
        for at in spelled
        for record in messages_of({"id": "k", "messages": [{"created_at": at, "content": "Hi"}]})
    }
    assert len(ids) == 1


@pytest.mark.parametrize("bad", [{}, {"created_at": "soon"}, {"created_at": None}], ids=str)
def test_a_message_without_a_moment_is_one_all_the_same(bad: dict[str, Any]) -> None:
    [one] = messages_of({"id": "k", "messages": [{**bad, "content": "Hi"}]})
    assert one["id"].startswith("k-")


def test_a_conversation_is_read_whole_and_not_by_its_tail(bench: Bench) -> None:
    bench.sync("text_messages")
    one = bench.world.ids("conversations")[0]
    for number in range(9):
        bench.world.say(one, f"number {number % 3}")
    told = bench.sync("text_messages")
    assert told.counts.created == 9
    assert bench.wrong("text_messages") == []
    row = next(r for key, r in bench.rows("text_messages").items() if key.startswith(f"{one}-"))
    assert row["direction"] in ("incoming", "outgoing")


def test_a_message_is_asked_for_in_its_conversation(bench: Bench) -> None:
    bench.sync("text_messages")
    texts = entity("text_messages")
    key, *_ = bench.rows("text_messages")
    [page] = bench.by_key(texts, key)
    assert [record["id"] for record in page.records] == [key]
    [page] = bench.by_key(texts, f"{key}0")
    assert [stone.key for stone in page.tombstones] == [(f"{key}0",)]
    bench.world.purge("conversations", key.rpartition("-")[0])
    [page] = bench.by_key(texts, key)
    assert [stone.key for stone in page.tombstones] == [(key,)]


def test_a_conversation_that_does_not_say_its_messages_is_set_aside(bench: Bench) -> None:
    """That its answer has `messages` is confirmed nowhere: elsewhere they are not passed over."""
    bench.sandbox.knobs.callrail_messages = "sms"
    conversations = bench.world.ids("conversations")
    for one in conversations:
        bench.world.say(one, "the newest")
    begun = bench.sync("text_messages")
    assert (begun.status, begun.counts.failed) == ("partial", len(conversations))
    assert begun.counts.created == len(conversations), "the others of the newest"
    with bench.warehouse.connection() as connection:
        reasons = connection.execute("SELECT DISTINCT reason FROM ingestion_quarantine").fetchall()
    assert "without its messages" in str(reasons)
    bench.sandbox.knobs.callrail_messages = "messages"
    assert bench.sync("text_messages", full=True).status == "success"
    assert bench.wrong("text_messages") == []
    with bench.warehouse.connection() as connection:
        assert connection.execute("SELECT FROM ingestion_quarantine").fetchall() == []


# Agreed names


def test_old_command_names_mean_these_entities() -> None:
    crm, name = registry.command("sync_callrail_form_submissions")
    assert (crm.name, name) == ("callrail", "form_submissions")
    assert registry.command("sync_callrail_all")[1] == registry.ALL
