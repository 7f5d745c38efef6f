"""CallRail's entities read: whole, from any page on, with no more requests than pages need."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import BadRequest, Deferred, FatalError, Unauthorized, Unavailable
from crm_sync_assets_tests.crms.callrail.conftest import CRM, DAY, ENTITIES, NOON, Bench

EACH = pytest.mark.parametrize("entity", ENTITIES, ids=str)
WINDOWED = [entity for entity in ENTITIES if entity.tracks_changes]


def params(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def ids(pages: list[Page]) -> list[str]:
    return [str(record["id"]) for page in pages for record in page.records]


def test_a_run_of_all_stores_what_there_is_and_a_second_one_changes_nothing(bench: Bench) -> None:
    for turn in range(2):
        for entity in ENTITIES:
            told = bench.sync(entity.sync_type)
            assert told.status == "success"
            assert told.counts.failed == 0
            assert bench.wrong(entity.sync_type) == []
            if turn:
                changes = (told.counts.created, told.counts.updated, told.counts.deleted)
                assert changes == (0, 0, 0)
                assert told.counts.unchanged > 0 or entity.tracks_changes
    assert [entity.sync_type for entity in ENTITIES][:3] == ["accounts", "companies", "trackers"]


@EACH
@pytest.mark.parametrize("since", [None, 40], ids=["full", "delta"])
def test_a_reading_goes_on_from_every_page(bench: Bench, entity: Entity, since: int | None) -> None:
    delta = Strategy("incremental", since=NOON - timedelta(days=since or 0))
    strategy = delta if since and entity.tracks_changes else Strategy("full")
    for _ in range(9):
        bench.world.begin_call(NOON - timedelta(hours=3))
    whole = bench.pages(entity, strategy, page_size=2)
    assert len(whole) > (0 if entity.sync_type == "accounts" else 3)
    assert len(ids(whole)) == len(set(ids(whole))) > 0
    for number, page in enumerate(whole):
        bench.sandbox.ledger.reset()
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = bench.pages(entity, strategy, page_size=2, cursor=cursor)
        assert ids([*whole[: number + 1], *rest]) == ids(whole)
        lists = [one for one in bench.asked() if "per_page=2" in one.query]
        assert len(lists) == len(whole) - number - 1, "a stored page was asked for again"


@EACH
def test_every_page_is_as_large_as_it_may_be_and_no_range_too_long(
    bench: Bench, entity: Entity
) -> None:
    bench.sandbox.ledger.reset()
    bench.pages(entity)
    lists = [params(one.query) for one in bench.asked() if one.query]
    assert {one["per_page"] for one in lists} == {"250"}
    ranges = [(one["start_date"], one["end_date"]) for one in lists if "start_date" in one]
    if not entity.tracks_changes:
        # One page of each of two accounts, and the accounts themselves.
        assert len(bench.asked()) == (1 if entity.sync_type == "accounts" else 3)
        assert ranges == []
        return
    # Two accounts, 26 windows, one page each.
    assert len(ranges) == 2 * 26
    assert min(ranges)[0] == "2024-10-21"
    assert max(end for _, end in ranges) == "2026-11-21"
    details = [one for one in bench.asked("/text-messages/") if not one.query]
    conversations = bench.world.ids("conversations")
    texts = entity.sync_type == "text_messages"
    assert len(details) == (len(conversations) if texts else 0)
    assert len(bench.asked()) == 1 + len(ranges) + len(details)


@pytest.mark.parametrize("entity", WINDOWED, ids=str)
def test_a_delta_reads_the_last_30_days_again(bench: Bench, entity: Entity) -> None:
    bench.sync(entity.sync_type)
    bench.sandbox.ledger.reset()
    told = bench.sync(entity.sync_type)
    assert told.strategy.since is not None
    assert NOON - told.strategy.since < timedelta(days=30, minutes=1)
    lists = [params(one.query) for one in bench.asked() if "start_date" in one.query]
    starts = sorted({one["start_date"] for one in lists})
    assert starts == ["2026-10-20", "2026-11-20"]
    assert len(lists) == 2 * len(starts)


def test_a_window_before_all_that_is_shown_asks_for_nothing_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sandbox.ledger.reset()
    told = bench.sync("calls", start_date="2020-01-01", end_date="2020-02-01")
    assert (told.status, told.counts.processed) == ("success", 0)
    assert bench.asked("calls.json") == []
    assert "does not go back as far as this window" in caplog.text


def test_windows_are_by_the_clock_of_the_source(bench: Bench) -> None:
    """Wherever this machine's clock stands."""
    bench.sandbox.clock.freeze("2031-03-05T12:00:00Z")
    one = bench.world.begin_call()
    bench.sync("calls")
    assert list(bench.rows("calls")) == [one]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("days", [1, 3, 40])
