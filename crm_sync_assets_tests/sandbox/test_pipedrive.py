"""Pipedrive's sandbox refuses what Pipedrive refuses, and is as odd as it is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEALS, PERSONS, LEADS = "/api/v2/deals", "/api/v2/persons", "/api/v1/leads"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=9, contacts=1, zipcodes=1) as sandbox:
        yield sandbox


class Asking:
    """Requests with the company's token."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world = sandbox.pipedrive
        self.crm: Any = sandbox.crms["pipedrive"]
        self.http = httpx.Client(base_url=f"{sandbox.url}/pipedrive")
        self.headers = {"x-api-token": self.crm.token}

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params, headers=self.headers)

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **{"limit": 500, **params})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"] or []

    def ids(self, path: str, **params: Any) -> set[str]:
        return {str(row["id"]) for row in self.rows(path, **params)}


@pytest.fixture
def asking(running: Sandbox) -> Iterator[Asking]:
    running.reset()
    running.clock.freeze(NOON)
    found = Asking(running)
    yield found
    found.http.close()


# What it refuses


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-api-token": "wrong"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "nonsense"}, 400),
    ],
)
def test_credentials_that_are_not_right(
    asking: Asking, headers: dict[str, str], status: int
) -> None:
    answer = asking.http.get(DEALS, headers=headers)
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert answer.headers.get("x-401-by-gw") == ("true" if status == 401 else None)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (DEALS, {"limit": 501}),
        (DEALS, {"limit": "many"}),
        (DEALS, {"owner_id": "Lee"}),
        (DEALS, {"status": "lsot"}),
        (DEALS, {"sort_by": ["id", "add_time"]}),
        (DEALS, {"sort_by": "title"}),
        (DEALS, {"sort_direction": "up"}),
        (DEALS, {"updated_since": "2026-11-20T08:00:00.123Z"}),
        (DEALS, {"updated_until": "2026-11-20"}),
        (DEALS, {"cursor": "nonsense"}),
        (PERSONS, {"ids": ",".join(map(str, range(101)))}),
        (PERSONS, {"ids": "one"}),
        ("/api/v2/activities", {"done": "1"}),
        (LEADS, {"limit": 501}),
    ],
)
def test_parameters_of_another_kind(asking: Asking, path: str, params: dict[str, Any]) -> None:
    answer = asking.get(path, **params)
    assert (answer.status_code, answer.json()["success"]) == (400, False)


@pytest.mark.parametrize("path", ["/v2/deals", "/api/v1/deals", "/api/v2/leads", "/api/v2/deals/7"])
def test_there_is_nothing(asking: Asking, path: str) -> None:
    assert asking.get(path).status_code == 404


def test_a_cursor_is_bound_to_its_query_and_may_be_forgotten(asking: Asking) -> None:
    def following(**params: Any) -> httpx.Response:
        return asking.get(DEALS, limit=5, **params)

    cursor = following().json()["additional_data"]["next_cursor"]
    assert following(cursor=cursor).status_code == 200
    assert following(cursor=cursor, sort_by="id").status_code == 400
    assert asking.get(f"{DEALS}/archived", limit=5, cursor=cursor).status_code == 400
    asking.world.expire_cursors()
    assert following(cursor=cursor).status_code == 400


@pytest.mark.parametrize("refused", [False, True])
def test_products_know_no_until(asking: Asking, refused: bool) -> None:
    asking.sandbox.knobs.pipedrive_until_refused = refused
    answer = asking.get("/api/v2/products", updated_until="2020-01-01T00:00:00Z")
    assert answer.status_code == (400 if refused else 200)
    assert refused or answer.json()["data"]


def test_tokens_come_for_a_form_from_the_client_and_rotate(asking: Asking) -> None:
    basic = base64.b64encode(b"pipedrive-client:pipedrive-client-secret").decode()
    form = {"grant_type": "refresh_token", "refresh_token": asking.crm.refresh_token}
    headers = {"Authorization": f"Basic {basic}"}
    asking.sandbox.knobs.rotating_refresh_tokens = True

    def ask(**options: Any) -> httpx.Response:
        return asking.http.post("/oauth/token", **{"headers": headers, "data": form, **options})

    for wrong in (
        {"data": None, "json": form},
        {"headers": {}},
        {"data": {**form, "refresh_token": "other"}},
        {"data": {**form, "grant_type": "password"}},
        {"data": {}},
    ):
        answer = ask(**wrong)
        assert (answer.status_code, answer.json()["success"]) == (400, False)
    given = ask().json()
    assert given["api_domain"] == f"{asking.sandbox.url}/pipedrive"
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert asking.http.get("/api/v1/users/me", headers=bearer).json()["data"]["company_id"] == 777
    asking.sandbox.clock.advance(given["expires_in"] + 1)
    assert asking.http.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert ask().status_code == 400, "it worked once"


