"""HubSpot with 1,500 contacts, processes that sync them and die, and what is left then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import AlreadyRunning
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.history import resource
from crm_sync_assets_tests.scripted import rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

ROOT = Path(__file__).parents[2]

CONTACTS = registry.entity("hubspot.contacts")

LIST_PAGE = 100


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    with Sandbox(seed=13, contacts=1_500, zipcodes=10) as sandbox:
        yield sandbox


@pytest.fixture
def portal(large: Sandbox, environment: pytest.MonkeyPatch) -> Sandbox:
    """1,500 contacts as they were in the beginning. A batch is one page, one page waits."""
    large.reset()
    for name, value in large.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
    environment.setenv("CRM_SYNC_HUBSPOT__LOAD_ROWS", str(LIST_PAGE))
    environment.setenv("CRM_SYNC_HUBSPOT__PREFETCH_PAGES", "1")
    return large


@pytest.fixture
def hubspot(portal: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def process(**order: Any) -> subprocess.Popen[str]:
    """Another process that syncs an entity (contacts), in this test's environment."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "crm_sync_assets_tests.end_to_end.killed",
            json.dumps({"entity": "contacts", **order}),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def killed(step: str, nth: int = 1, crm: str = "hubspot", **order: Any) -> None:
    """Sync contacts, or the `entity` named, in another process that kills itself there."""
    mine = {name: order.pop(name) for name in ("entity",) if name in order}
    child = process(kill=step, nth=nth, flags=order, crm=crm, **mine)
    _, complaint = child.communicate(timeout=90)
    assert child.returncode == -signal.SIGKILL, complaint


def begin_within_a_second(hubspot: HubSpotSyncs, **flags: Any) -> Sync:
    """The lock dies with its process; the server needs some milliseconds to notice that."""
    deadline = time.monotonic() + 1
    while True:
        try:
            begun = hubspot.begin("contacts", **flags)
        except AlreadyRunning:
            assert time.monotonic() < deadline, "the lock outlived its process"
            time.sleep(0.02)
        else:
            assert time.monotonic() < deadline
            return begun


def pages(sandbox: Sandbox, *, since: int = 0) -> list[str]:
    """The queries of the pages of contacts that were asked for, live and archived.

    One that is asked for twice in a row, as the recycle bin's last page is, counts once.
    """
    queries = [
        e.query
        for e in sandbox.ledger.entries
        if e.number > since and e.method == "GET" and e.path.endswith("/objects/contacts")
    ]
    return [query for query, _ in groupby(queries)]


def differences(sandbox: Sandbox, warehouse: Warehouse) -> list[str]:
    return list(entity_differences(sandbox, warehouse, CONTACTS, True))


def present(sandbox: Sandbox) -> int:
    """How many contacts a complete read gives."""
    return len(sandbox.hubspot.ids("contacts")) + len(sandbox.hubspot.ids("contacts", "archived"))


def leftovers(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Keys, shadows and locks that no sync needs any more."""
    return [
        *rows(warehouse, "SELECT 'key', sync_id FROM ingestion_sync_keys LIMIT 3"),
        *rows(
            warehouse,
            "SELECT 'shadow', relname FROM pg_class WHERE relkind = 'r' "
            "AND relname ~ '^ingestion_shadow_[0-9]'",
        ),
        *rows(
            warehouse,
            "SELECT 'lock', pid FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        ),
    ]


def until(claim: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def locked(warehouse: Warehouse) -> bool:
    """Whether a sync holds the lock; asked without taking it, which would stand in others' way."""
    with warehouse.connection() as connection:
        return locks.holder(connection, locks.entity(resource(CONTACTS))) is not None
