"""A sync that hangs is declared dead and cannot write on; one that is told to stop does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from crm_sync_assets.engine.run import drain
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets_tests.end_to_end.killing import (
    ROOT,
    differences,
    hubspot,
    large,
    leftovers,
    locked,
    portal,
    present,
    process,
    until,
)
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs

__all__ = ["hubspot", "large", "portal"]

STATE = "SELECT to_jsonb(t) FROM hubspot_contact t ORDER BY id"


def hang(child: subprocess.Popen[str], hubspot: HubSpotSyncs) -> None:
    """Let the child come to the middle of its third batch, and stop it there for too long."""
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGSTOP)
    with hubspot.warehouse.connection() as connection:
        assert sync_history.reap(connection) == [], "it may still be at work"
        assert len(sync_history.reap(connection, stale_after=timedelta(0))) == 1
    assert until(lambda: not locked(hubspot.warehouse), 30), "its session was ended"
    (row,) = history(hubspot.warehouse)
    assert row["status"] == "failed"
    assert row["error_message"].startswith("no sign of life from this sync")


def wake(child: subprocess.Popen[str]) -> str:
    """Let it go on; what it said in the end."""
    child.send_signal(signal.SIGCONT)
    said, _ = child.communicate("go on\n", timeout=60)
    assert child.returncode == 1
    return said


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


@pytest.mark.parametrize("step", ["before COPY", "before commit", "in the close"])
def test_a_process_that_hung_and_goes_on_after_another_sync_writes_nothing(
    hubspot: HubSpotSyncs, portal: Sandbox, step: str
) -> None:
    child = process(wait=step, nth=1 if "close" in step else 3)
    try:
        hang(child, hubspot)
        resumed = hubspot.sync("contacts")
        assert (resumed.resumed, resumed.status) == (True, "success")
        before = rows(hubspot.warehouse, STATE)
        told = history(hubspot.warehouse)
        assert "declared dead" in wake(child)
    finally:
        end(child)
    assert rows(hubspot.warehouse, STATE) == before
    assert history(hubspot.warehouse) == told
    assert [row["status"] for row in told] == ["failed", "success"]
    assert differences(portal, hubspot.warehouse) == []
    assert told[-1]["records_processed"] == present(portal)
    assert leftovers(hubspot.warehouse) == []


def test_a_process_that_hung_and_goes_on_during_another_sync_is_refused(
    hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    child = process(wait="before COPY", nth=3)
    try:
        hang(child, hubspot)
        begun = hubspot.begin("contacts")
        assert f"sync {begun.sync_id} of hubspot.contacts" in wake(child)
    finally:
        end(child)
    drain(begun)
    assert (begun.resumed, begun.status) == (True, "success")
    assert [row["status"] for row in history(hubspot.warehouse)] == ["failed", "success"]
    assert differences(portal, hubspot.warehouse) == []
    assert leftovers(hubspot.warehouse) == []


def test_a_process_that_hung_and_goes_on_alone_is_fenced_and_the_next_sync_resumes(
    hubspot: HubSpotSyncs, portal: Sandbox
) -> None:
    child = process(wait="before COPY", nth=3)
    try:
        hang(child, hubspot)
        (dead,) = history(hubspot.warehouse)
        before = rows(hubspot.warehouse, STATE)
        assert "declared dead" in wake(child)
    finally:
        end(child)
    assert rows(hubspot.warehouse, STATE) == before
    assert history(hubspot.warehouse) == [dead]
    assert hubspot.sync("contacts").resumed
    assert differences(portal, hubspot.warehouse) == []
    assert leftovers(hubspot.warehouse) == []


# Told to stop

SLOW = """
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;
CREATE TRIGGER linger AFTER UPDATE ON hubspot_contact
  FOR EACH STATEMENT EXECUTE FUNCTION linger()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_command_that_is_told_to_stop_within_a_batch_rolls_it_back_within_ten_seconds(
    hubspot: HubSpotSyncs, portal: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """The upsert of the first batch takes half a minute, in the server."""
    hubspot.sync("contacts")
    ids = portal.hubspot.ids("contacts")
    portal.clock.advance(3600)
    portal.hubspot.bulk_touch("contacts", ids[:60], properties={"tier": "after"})
    with hubspot.warehouse.connection() as connection:
        connection.execute(SLOW)  # type: ignore[arg-type]
        connection.commit()
    child = subprocess.Popen(
        [sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "contacts", "--no-progress"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    lingering = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
        "AND datname = current_database()"
    )
    try:
        assert until(lambda: rows(hubspot.warehouse, lingering) == [(1,)], 90)
        child.send_signal(number)
        clock = time.monotonic()
        assert until(lambda: history(hubspot.warehouse)[-1]["status"] == "failed", 10)
        assert until(lambda: not locked(hubspot.warehouse), 10 - (time.monotonic() - clock))
        said, _ = child.communicate(timeout=60)
    finally:
        end(child)
    assert child.returncode == 130, said
    row = history(hubspot.warehouse)[-1]
    assert row["error_message"].startswith("cancelled")
    assert (row["watermark"], row["records_processed"]) == (None, 0)
    after = rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_contact WHERE tier = 'after'")
    assert after == [(0,)], "nothing of the batch stayed"
    with hubspot.warehouse.connection() as connection:
        connection.execute("DROP TRIGGER linger ON hubspot_contact")
        connection.commit()
    assert hubspot.sync("contacts").counts.updated == 60
    assert differences(portal, hubspot.warehouse) == []
    assert leftovers(hubspot.warehouse) == []