# What it imitates


def test_bounds_are_inclusive_and_exclusive_to_the_second(asking: Asking) -> None:
    one = asking.world.ids("deals")[0]
    asking.world.edit("deals", one, {"title": "x"}, at="2026-11-19T08:00:00.700Z")
    asking.world.unshelve("deals", one)
    asking.world.edit("deals", one, {"title": "x"}, at="2026-11-19T08:00:00.700Z")
    for since, until, there in (
        ("2026-11-19T08:00:00Z", "2026-11-19T08:00:01Z", True),
        ("2026-11-19T08:00:01Z", "2026-11-19T08:00:02Z", False),
        ("2026-11-19T07:59:59Z", "2026-11-19T08:00:00Z", False),
    ):
        assert (one in asking.ids(DEALS, updated_since=since, updated_until=until)) is there


def test_deals_are_in_one_of_four_lists_and_after_thirty_days_in_none(asking: Asking) -> None:
    lists = {"": {}, "/archived": {}, "?": {"status": "deleted"}}

    def where(one: str) -> list[str]:
        return [
            name
            for name, params in lists.items()
            if one in asking.ids(f"{DEALS}{name.strip('?')}", **params)
        ]

    one = next(
        i
        for i in asking.world.ids("deals")
        if not asking.world.get("deals", i)["properties"]["is_archived"]
    )
    assert where(one) == [""]
    asking.world.shelve("deals", one)
    assert where(one) == ["/archived"]
    asking.world.unshelve("deals", one)
    asking.world.archive("deals", one)
    assert where(one) == ["?"]
    record = asking.get(f"{DEALS}/{one}").json()["data"]
    assert (record["is_deleted"], record["status"]) == (True, "deleted")
    assert record["update_time"] == "2026-11-20T12:00:00Z", "when it was deleted"
    asking.sandbox.clock.advance(31 * 86_400)
    assert where(one) == []
    assert asking.get(f"{DEALS}/{one}").status_code == 404


@pytest.mark.parametrize("status", [200, 404, 410])
def test_others_are_in_no_list_once_deleted(asking: Asking, status: int) -> None:
    asking.sandbox.knobs.pipedrive_deleted_status = status
    one, other, *_ = asking.world.ids("persons")
    asking.world.archive("persons", one)
    assert one not in asking.ids(PERSONS)
    assert asking.ids(PERSONS, ids=f"{one},{other},99999999") == {other}
    assert asking.get(f"{PERSONS}/{one}").status_code == status


@pytest.mark.parametrize("status", [403, 404])
def test_hidden_rows_are_in_no_list(asking: Asking, status: int) -> None:
    asking.sandbox.knobs.pipedrive_hidden_status = status
    one, other, *_ = asking.world.ids("persons")
    asking.world.hide("persons", one)
    assert one not in asking.ids(PERSONS)
    assert asking.ids(PERSONS, ids=f"{one},{other}") == {other}
    assert asking.get(f"{PERSONS}/{one}").status_code == status


def test_a_filter_makes_it_ignore_the_others(asking: Asking) -> None:
    assert len(asking.ids(DEALS, filter_id=7, status="won")) > len(asking.ids(DEALS, status="won"))


def test_an_offset_shifts_when_something_before_it_goes(asking: Asking) -> None:
    def page(start: int) -> list[int]:
        rows = asking.rows("/api/v1/notes", limit=5, start=start, sort="id ASC")
        return [row["id"] for row in rows]

    asking.sandbox.knobs.pipedrive_deleted_notes = False
    before = page(0) + page(5)
    asking.world.archive("notes", str(before[0]))
    assert page(5)[0] == before[6], "the sixth is passed over"


@pytest.mark.parametrize("flat", [True, False])
def test_leads_say_in_two_ways_whether_more_follow(asking: Asking, flat: bool) -> None:
    asking.sandbox.knobs.pipedrive_flat_pagination = flat
    additional = asking.get(LEADS, limit=5).json()["additional_data"]
    said = additional if flat else additional["pagination"]
    assert (said["more_items_in_collection"], said["next_start"]) == (True, 5)
    assert "pagination" in asking.get("/api/v1/notes", limit=5).json()["additional_data"]


