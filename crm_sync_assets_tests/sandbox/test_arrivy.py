"""Arrivy's sandbox: what it refuses, and what it imitates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import NOON

PLAYED = {"arrivy_tasks": 700, "arrivy_others": 120}


class Api:
    """Arrivy's paths, spoken with the account's two headers."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.pair = {
            "X-Auth-Key": env["ARRIVY_AUTH_KEY"],
            "X-Auth-Token": env["ARRIVY_AUTH_TOKEN"],
        }
        self.client = httpx.Client(base_url=env["ARRIVY_BASE_URL"], verify=False)

    def get(self, path: str, **params: object) -> httpx.Response:
        asked = {name.rstrip("_"): str(value) for name, value in params.items()}
        return self.client.get(path, params=asked, headers=self.pair)

    def list(self, path: str, **params: object) -> Any:
        return self.get(path, **params).raise_for_status().json()


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


@pytest.mark.parametrize("header", ["X-Auth-Key", "X-Auth-Token"])
@pytest.mark.parametrize("value", ["", "wrong"])
def test_both_headers_have_to_be_right(api: Api, header: str, value: str) -> None:
    assert api.get("/users/profile").status_code == 200
    api.pair[header] = value
    assert api.get("/users/profile").status_code == 401


@pytest.mark.parametrize(
    "params",
    [
        {"page": 0}, {"page": "x"}, {"items_per_page": 0}, {"items_per_page": "many"},
        {"from_": "2026-11-20T00:00:00"}, {"to": "tomorrow"},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(api: Api, params: dict[str, object]) -> None:
    assert api.get("/tasks", **params).status_code == 400


@pytest.mark.parametrize("path", ["/tasks/1", "/groups/1", "/tasks/1/status", "/nothing"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (404, {"message": "NOT_FOUND"})


@pytest.mark.parametrize(("path", "size"), [("tasks", 500), ("entities", 120), ("groups", 100)])
def test_pages_are_bare_arrays_of_so_many_and_empty_beyond_the_end(
    api: Api, sandbox: Sandbox, path: str, size: int
) -> None:
    for n in range(110 if path == "groups" else 0):
        sandbox.arrivy.create("groups", {"name": f"New {n}"})
    assert len(api.list(path, start_date="2020-01-01")) == size
    assert api.list(path, page=9) == []
    sandbox.knobs.arrivy_cap = 7
    assert len(api.list(path, items_per_page=50)) == 7
    sandbox.knobs.reset()


def test_lists_of_statuses_come_whole_or_in_pages(api: Api, sandbox: Sandbox) -> None:
    assert api.list("statuses", page=3, items_per_page=2) == api.list("statuses")
    sandbox.knobs.arrivy_unpaged = False
    assert len(api.list("statuses", page=3, items_per_page=2)) == 2
    sandbox.knobs.reset()


def test_three_lists_of_tasks_have_each_once(api: Api, sandbox: Sandbox) -> None:
    asked = (
        {"unscheduled": "false"},
        {"unscheduled": "true", "tasks_with_no_datetime": "false"},
        {"unscheduled": "true", "tasks_with_no_datetime": "true"},
    )
    found = [
        str(one["id"])
        for ask in asked
        for page in (1, 2)
        for one in api.list("tasks", page=page, **ask)
    ]
    assert sorted(found) == sorted(sandbox.arrivy.ids("tasks"))
    assert all(one["start_datetime"] is None for one in api.list("tasks", **asked[2]))


def test_a_window_is_about_when_a_task_takes_place(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.arrivy.book(NOON, _zone="America/New_York")
    span = {
        "from_": (NOON - timedelta(minutes=1)).isoformat(),
        "to": (NOON + timedelta(minutes=1)).isoformat(),
    }
    [task] = [task for task in api.list("tasks", **span) if str(task["id"]) == one]
    assert task["start_datetime"] == "2026-11-20T17:00:00"
    assert task["start_datetime_original_iso_str"] == "2026-11-20T12:00:00-05:00"
    sandbox.knobs.arrivy_contained = True
    assert api.list("tasks", **span) == []
    sandbox.knobs.reset()


def test_the_list_shows_an_old_status_and_the_task_s_own_list_all(
    api: Api, sandbox: Sandbox
) -> None:
    one = sandbox.arrivy.book(NOON, status="CONFIRMED")
    sandbox.clock.advance(60)
    sandbox.knobs.arrivy_status_lag = 600
    sandbox.arrivy.set_status(one, "ENROUTE")
    listed = {str(task["id"]): task["status"] for task in api.list("tasks", page=2)}
    assert listed[one] == "CONFIRMED"
    assert [entry["type"] for entry in api.list(f"tasks/{one}/status")] == ["CONFIRMED", "ENROUTE"]
    assert api.list(f"tasks/{one}")["status"] == "ENROUTE"
    sandbox.knobs.reset()


def test_disabled_groups_are_hidden_unless_asked_for(api: Api, sandbox: Sandbox) -> None:
    shown = api.list("groups")
    everyone = api.list("groups", get_disabled_groups="true")
    assert len(everyone) == len(sandbox.arrivy.ids("groups")) > len(shown)
    assert not any(group["is_disabled"] for group in shown)


def test_what_is_deleted_is_gone_without_a_trace(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.arrivy.ids("entities")[4]
    sandbox.arrivy.purge("entities", one)
    assert one not in {str(entity["id"]) for entity in api.list("entities")}
    assert api.get(f"entities/{one}").status_code == 404


@pytest.mark.parametrize("silent", [False, True])
def test_too_many_requests_wait_with_a_word_or_without(
    api: Api, sandbox: Sandbox, silent: bool
) -> None:
    sandbox.knobs.turn(
        {"limits": True, "retry_after": "7", "arrivy_per_minute": 2, "arrivy_silent": silent}
    )
    answers = [api.get("/statuses") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert ("retry-after" in answers[-1].headers) is not silent
    sandbox.knobs.reset()


def test_a_life_goes_on(sandbox: Sandbox) -> None:
    told = sandbox.crms["arrivy"].move(80, 3)
    assert len(told) == 80
    words = {line.split()[0] for line in told}
    assert words >= {"create", "edit", "purge"}
    sandbox.reset()
    sandbox.clock.freeze(NOON)
    assert sandbox.crms["arrivy"].move(80, 3) == told


def test_requests_that_run_at_once_are_counted(sandbox: Sandbox) -> None:
    with sandbox.ledger.counted("arrivy"), sandbox.ledger.counted("arrivy"):
        pass
    assert (sandbox.ledger.running["arrivy"], sandbox.ledger.most_at_once["arrivy"]) == (0, 2)
