"""SalesRabbit's sandbox: what it refuses, and what it imitates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import NOON

ISO, HTTP = "2026-11-20T17:00:00+00:00", "Fri, 20 Nov 2026 17:00:00 GMT"
SINCE, STATUS = "If-Modified-Since", "If-Status-Modified-Since"
PLAYED = {"salesrabbit_leads": 50}


class Api:
    """SalesRabbit's paths, spoken with the token."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.token = env["SALESRABBIT_TOKEN"]
        self.client = httpx.Client(
            base_url=env["SALESRABBIT_BASE_URL"],
            headers={"Authorization": f"Bearer {self.token}"},
            verify=False,
        )

    def get(
        self, path: str, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        return self.client.get(path, params=params, headers=headers)

    def leads(self, headers: dict[str, str] | None = None, **params: Any) -> list[str]:
        answer = self.get("/leads", headers, **params)
        return [str(one["id"]) for one in answer.json()["data"]]


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer {}", 200), ("Bearer {}x", 401), ("Token {}", 401), ("{}", 401), ("", 401)],
)
def test_another_token_is_refused(api: Api, header: str, status: int) -> None:
    answer = api.get("/leads", {"Authorization": header.format(api.token)})
    assert answer.status_code == status


@pytest.mark.parametrize("name", [SINCE, STATUS])
def test_a_moment_that_is_none_is_refused(api: Api, sandbox: Sandbox, name: str) -> None:
    assert [api.get("/leads", {name: one}).status_code for one in ("soon", ISO, HTTP)] == [
        400,
        304,
        304,
    ]
    sandbox.knobs.salesrabbit_http_dates = True
    assert [api.get("/leads", {name: one}).status_code for one in (ISO, HTTP)] == [400, 304]


def test_pages_begin_with_1_and_leads_that_there_are_not_are_not_found(api: Api) -> None:
    assert api.get("/leads", page=0).status_code == 400
    assert api.get("/leads/7").status_code == 404
    assert api.get("/lead").status_code == 404


def test_a_page_is_of_2000_at_most_and_what_is_not_known_is_ignored(api: Api) -> None:
    assert api.leads(perPage=9_000) == api.leads(limit=3) == api.leads()
    first = api.get("/leads", perPage=20, page=1).json()
    last = api.get("/leads", perPage=20, page=3).json()
    assert (first["meta"], last["meta"]) == ({"morePages": True}, {"morePages": False})
    assert (len(first["data"]), len(last["data"])) == (20, 10)
    dates = [one["dateCreated"] for one in first["data"]]
    assert dates == sorted(dates)


def test_nothing_changed_is_a_304_without_a_body(api: Api) -> None:
    answer = api.get("/leads", {SINCE: ISO})
    assert (answer.status_code, answer.content) == (304, b"")


def test_what_changed_at_the_very_moment_is_left_out_unless_a_knob_says_so(
    api: Api, sandbox: Sandbox
) -> None:
    one = sandbox.salesrabbit.ids("leads")[0]
    sandbox.salesrabbit.edit("leads", one, {"notes": "x"})
    assert api.get("/leads", {SINCE: ISO}).status_code == 304
    sandbox.knobs.salesrabbit_inclusive = True
    assert api.leads({SINCE: ISO}) == [one]


def test_a_status_changes_without_its_lead(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.salesrabbit.ids("leads")[0]
    sandbox.clock.advance(60)
    sandbox.salesrabbit.set_status(one, "Sold")
    assert api.get("/leads", {SINCE: ISO}).status_code == 304
    assert api.leads({STATUS: ISO}) == [one]
    histories = api.get("/leadStatusHistories", {STATUS: ISO}).json()["data"]
    assert list(histories) == [one]
    assert [entry["name"] for entry in histories[one]][-1] == "Sold"
    sandbox.knobs.salesrabbit_status_dates = True
    sandbox.salesrabbit.set_status(one, "Go Back")
    assert api.leads({SINCE: ISO}) == [one]


def test_a_deleted_lead_is_nowhere_or_says_so(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.salesrabbit.ids("leads")[0]
    sandbox.clock.advance(60)
    sandbox.salesrabbit.archive("leads", one)
    assert one not in api.leads()
    assert api.get(f"/leads/{one}").status_code == 404
    sandbox.knobs.salesrabbit_shows_deleted = True
    assert api.leads({SINCE: ISO}) == [one]
    assert api.get(f"/leads/{one}").json()["data"]["deletedAt"].startswith("2026-11-20T17:01")


def test_users_are_the_same_whatever_page_is_asked_for(api: Api, sandbox: Sandbox) -> None:
    pages = [api.get("/users", page=n, perPage=10).json() for n in (1, 2, 9)]
    assert pages[0] == pages[1] == pages[2]
    assert len(pages[0]["data"]) == len(sandbox.salesrabbit.ids("users"))


def test_more_than_one_request_a_second_is_refused(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.limits = True
    assert [api.get("/users").status_code for _ in range(2)] == [200, 429]


def test_a_life_moves_leads_and_their_statuses(sandbox: Sandbox) -> None:
    done = sandbox.crms["salesrabbit"].move(60, seed=3)
    assert {line.split()[0] for line in done} >= {"create", "edit", "status", "purge"}
    assert sandbox.clock.now() - NOON < timedelta(seconds=1)