def test_a_sync_that_is_resumed_days_later_asks_for_nothing_too_old(
    bench: Bench, status: int, days: int
) -> None:
    """What has become too old meanwhile is refused, so it is not asked for."""
    bench.sandbox.knobs.callrail_range_status = status
    for number in range(9):
        bench.world.begin_call(
            datetime(2024, 10, 25, tzinfo=UTC) + timedelta(days=number), _company=0
        )
    (calls,) = [one for one in ENTITIES if one.sync_type == "calls"]
    first, *_ = bench.pages(calls, page_size=4)
    bench.pass_time(days * DAY)
    bench.connect()
    bench.sandbox.ledger.reset()
    try:
        bench.pages(calls, page_size=4, cursor=first.cursor)
    except FatalError as error:
        assert "not read any more" in str(error)  # noqa: PT017  it may go on, or start anew
    assert not [one for one in bench.asked() if one.status == status]
    bench.pages(calls)
    assert not [one for one in bench.asked() if one.status == status]


# Limits and refusals


def test_a_429_that_does_not_say_how_long_is_waited_for_longer_and_longer(bench: Bench) -> None:
    bench.sandbox.faults.add("calls.json", "3-", status=429)
    with pytest.raises(Deferred, match="deferred until"):
        bench.sync("calls")
    assert bench.waits == [60, 120, 240, 480]
    row = bench.history()[-1]
    assert (row["status"], row["reason"], row["watermark"]) == ("failed", "quota", None)
    bench.sandbox.faults.clear()
    assert bench.sync("calls").resumed
    assert bench.wrong("calls") == []


def test_a_429_that_says_how_long_is_believed(bench: Bench) -> None:
    bench.sandbox.faults.add("calls.json", 3, status=429, retry_after="17")
    bench.sync("calls")
    assert bench.waits == [17.0]
    assert bench.wrong("calls") == []


def test_a_days_budget_that_others_used_up_defers_the_sync(bench: Bench) -> None:
    bench.configure(rate_windows='[["hour", 1000, 3600], ["day", 20, 86400]]')
    with pytest.raises(Deferred, match=r"budget .*day.* is used up until then") as raised:
        bench.sync("calls")
    assert raised.value.until > datetime.now().astimezone() + timedelta(minutes=15)
    assert bench.history()[-1]["status"] == "failed"
    assert bench.history()[-1]["checkpoint"] is not None


def test_the_budget_is_that_of_the_account_less_a_reserve() -> None:
    settings = settings_for(CRM)
    windows = {name: (most, seconds) for name, most, seconds in settings.rate_windows}
    assert windows == {"hour": (1_000, 3_600), "day": (10_000, 86_400)}
    assert settings.rate_reserve == pytest.approx(0.1)


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_firewalls_page_is_no_answer_of_the_api(bench: Bench, status: int) -> None:
    bench.sync("tags")
    bench.sandbox.faults.add("tags", "1-", status=status, body="html")
    with pytest.raises(FatalError if status == 200 else Unavailable):
        bench.sync("tags")
    assert bench.history()[-1]["status"] == "failed"
    bench.sandbox.faults.clear()
    gone = bench.world.ids("tags")[0]
    bench.sandbox.faults.add(r"tags/\d+\.json", "1-", status=status, body="html")
    with pytest.raises(Exception, match=r"callrail\.tags"):
        bench.by_key(*[one for one in ENTITIES if one.sync_type == "tags"], gone)
    assert bench.rows("tags")[gone]["deleted_at"] is None


BODIES = {
    '{"error": "no such plan"}': "no such plan",
    '{"errors": ["start is bad", "end is bad"]}': "start is bad; end is bad",
    "Something plain": "Something plain",
    "{}": "answered 400",
}


@pytest.mark.parametrize("body", BODIES)
def test_what_an_error_says_is_told(bench: Bench, body: str) -> None:
    bench.sandbox.faults.add("calls.json", 1, status=400, body=body)
    with pytest.raises(BadRequest, match=BODIES[body]):
        bench.sync("calls")
    assert bench.waits == []


@pytest.mark.parametrize("status", [405, 406, 422])
def test_what_no_retry_mends_is_not_tried_again(bench: Bench, status: int) -> None:
    bench.sandbox.faults.add("calls.json", "1-", status=status)
    with pytest.raises(FatalError, match=str(status)):
        bench.sync("calls")
    assert len(bench.asked("calls.json")) >= 1
    assert bench.waits == []


def test_a_wrong_key_is_named_and_not_told(bench: Bench) -> None:
    bench.environment.setenv("CALLRAIL_API_KEY", "canary-0123456789")
    bench.connect()
    with pytest.raises(Unauthorized, match="CALLRAIL_API_KEY") as raised:
        bench.sync("calls")
    assert "canary" not in str(raised.value)


def test_the_doctor_is_told_who_answers(bench: Bench) -> None:
    where = bench.sandbox.env()["CALLRAIL_BASE_URL"]
    said = bench.client.check()
    assert re.fullmatch(rf"{where} answers for accounts (ACC\d+), (ACC\d+) \(.*\)", said)
    assert "(CALLRAIL_ACCOUNT_IDS chooses among them)" in said
    bench.sandbox.faults.add("/a.json", "1-", status=401)
    bench.connect()
    with pytest.raises(Unauthorized, match="CALLRAIL_API_KEY"):
        bench.client.check()


def test_a_call_has_a_page_for_people_and_nothing_else_has(bench: Bench) -> None:
    urls: dict[str, Any] = {
        entity.sync_type: bench.client.record_url(entity, ("CAL1",)) for entity in ENTITIES
    }
    assert urls.pop("calls") == "https://app.callrail.com/calls/CAL1"
    assert set(urls.values()) == {None}