def test_leads_are_sorted_have_fractions_and_custom_fields_beside_their_own(asking: Asking) -> None:
    rows = asking.rows(LEADS, sort="add_time DESC")
    times = [row["add_time"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert all(time[-5] == "." for time in times)
    assert any(len(name) == 40 for row in rows for name in row)
    since = asking.rows(LEADS, updated_since="2026-10-01T00:00:00Z")
    assert 0 < len(since) < len(rows)
    archived = f"{LEADS}/archived"
    assert (
        asking.ids(archived, updated_since="2099-01-01T00:00:00Z") == asking.ids(archived) != set()
    )


@pytest.mark.parametrize("null", [True, False])
def test_an_empty_list_may_be_null(asking: Asking, null: bool) -> None:
    asking.sandbox.knobs.pipedrive_null_lists = null
    answer = asking.get(PERSONS, updated_since="2099-01-01T00:00:00Z")
    assert answer.json()["data"] == (None if null else [])


@pytest.mark.parametrize("is_change", [True, False])
def test_archiving_may_be_a_change(asking: Asking, is_change: bool) -> None:
    asking.sandbox.knobs.pipedrive_archive_is_change = is_change
    one = asking.world.ids("leads")[0]
    before = asking.world.get("leads", one)["updatedAt"]
    asking.world.shelve("leads", one)
    assert (asking.world.get("leads", one)["updatedAt"] != before) is is_change


def test_a_merge_deletes_one_and_changes_the_other(asking: Asking) -> None:
    kept, lost, *_ = asking.world.ids("organizations")
    asking.world.merge("organizations", kept, lost)
    assert asking.world.get("organizations", kept)["updatedAt"].startswith("2026-11-20T12:00")
    assert lost not in asking.ids("/api/v2/organizations")


def test_a_converted_lead_is_a_deal(asking: Asking) -> None:
    lead = asking.world.ids("leads")[2]
    deal = asking.world.convert(lead)
    assert deal in asking.ids(DEALS)
    assert asking.get(f"{LEADS}/{lead}").json()["error"] == "requested lead not found"


def test_recents_reach_back_a_month_and_lack_some_records(asking: Asking) -> None:
    far = asking.rows("/api/v1/recents", since_timestamp="2020-01-01 00:00:00")
    month = asking.rows("/api/v1/recents", since_timestamp="2026-10-21 12:00:00")
    assert far == month != []
    assert any(item["data"] is None for item in far)


def test_a_burst_counts_requests_and_a_day_tokens(asking: Asking) -> None:
    asking.sandbox.knobs.turn({"limits": True, "pipedrive_burst": 3, "pipedrive_daily": 1_000})
    answers = [asking.get(DEALS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["x-ratelimit-reset"]
    assert answers[0].headers["x-daily-ratelimit-token-remaining"] == "990"
    asking.sandbox.knobs.turn({"pipedrive_burst": 1_000, "pipedrive_daily": 30})
    assert asking.get(DEALS).headers["x-daily-ratelimit-token-remaining"] == "0"
    asking.sandbox.knobs.pipedrive_daily_headers = False
    last = asking.get(DEALS)
    assert (last.status_code, last.json()["error"]) == (429, "Request over limit")
    assert not [name for name in last.headers if "daily" in name]
    asking.sandbox.clock.advance(12 * 3_600)
    assert asking.get(DEALS).status_code == 200, "another day"


def test_who_does_not_hear_meets_a_firewall(asking: Asking) -> None:
    asking.sandbox.knobs.turn({"limits": True, "pipedrive_burst": 1, "pipedrive_block_after": 2})
    statuses = [asking.get(DEALS).status_code for _ in range(5)]
    assert statuses == [200, 429, 429, 403, 403]
    asking.sandbox.knobs.turn({"limits": False, "pipedrive_blocked": True})
    answer = asking.get(DEALS)
    assert (answer.status_code, answer.text[:15]) == (403, "<!DOCTYPE html>")
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("sort", ["id", "add_time", "update_time"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_list_comes_in_any_order_page_by_page(asking: Asking, sort: str, direction: str) -> None:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        params = {"limit": 7, "sort_by": sort, "sort_direction": direction, **cursor}
        body = asking.get(PERSONS, **params).json()
        rows += body["data"]
        if not (following := body["additional_data"]["next_cursor"]):
            break
        cursor = {"cursor": following}
    assert len({row["id"] for row in rows}) == len(rows) == len(asking.world.ids("persons"))
    values = [row[sort] for row in rows]
    assert values == sorted(values, reverse=direction == "desc")


def test_its_life_is_the_same_for_the_same_seed(asking: Asking) -> None:
    first = asking.world.move(60, seed=3)
    asking.sandbox.reset()
    asking.sandbox.clock.freeze(NOON)
    assert asking.world.move(60, seed=3) == first
    acts = {line.split()[0] for line in first}
    assert {"edit", "create", "delete", "shelve", "convert", "merge"} & acts
