"""Killed at any step: the next sync starts at once, resumes, and ends with the truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import SyncError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.end_to_end.killing import (
    LIST_PAGE,
    ROOT,
    begin_within_a_second,
    differences,
    hubspot,
    killed,
    large,
    leftovers,
    locked,
    pages,
    portal,
    present,
    process,
    until,
)
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.surroundings import Server
from crm_sync_assets_tests.truth import HubSpotSyncs

__all__ = ["hubspot", "large", "portal"]

LAG = timedelta(minutes=10)


FIRST = [
    ("after opening the row", 1),
    ("after making the tables", 1),
    ("before COPY", 1),
    ("before COPY", 9),
    ("between COPY and upsert", 9),
    ("after upsert", 9),
    ("before commit", 9),
    ("at the commit", 9),
    ("after commit", 1),
    ("after commit", 9),
    ("after the last batch", 1),
    ("in the close", 1),
    ("before the commit of the close", 1),
]
AGAIN = [
    ("before COPY", 9),
    ("before commit", 9),
    ("after commit", 9),
    ("after the last batch", 1),
    ("before the commit of the close", 1),
]


def _committed(step: str, nth: int) -> int | None:
    """How many pages were committed before the blow; None for all of them."""
    if step == "after commit":
        return nth
    return None if "close" in step or step == "after the last batch" else nth - 1


def _cases() -> Iterator[Any]:
    replaced = {"full": True, "force": True}
    for flags, steps in (({}, FIRST), ({"full": True}, AGAIN), (replaced, AGAIN)):
        for step, nth in steps:
            name = " + ".join(flags) or "first"
            yield pytest.param(flags, step, nth, id=f"{name}, {step} {nth}")


@pytest.mark.parametrize(("flags", "step", "nth"), list(_cases()))
def test_a_sync_that_was_killed_is_resumed_and_ends_with_the_truth(
    hubspot: HubSpotSyncs, portal: Sandbox, flags: dict[str, bool], step: str, nth: int
) -> None:
    warehouse = hubspot.warehouse
    if flags:
        hubspot.sync("contacts")
        portal.clock.advance(3600)
        ids = portal.hubspot.ids("contacts")
        for record_id in (*ids[10:13], *ids[-13:-10]):
            portal.hubspot.purge("contacts", record_id)
        portal.hubspot.bulk_touch("contacts", ids[20:60], properties={"tier": "after"})
    earlier = len(history(warehouse))
    start = portal.ledger.entries[-1].number if portal.ledger.entries else 0
    killed(step, nth, **flags)

    (dead,) = history(warehouse)[earlier:]
    assert (dead["status"], dead["watermark"]) == ("running", None), "nothing may look complete"
    checkpoint = dead["checkpoint"]
    read_before = pages(portal, since=start)
    crash = portal.ledger.entries[-1].number if portal.ledger.entries else 0
    if flags.get("force"):
        tiers = rows(warehouse, "SELECT count(*) FROM hubspot_contact WHERE tier = 'after'")
        assert tiers == [(0,)], "readers see no half of a replacement"

    begun = begin_within_a_second(hubspot, **flags)
    assert begun.resumed == (checkpoint is not None)
    drain(begun)

    assert begun.status == "success"
    assert differences(portal, warehouse) == []
    dead, last = history(warehouse)[earlier:]
    assert dead["status"] == "failed"
    assert "died" in dead["error_message"]
    assert last["records_processed"] == begun.counts.processed == present(portal)
    assert begun.counts.add_up
    if not flags:
        assert last["records_created"] == present(portal)
    if checkpoint:
        started = datetime.fromisoformat(checkpoint["started"])
        assert last["watermark"] == started - LAG, "its early pages are that old"
    assert begun.counts.deleted == (6 if flags else 0)

    # Read again are the page that was being stored, the one that waited behind it and the one
    # being fetched: prefetch_pages + 2. A committed page is never read again.
    read_after = pages(portal, since=crash)
    assert len(set(read_before) | set(read_after)) >= present(portal) // LIST_PAGE
    if checkpoint:
        committed = read_before[: _committed(step, nth)]
        assert not set(committed) & set(read_after)
        assert len(set(read_before) & set(read_after)) <= 3
        assert len(committed) + len(read_after) == len({*read_before, *read_after})

    assert leftovers(warehouse) == []
    portal.clock.advance(60)
    again = hubspot.sync("contacts")
    assert (again.strategy.name, again.counts.created, again.counts.updated) == (
        "incremental",
        0,
        0,
    )


def test_a_sync_killed_after_its_close_was_complete(hubspot: HubSpotSyncs, portal: Sandbox) -> None:
    killed("after the close")
    (row,) = history(hubspot.warehouse)
    assert row["status"] == "success"
    assert row["records_created"] == present(portal)
    assert differences(portal, hubspot.warehouse) == []
    begun = begin_within_a_second(hubspot)
    drain(begun)
    assert (begun.resumed, begun.strategy.name) == (False, "incremental")


def test_a_sync_killed_twice_and_thrice_still_moves_on(
    hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    for nth in (5, 5, 1, 5):
        killed("before commit", nth)
        assert until(lambda: not locked(hubspot.warehouse), 1)
    begun = begin_within_a_second(hubspot)
    drain(begun)
    *dead, last = history(hubspot.warehouse)
    assert [row["status"] for row in dead] == ["failed"] * 4
    stored = [row["records_processed"] for row in dead]
    assert stored == [400, 800, 0, 1200]
    assert last["records_created"] == present(portal) == begun.counts.processed
    assert last["watermark"] <= dead[0]["start_time"]
    assert differences(portal, hubspot.warehouse) == []


# Two at once


def test_of_two_processes_one_runs_and_the_other_is_refused_by_name(
    hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    first = process(wait="before COPY", nth=3, run_id="run-one")
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == "waiting\n"
    second = process(run_id="run-two")
    said, _ = second.communicate(timeout=60)
    (row,) = history(hubspot.warehouse)
    assert second.returncode == 1
    assert f"sync {row['id']} of hubspot.contacts, run run-one" in said
    removal = process(entity="contacts", run_id="run-three", flags={"dry_run": True})
    said, _ = removal.communicate(timeout=60)
    assert "run run-one" in said, "a dry run takes the lock as well"
    rest, complaint = first.communicate("go on\n", timeout=60)
    assert rest == "success\n", complaint
    assert [row["status"] for row in history(hubspot.warehouse)] == ["success"]
    assert differences(portal, hubspot.warehouse) == []


# The server goes away


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(
        prefix="crm_sync_restart_", ignore_cleanup_errors=True
    ) as home:
        Path(home).chmod(0o755)
        server = Server(Path(home) / "postgres")
        yield server
        server.stop()


@pytest.mark.parametrize("pause_seconds", [0.0, 3.0])
def test_a_server_restarted_in_the_middle_costs_a_pause_or_a_resume_and_no_row(
    server: Server, portal: Sandbox, environment: pytest.MonkeyPatch, pause_seconds: float
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", server.url)
    hubspot = HubSpotSyncs()
    batches = 0
    restarted = threading.Thread(target=server.restart, args=(pause_seconds,))

    def progress(_: Any) -> None:
        nonlocal batches
        batches += 1
        if batches == 6:
            restarted.start()

    begun = hubspot.begin("contacts")
    try:
        drain(begun, progress)
    except SyncError:
        assert begun.status == "failed"
    finally:
        restarted.join()
    last = begun
    if begun.status != "success":
        last = hubspot.sync("contacts")
        assert last.resumed
    assert differences(portal, hubspot.warehouse) == []
    assert last.counts.processed == present(portal)
    assert [row["status"] for row in history(hubspot.warehouse)] in (
        ["success"],
        ["failed", "success"],
    )
    assert leftovers(hubspot.warehouse) == []
    hubspot.close()
    hubspot.warehouse.close()


# Told to stop


def test_a_terminated_sync_says_cancelled_and_frees_its_lock_within_ten_seconds(
    hubspot: HubSpotSyncs, portal: Sandbox, tmp_path: Path
) -> None:
    portal.knobs.latency = 0.4
    child = subprocess.Popen(
        [sys.executable, "-c", "from crm_sync_assets.cli import main; raise SystemExit(main())",
         "hubspot", "contacts"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = history(hubspot.warehouse)
        if found and found[0]["records_processed"] > 0:
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGTERM)
    clock = time.monotonic()
    assert until(lambda: history(hubspot.warehouse)[0]["status"] == "failed", 10)
    assert until(lambda: not locked(hubspot.warehouse), 10 - (time.monotonic() - clock))
    child.communicate(timeout=30)
    assert child.returncode != 0
    (row,) = history(hubspot.warehouse)
    assert row["error_message"].startswith("cancelled")
    assert row["watermark"] is None
    portal.knobs.latency = 0
    assert hubspot.sync("contacts").resumed
    assert differences(portal, hubspot.warehouse) == []
