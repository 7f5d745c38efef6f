"""CallRail's sandbox: what it refuses, and what it imitates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import NOON

DAY = timedelta(days=1)
PLAYED = {"callrail_calls": 300}


class Api:
    """CallRail's paths, spoken with the key."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.key = env["CALLRAIL_API_KEY"]
        self.client = httpx.Client(
            base_url=env["CALLRAIL_BASE_URL"],
            headers={"Authorization": f'Token token="{self.key}"'},
            verify=False,
        )

    @cached_property
    def account(self) -> str:
        return str(self.get("/a.json").json()["accounts"][0]["id"])

    def get(self, path: str, **params: object) -> httpx.Response:
        return self.client.get(path, params={name: str(v) for name, v in params.items()})

    def list(self, name: str, **params: object) -> Any:
        """A page of one list of the first account."""
        answer = self.get(f"/a/{self.account}/{name}.json", **params)
        return answer.raise_for_status().json()

    def status(self, name: str, **params: object) -> int:
        return self.get(f"/a/{self.account}/{name}.json", **params).status_code

    def all_calls(self, **params: object) -> list[dict[str, Any]]:
        asked = {"start_date": "2025-01-01", "per_page": 250, **params}
        found, number = [], 1
        while True:
            page = self.list("calls", page=number, **asked)
            found += page["calls"]
            if number >= page["total_pages"]:
                return found
            number += 1


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


# What it refuses


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('Token token="{}"', 200),
        ("Token token={}", 200),
        ("Bearer {}", 401),
        ("Token {}", 401),
        ('Token token="{}x"', 401),
        ("{}", 401),
    ],
)
def test_a_token_of_another_form_is_refused(api: Api, header: str, status: int) -> None:
    answer = api.client.get("/a.json", headers={"Authorization": header.format(api.key)})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "path",
    ["/a", "/a/{}/calls", "/a/{}/text_messages.json", "/a/ACCfffffe/calls.json", "/calls.json"],
)
def test_a_wrong_path_or_account_is_not_found(api: Api, path: str) -> None:
    assert api.get(path.format(api.account)).status_code == 404


@pytest.mark.parametrize("size", [0, 251, "many"])
def test_a_page_is_of_1_to_250_or_cut(api: Api, sandbox: Sandbox, size: object) -> None:
    assert api.status("calls", per_page=size) == 400
    sandbox.knobs.callrail_clamps = True
    if size != "many":
        assert api.list("calls", per_page=size)["per_page"] == max(1, min(int(str(size)), 250))


@pytest.mark.parametrize(
    "params",
    [{"lead_status": "best"}, {"direction": "incoming"}, {"order": "up"}, {"date_range": "ever"}],
    ids=str,
)
def test_what_is_no_word_of_the_api_is_refused(api: Api, params: dict[str, str]) -> None:
    assert api.status("calls", **params) == 400


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", ["calls", "form_submissions", "text-messages"])
def test_a_range_beyond_25_months_is_an_error_and_not_cut(
    api: Api, sandbox: Sandbox, name: str, status: int
) -> None:
    sandbox.knobs.callrail_range_status = status
    assert api.status(name, start_date="2024-10-20") == 200
    assert api.status(name, start_date="2024-10-19") == status
    assert api.status(name, date_range="all_time") == status


def test_nothing_is_patched(api: Api) -> None:
    assert api.client.patch(f"/a/{api.account}/calls.json", json={}).status_code == 405


