"""Limits, latency and pages that misbehave."""

import time

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Window
from crm_sync_assets_tests.sandbox.conftest import Api

CONTACTS = "/crm/v3/objects/contacts"


def test_unknown_knobs_are_refused_before_any_is_set() -> None:
    knobs = Knobs()
    with pytest.raises(ValueError, match="indx_lag"):
        knobs.turn({"latency": 1, "indx_lag": 3})
    assert knobs.latency == 0


def test_searches_have_a_bucket_of_their_own(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"limits": True, "search_limit": 2, "burst_limit": 3})
    statuses = [api.post(f"{CONTACTS}/search", {}) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert statuses[2].json()["message"] == "You have reached your secondly limit."
    assert "retry-after" not in statuses[2].headers
    listed = [api.get(CONTACTS) for _ in range(4)]
    assert [answer.status_code for answer in listed] == [200, 200, 200, 429]
    assert listed[1].headers["X-HubSpot-RateLimit-Remaining"] == "1"
    assert listed[3].json()["policyName"] == "TEN_SECONDLY_ROLLING"


def test_the_burst_limit_counts_per_token_and_the_day_per_account(
    api: Api, sandbox: Sandbox
) -> None:
    sandbox.knobs.turn({"limits": True, "burst_limit": 2, "daily_limit": 5, "retry_after": "7"})
    auth = sandbox.crms["hubspot"].auth
    auth.tokens.accept("pat-na1-another", auth.account)
    other = {"Authorization": "Bearer pat-na1-another"}
    assert [api.get(CONTACTS).status_code for _ in range(3)] == [200, 200, 429]
    statuses = [api.client.get(CONTACTS, headers=other).status_code for _ in range(2)]
    assert statuses == [200, 200]
    spent = api.client.get(CONTACTS, headers=other)
    assert (spent.status_code, spent.json()["policyName"]) == (429, "DAILY")
    assert spent.headers["Retry-After"] == "7"
    sandbox.clock.advance(86_400)
    assert api.client.get(CONTACTS, headers=other).status_code == 429, "the burst is still on"


def test_the_ledger_tells_peaks_and_refusals(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"limits": True, "search_limit": 1})
    for _ in range(3):
        api.post(f"{CONTACTS}/search", {})
    summary = sandbox.ledger.summary()
    [window] = [w for w in summary["windows"] if w["window"] == "search, 1 s"]
    assert (window["peak"], window["refused"], window["key"]) == (3, 2, "123456")
    token = sandbox.env()["HUBSPOT_TOKEN"]
    assert summary["refused"] == {f"token {token}": 2, "account 123456": 2}
    assert sandbox.ledger.count("contacts/search", status=429) == 2


def test_a_window_slides() -> None:
    now = [0.0]
    window = Window(10, now=lambda: now[0])
    assert [window.take(2) for _ in range(3)] == [True, True, False]
    now[0] = 9.9
    assert not window.take(2)
    now[0] = 10.1
    assert window.take(2)
    assert window.peak == 4


def test_latency_delays_every_answer(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.latency = 0.15
    started = time.monotonic()
    api.get(CONTACTS)
    assert time.monotonic() - started >= 0.15


@pytest.mark.parametrize(
    "knobs", [{"page_shrink": 3}, {"page_shrink": 500}, {"empty_pages": 2}], ids=str
)
def test_short_and_empty_pages_lose_nothing(api: Api, sandbox: Sandbox, knobs: dict) -> None:
    sandbox.knobs.turn(knobs)
    found = [record["id"] for record in api.walk("/crm/v3/objects/deals", limit=10)]
    assert found == sandbox.hubspot.ids("deals")
    if "page_shrink" in knobs:
        assert len(api.search("deals", limit=10)["results"]) == max(1, 10 - knobs["page_shrink"])
    else:
        assert api.get("/crm/v3/objects/deals").json()["results"] == []


def test_pages_can_repeat_and_still_end(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.repeat_page = True
    found = [record["id"] for record in api.walk("/crm/v3/objects/deals", limit=10)]
    assert sorted(found) == sorted(2 * sandbox.hubspot.ids("deals"))
    page = api.search("deals", limit=10)
    assert page["paging"]["next"]["after"] == "5"


def test_a_cursor_can_get_stuck(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.stuck_cursor = True
    first = api.get("/crm/v3/objects/deals").json()["paging"]["next"]["after"]
    second = api.get("/crm/v3/objects/deals", after=first).json()["paging"]["next"]["after"]
    assert first == second


def test_search_can_promise_more_than_it_delivers(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.short_total = 4
    assert api.search("deals")["total"] == len(sandbox.hubspot.ids("deals")) + 4
