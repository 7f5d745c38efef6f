"""HubSpot behind a real socket whose answers say what a test puts into them, byte for byte."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from crm_sync_assets.cli import main
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.truth import HubSpotSyncs

RECORDS = r"(GET /hubspot/crm/v3/objects/contacts\?)|(POST /hubspot/crm/v3/objects/contacts/)"

Wire = Callable[[dict[str, Any]], bytes]
"""A record as the sandbox would send it → the bytes that are sent instead."""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """1,000 contacts, little else."""
    others = {"deals": 10, "appointments": 10, "companies": 5, "tickets": 5, "line_items": 5}
    with Sandbox(seed=23, contacts=1_000, counts=others, zipcodes=10) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
        yield sandbox


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


@pytest.fixture
def crm_sync(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command line in this process: exit status, standard output, standard error."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(words)
        return (status, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


def poison(sandbox: Sandbox, wires: Mapping[str, Wire]) -> None:
    """From now on the contacts of these ids are sent as their wires say."""

    def rewrite(body: bytes) -> bytes:
        page = json.loads(body)
        records = [
            wires[record["id"]](record) if record["id"] in wires else json.dumps(record).encode()
            for record in page.pop("results", ())
        ]
        rest = json.dumps(page).encode()[1:-1]
        head = b'{"results":[' + b",".join(records) + b"]"
        return head + (b"," + rest if rest else b"") + b"}"

    sandbox.faults.clear()
    sandbox.faults.add(RECORDS, on="all", rewrite=rewrite)


def properties(*fragments: tuple[str, bytes | str]) -> Wire:
    """The record with these properties: names and the raw JSON of their values, in this order."""

    def wire(record: dict[str, Any]) -> bytes:
        named = {name for name, _ in fragments}
        record["properties"] = {k: v for k, v in record["properties"].items() if k not in named}
        raw = [
            (name if name.startswith('"') else json.dumps(name)).encode()
            + b":"
            + (value if isinstance(value, bytes) else value.encode())
            for name, value in fragments
        ]
        body = json.dumps(record["properties"]).encode()
        whole = body[:-1] + b"," + b",".join(raw) + b"}"
        return (
            json.dumps({**record, "properties": 0})
            .encode()
            .replace(b'"properties": 0', b'"properties":' + whole, 1)
        )

    return wire