@pytest.mark.parametrize("knob", ["callrail_hourly", "callrail_daily"])
def test_too_many_requests_are_refused_without_a_word_on_when(
    api: Api, sandbox: Sandbox, knob: str
) -> None:
    sandbox.ledger.reset()
    sandbox.knobs.turn({knob: 3, "limits": True})
    answers = [api.get("/a.json") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert "retry-after" not in answers[-1].headers
    sandbox.knobs.retry_after = "30"
    assert api.get("/a.json").headers["retry-after"] == "30"


def test_a_refusal_may_be_plain_text(api: Api, sandbox: Sandbox) -> None:
    assert "error" in api.get("/a/ACC000000/calls.json").json()
    sandbox.knobs.callrail_plain_errors = True
    assert api.get("/a/ACC000000/calls.json").text == "Account not found"


# What it imitates


def test_parameters_that_a_list_does_not_know_are_ignored(api: Api) -> None:
    recent = api.list("calls")
    for name in ("start_time", "created_at", "submission_time", "filters[start_date]"):
        assert api.list("calls", **{name: "2025-01-01"}) == recent


def test_without_dates_a_list_is_the_last_30_days(api: Api, sandbox: Sandbox) -> None:
    sandbox.callrail.begin_call(NOON - 29 * DAY, _company=0)
    sandbox.callrail.begin_call(NOON - 31 * DAY, _company=0)
    recent = {one["id"] for one in api.list("calls", per_page=250)["calls"]}
    every = {one["id"] for one in api.all_calls()}
    new = sandbox.callrail.ids("calls")[-2:]
    assert [one in recent for one in new] == [True, False]
    assert recent < every
    assert every >= {*new}


def test_both_ends_of_a_range_belong_to_it_and_days_are_the_accounts(
    api: Api, sandbox: Sandbox
) -> None:
    one = sandbox.callrail.begin_call("2026-11-10T03:00:00Z", _company=0)

    def days(day: str) -> bool:
        page = api.list("calls", start_date=day, end_date=day, per_page=250)
        return one in {call["id"] for call in page["calls"]}

    assert (days("2026-11-09"), days("2026-11-10")) == (True, False)
    sandbox.knobs.callrail_utc_offset = 14
    assert (days("2026-11-09"), days("2026-11-10")) == (False, True)


def test_a_record_has_its_default_fields_and_those_asked_for(api: Api, sandbox: Sandbox) -> None:
    [call, *_] = api.all_calls()
    assert len(call) == 16
    assert "note" not in call
    [call, *_] = api.all_calls(fields="note,tags,nonsense")
    assert call.keys() >= {"note", "tags"}
    assert len(call) == 18
    sandbox.knobs.callrail_hidden_fields = {"note"}
    [call, *_] = api.all_calls(fields="note,tags")
    assert len(call) == 17
    alone = api.get(f"/a/{api.account}/calls/{call['id']}.json", fields="tags").json()
    assert alone == call


def test_lists_are_newest_first_and_order_needs_sort(api: Api) -> None:
    def began(**params: object) -> list[datetime]:
        return [datetime.fromisoformat(one["start_time"]) for one in api.all_calls(**params)]

    assert began() == sorted(began(), reverse=True)
    assert began(order="asc") == began()
    assert began(sort="start_time", order="asc") == sorted(began())
    assert len(began()) > 100


def test_numbered_pages_tell_totals_and_link_to_the_next(api: Api, sandbox: Sandbox) -> None:
    answer = api.get(f"/a/{api.account}/calls.json", start_date="2025-01-01", per_page=60)
    page = answer.json()
    assert (page["page"], page["per_page"], len(page["calls"])) == (1, 60, 60)
    seen = list(page["calls"])
    while "next" in answer.links:
        answer = api.client.get(answer.links["next"]["url"])
        seen += answer.json()["calls"]
    assert len(seen) == page["total_records"] == len(api.all_calls())
    sandbox.knobs.callrail_no_totals = True
    for name in ("trackers", "tags", "users"):
        assert "total_pages" not in api.list(name)
        assert api.list(name, page=2)[name] == []
    assert "total_pages" in api.list("companies")


def test_relative_pages_lead_on_by_an_address_that_forgets_what_it_is(api: Api) -> None:
    page = api.list("calls", relative_pagination="true", start_date="2025-01-01", per_page=100)
    assert "total_pages" not in page
    assert page["has_next_page"] is True
    assert "relative_pagination" not in page["next_page"]
    assert "total_pages" in api.client.get(page["next_page"]).json()
    seen = list(page["calls"])
    while page["has_next_page"]:
        page = api.client.get(f"{page['next_page']}&relative_pagination=true").json()
        seen += page["calls"]
    assert "next_page" not in page
    assert seen == api.all_calls()


def test_spam_is_in_no_list_and_an_edit_moves_no_date(api: Api, sandbox: Sandbox) -> None:
    first, second, *_ = api.all_calls(fields="note,tags,value")
    sandbox.callrail.spam(first["id"])
    assert api.get(f"/a/{api.account}/calls/{first['id']}.json").status_code == 404
    tag = sandbox.callrail.ids("tags")[0]
    sandbox.callrail.edit("calls", second["id"], {"note": "later", "value": "$9.00"})
    sandbox.callrail.tag("calls", second["id"], tag)
    [now, *_] = api.all_calls(fields="note,tags,value")
    assert {name for name in now if now[name] != second[name]} == {"note", "value", "tags"}
    assert now["tags"][-1]["id"] == int(tag)


def test_a_recording_comes_twenty_minutes_late(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.callrail.begin_call(NOON, duration=30, _company=0)
    path = f"/a/{api.account}/calls/{one}.json"
    assert api.get(path).json()["recording"] is None
    sandbox.clock.advance(1_201)
    assert str(api.get(path).json()["recording_duration"]) == "30"


def test_what_is_disabled_is_listed_and_what_is_deleted_is_not(api: Api, sandbox: Sandbox) -> None:
    [company, *_] = api.list("companies")["companies"]
    sandbox.callrail.disable("companies", str(company["id"]))
    found = {one["id"]: one for one in api.list("companies")["companies"]}
    assert found[company["id"]]["status"] == "disabled"
    assert found[company["id"]]["disabled_at"]
    for kind in ("users", "tags"):
        [gone, *_] = api.list(kind)[kind]
        sandbox.callrail.purge(kind, str(gone["id"]))
        assert gone["id"] not in {one["id"] for one in api.list(kind)[kind]}
        assert api.get(f"/a/{api.account}/{kind}/{gone['id']}.json").status_code == 404


def test_ids_of_companies_are_numbers_or_masked_and_those_of_tags_numbers(api: Api) -> None:
    kinds = {type(one["id"]) for one in api.list("companies")["companies"]}
    assert kinds == {int, str}
    assert {type(one["id"]) for one in api.list("tags")["tags"]} == {int}


def test_a_key_that_sees_less_is_told_nothing_of_it(api: Api, sandbox: Sandbox) -> None:
    [hidden, *_] = api.list("companies")["companies"]
    calls = api.all_calls(fields="company_id")
    sandbox.knobs.callrail_hidden_companies = {str(hidden["id"])}
    assert hidden not in api.list("companies")["companies"]
    left = api.all_calls(fields="company_id")
    assert left == [one for one in calls if one["company_id"] != hidden["id"]]
    assert left != calls
    sandbox.knobs.callrail_hidden_accounts = {api.account}
    assert api.account not in {one["id"] for one in api.get("/a.json").json()["accounts"]}
    assert api.status("calls") == 404


def test_a_conversation_has_its_newest_messages_in_the_list_and_all_alone(
    api: Api, sandbox: Sandbox
) -> None:
    page = api.list("text-messages", start_date="2025-01-01")
    (one, *_) = [c for c in page["conversations"] if len(c["recent_messages"]) == 2]
    for number in range(5):
        sandbox.callrail.say(one["id"], f"number {number}")
    moved = api.list("text-messages")["conversations"][0]
    assert (moved["id"], moved["last_message_at"]) == (one["id"], "2026-11-20T17:00:00.000Z")
    assert [m["content"] for m in moved["recent_messages"]] == ["number 3", "number 4"]
    alone = api.get(f"/a/{api.account}/text-messages/{one['id']}.json").json()
    assert len(alone["messages"]) >= 7
    assert "recent_messages" not in alone
    sandbox.knobs.callrail_messages = "recent_messages"
    other = api.get(f"/a/{api.account}/text-messages/{one['id']}.json").json()
    assert other["recent_messages"] == alone["messages"]


def test_moments_come_in_three_spellings(api: Api) -> None:
    [account, *_] = api.get("/a.json").json()["accounts"]
    assert account["created_at"][10] == " "
    assert account["created_at"].endswith(" -0500")
    ends = {one["start_time"][-6:] for one in api.all_calls()}
    assert "-05:00" in ends
    assert any(end.endswith("Z") for end in ends)


def test_a_life_of_it_is_the_same_for_the_same_seed(sandbox: Sandbox) -> None:
    lines = sandbox.crms["callrail"].move(60, seed=4)
    assert {line.split()[0] for line in lines} >= {"create", "edit", "say", "purge", "disable"}
    sandbox.reset()
    assert [one.split()[:2] for one in sandbox.crms["callrail"].move(60, seed=4)] == [
        one.split()[:2] for one in lines
    ]
