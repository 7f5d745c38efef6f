"""Genius in the sandbox: seeded, moved by the clock, told through the control API."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius.crm import Genius, beside
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.sandbox.people import HISTORY_END


def ask(sandbox: Sandbox, path: str, body: Any = None) -> str:
    request = urllib.request.Request(
        f"{sandbox.url}/_sandbox/{path}", None if body is None else json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


@pytest.fixture
def url(server_url: str) -> str:
    return beside(server_url, f"sandbox_genius_{os.getpid()}")


def test_without_a_database_there_is_no_genius() -> None:
    sandbox = Sandbox(contacts=10)
    assert "genius" not in sandbox.crms
    assert not any(name.startswith("GENIUS") for name in sandbox.env())


def test_it_is_told_and_moved_through_the_control_api(url: str) -> None:
    with Sandbox(contacts=10, genius_url=url, genius_prospects=20) as sandbox:
        env = sandbox.env()
        assert env["GENIUS_DATABASE_URL"].endswith(f"genius_{os.getpid()}?{url.partition('?')[2]}")
        assert env["GENIUS_TIME_ZONE"] == "US/Pacific"
        before = [json.loads(line) for line in ask(sandbox, "truth/genius/lead").splitlines()]
        assert len(before) == 16
        told = json.loads(ask(sandbox, "genius/move", {"n": 5, "seed": 3}))["result"]
        assert len(told) == 5
        ask(sandbox, "genius/edit", {"name": "lead", "key": [3], "changes": {"city": "Here"}})
        after = [json.loads(line) for line in ask(sandbox, "truth/genius/lead").splitlines()]
        assert {row["lead_id"]: row["city"] for row in after}[3] == "Here"
        sandbox.reset()
        again = [json.loads(line) for line in ask(sandbox, "truth/genius/lead").splitlines()]
        assert len(again) == len(before)


def test_the_same_seed_gives_the_same_rows(url: str) -> None:
    found = []
    for seed in (7, 7, 8):
        world = World(url, Clock(HISTORY_END), seed=seed, prospects=20)
        world.reset()
        found.append([row["first_name"] for row in world.rows("prospect")])
        world.engine.dispose()
    assert found[0] == found[1] != found[2]


def test_it_is_as_odd_as_the_real_one(url: str) -> None:
    world = World(url, Clock(HISTORY_END), prospects=300)
    world.reset()
    assert 0 in {row["id"] for row in world.rows("prospect")}
    assert 0 in {row["job_id"] for row in world.rows("quote")}
    assert None in {row["updated_at"] for row in world.rows("lead")}
    lengths = {row["duration"] for row in world.rows("appointment") if row["duration"]}
    assert max(lengths).days > 0 > min(lengths).days
    world.engine.dispose()


def test_unknown_operations_and_tables(url: str) -> None:
    genius = Genius(url, Clock(HISTORY_END), 7, 10)
    with pytest.raises(LookupError, match="no operation"):
        genius.operate("drop", {})
    with pytest.raises(LookupError, match="no table"):
        genius.truth("nothing").__next__()
    with pytest.raises(LookupError, match="has no row"):
        genius.operate("delete", {"name": "lead", "key": [10**6]})
    genius.world.engine.dispose()
