"""In `make dev` changes of the sandbox arrive by themselves: registered, told, received, read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from crm_sync_assets.cli import dev_webhooks
from crm_sync_assets.cli.dev import free_port
from crm_sync_assets.sandbox.process import sandbox, stop
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import rows

ONLY = {
    "CRM_SYNC_HUBSPOT__ENTITIES": "products",
    "CRM_SYNC_PIPEDRIVE__ENTITIES": "deals",
    "CRM_SYNC_CALLRAIL__ENTITIES": "calls",
}


def wait_for(what: Callable[[], object], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.2)


def test_a_change_in_the_sandbox_is_in_the_table_without_a_sync(
    environment: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    port = free_port(3400)
    said: list[str] = []
    with sandbox("--contacts", "10", "--pipedrive-deals", "10") as running:
        led = dev_webhooks.of_the_sandbox(running.webhooks, port)
        env = {**os.environ, **running.env, **led, **ONLY}
        first = [sys.executable, "-m", "crm_sync_assets.cli", "pipedrive", "deals", "--quiet"]
        subprocess.run(first, env=env, check=True)
        receiver = subprocess.Popen(
            [sys.executable, *dev_webhooks.arguments(port)], env=env, start_new_session=True
        )
        try:
            with dev_webhooks.registered(env, port, lambda _, line: said.append(line)):
                wait_for(lambda: said)
                assert said == [
                    "the sandbox tells of its changes by webhooks, and they are read at once"
                ]
                asked = {"type": "deals", "properties": {"title": "Roof of Ann"}}
                deal = json.loads(running.ask("pipedrive/create", asked))["result"]
                query = "SELECT title FROM pipedrive_deal WHERE id = %s"
                wait_for(lambda: rows(warehouse, query, int(deal)) == [("Roof of Ann",)])
            receiver.terminate()
            assert receiver.wait(20) == 0, "it ends cleanly, with the rest"
        finally:
            stop([receiver])


def test_who_ends_before_the_receiver_answers_waits_for_nothing(
    environment: pytest.MonkeyPatch,
) -> None:
    began = time.monotonic()
    with dev_webhooks.registered(os.environ, free_port(3400), lambda *_: None):
        time.sleep(0.3)
    assert time.monotonic() - began < 10


def test_a_registration_that_fails_is_heard_of(environment: pytest.MonkeyPatch) -> None:
    """Nothing is set here: the receiver that answers is that of somebody else."""
    from crm_sync_assets_tests.receiver.bench import serving

    said: list[tuple[str, str]] = []
    with serving() as found:
        port = int(found.url.rpartition(":")[2])
        with dev_webhooks.registered(os.environ, port, lambda *line: said.append(line)):
            wait_for(lambda: said)
    assert [who for who, _ in said] == ["webhooks"]
    assert "CRM_SYNC_WEBHOOKS_URL is not set" in said[0][1]


def test_the_receiver_runs_where_a_secret_is_set(environment: pytest.MonkeyPatch) -> None:
    assert not dev_webhooks.are_expected()
    environment.setenv("PIPEDRIVE_WEBHOOK_PASSWORD", "a password")
    assert dev_webhooks.are_expected()
