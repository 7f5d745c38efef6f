"""Several processes on one account: its limits and its OAuth token, over real sockets."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.faults import server as faults
from crm_sync_assets_tests.faults.asking import ask_in_turns
from crm_sync_assets_tests.faults.conftest import Syncs, wrong
from crm_sync_assets_tests.faults.server import Answer, FaultServer, Wire
from crm_sync_assets_tests.scripted import history, rows

TOKEN = r"POST /hubspot/oauth/v3/token"
CHILD = "crm_sync_assets_tests.end_to_end.killed"
SEARCHED = {"start_date": "2000-01-01", "batch_size": 30}


ROOT = Path(__file__).resolve().parents[2]


def child(entity: str, **flags: Any) -> subprocess.Popen[str]:
    """A process that syncs one entity."""
    order = json.dumps({"entity": entity, "flags": flags})
    return subprocess.Popen(
        [sys.executable, "-m", CHILD, order],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_eight_processes_sync_one_account_and_none_meets_a_limit(
    environment: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    """Limits lower than HubSpot's on both sides, so that eight processes reach them.

    The account leaves a little more than the declared windows to a machine that stalls.
    """
    counts = {"deals": 120, "appointments": 120, "companies": 120, "tickets": 120, "products": 60}
    windows = [["burst", 25, 10], ["search", 5, 1], ["daily", 10_000, 86_400]]
    orders: dict[str, dict[str, Any]] = {
        "contacts": {"batch_size": 30},
        "deals": SEARCHED,
        "appointments": SEARCHED,
        "companies": SEARCHED,
        "tickets": {"batch_size": 30},
        "products": {"batch_size": 30},
        "owners": {"batch_size": 5},
        "pipelines": {},
    }
    with Sandbox(seed=5, contacts=120, counts=counts, zipcodes=10) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", json.dumps(windows))
        sandbox.knobs.turn(
            {"limits": True, "burst_limit": 30, "search_limit": 6, "daily_limit": 10_000}
        )
        children = {name: child(name, **flags) for name, flags in orders.items()}
        outputs = {name: each.communicate(timeout=150) for name, each in children.items()}
        assert {name: out.strip() for name, (out, _) in outputs.items()} == dict.fromkeys(
            orders, "success"
        )
        for name, flags in orders.items():
            assert wrong_but_archived(sandbox, warehouse, name, flags is SEARCHED) == []
        summary = sandbox.ledger.summary()
    assert "429" not in summary["statuses"]
    assert summary["refused"] == {}
    peaks = {window["window"]: window["peak"] for window in summary["windows"]}
    assert 0 < peaks["search, 1 s"] <= 6
    assert 10 < peaks["token, 10 s"] <= 30
    finished = history(warehouse)
    assert [row["status"] for row in finished] == ["success"] * 8
    waited = sum(row["performance_metrics"]["rate_limit_wait_seconds"] for row in finished)
    assert waited > 0, "eight processes have to have met the budget at all"


def wrong_but_archived(
    sandbox: Sandbox, warehouse: Warehouse, name: str, searched: bool
) -> list[str]:
    """What differs from the truth; a window that was searched holds no archived records."""
    archived = sandbox.hubspot.ids(name, "archived") if searched else []
    found = wrong(sandbox, warehouse, name)
    return [line for line in found if not any(record_id in line for record_id in archived)]


# OAuth


def point_to(wire: FaultServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """OAuth with refresh tokens that work once."""
    sandbox.knobs.rotating_refresh_tokens = True
    monkeypatch.delenv("HUBSPOT_TOKEN")
    for name, value in sandbox.oauth_env().items():
        monkeypatch.setenv(name, value.replace(sandbox.url, wire.url))


def test_eight_processes_refresh_a_token_that_works_once_exactly_once_per_expiry(
    wire: FaultServer, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    point_to(wire, sandbox, environment)
    context = multiprocessing.get_context("spawn")
    barrier, outcome = context.Barrier(9), context.Queue()
    processes = [context.Process(target=ask_in_turns, args=(barrier, 3, outcome)) for _ in range(8)]
    for process in processes:
        process.start()
    refreshed = []
    for _ in range(3):
        barrier.wait(timeout=120)
        barrier.wait(timeout=120)
        refreshed.append(sandbox.ledger.count("/oauth/v3/token"))
        # All of them hold a token that has ended by HubSpot's clock alone.
        sandbox.clock.advance(sandbox.knobs.token_lifetime + 1)
    said = [outcome.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    outcome.close()
    outcome.join_thread()
    assert said == [["200"] * 3] * 8
    assert refreshed == [1, 2, 3]
    assert {entry.status for entry in sandbox.ledger.select("/oauth/v3/token")} == {200}


def test_a_token_that_ends_in_mid_run_is_refreshed_once(
    wire: FaultServer, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    point_to(wire, sandbox, environment)
    hubspot = Syncs()

    def ends(spoilt: Wire, answer: Answer) -> None:
        sandbox.clock.advance(sandbox.knobs.token_lifetime + 1)
        faults.answers(b'{"category": "EXPIRED_AUTHENTICATION"}', 401)(spoilt, answer)

    wire.spoil(ends, on=[2], match=r"objects/contacts\?")
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []
    assert sandbox.ledger.count("/oauth/v3/token") == 2
    hubspot.close()


def test_a_token_that_is_refused_again_and_again_fails_the_sync_and_names_it(
    wire: FaultServer, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    point_to(wire, sandbox, environment)
    hubspot = Syncs()
    refused = faults.answers(b'{"message": "no"}', 401)
    wire.spoil(refused, on=range(2, 100), match=r"objects/contacts\?")
    row = hubspot.fails()
    assert "The token was refused: check HUBSPOT_REFRESH_TOKEN" in row["error_message"]
    assert wire.spoilt == 2
    assert sandbox.ledger.count("/oauth/v3/token") == 2
    assert row["checkpoint"] is not None
    wire.heal()
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []
    hubspot.close()


def killed(process: list[subprocess.Popen[str]]) -> Callable[[Wire, Answer], None]:
    """HubSpot has used up the refresh token; who asked dies before it hears of the next."""

    def kill(spoilt: Wire, answer: Answer) -> None:
        os.kill(process[0].pid, signal.SIGKILL)
        process[0].wait(timeout=60)
        spoilt.reset()

    return kill


@pytest.mark.parametrize("crash", [True, False], ids=["the process", "the connection"])
def test_a_refresh_token_lost_on_the_way_asks_for_a_new_authorisation(
    wire: FaultServer, sandbox: Sandbox, environment: pytest.MonkeyPatch, crash: bool
) -> None:
    """Nothing can bring it back, so the history has to say what a person must do."""
    point_to(wire, sandbox, environment)
    hubspot = Syncs()
    if crash:
        started: list[subprocess.Popen[str]] = []
        wire.spoil(killed(started), on=[1], match=TOKEN)
        started.append(child("contacts"))
        assert started[0].wait(timeout=120) == -signal.SIGKILL
        started[0].communicate()
    else:
        wire.spoil(faults.resets_in_body, on=[1], match=TOKEN)
    row = hubspot.fails()
    for words in ("Authorise the app again and set HUBSPOT_REFRESH_TOKEN", "only once"):
        assert words in row["error_message"]
    # The one that died had only asked which account it is: its sync had not begun.
    assert [one["status"] for one in history(hubspot.warehouse)] == ["failed"]
    hubspot.close()
    environment.setenv("HUBSPOT_REFRESH_TOKEN", authorised_anew(sandbox))
    again = Syncs()
    assert again.sync("contacts").status == "success"
    assert wrong(sandbox, again.warehouse) == []
    assert rows(again.warehouse, "SELECT count(*) FROM ingestion_oauth_token") == [(2,)]
    again.close()


def authorised_anew(sandbox: Sandbox) -> str:
    """The refresh token of a person who went through the app's consent page again."""
    auth = sandbox.crms["hubspot"].auth
    auth.tokens.accept_refresh("na1-second", auth.account)
    return "na1-second"
