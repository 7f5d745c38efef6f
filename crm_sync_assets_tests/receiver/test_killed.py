"""A receiver that is killed has lost nothing that it answered with 200."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.receiver.bench import event, hubspot, kept
from crm_sync_assets_tests.surroundings import Server


class Running:
    """`crm-sync webhooks` as a process of its own, on a free port or the one given."""

    def __init__(self, folder: Path, workers: int, port: int = 0) -> None:
        words = ["webhooks", f"--port={port}", f"--workers={workers}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crm_sync_assets.cli", *words],
            cwd=folder,
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "/webhooks/hubspot" in line, self.process.communicate()
        self.url = line.split()[4].partition("/webhooks")[0]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("it did not start")

    def kill(self) -> None:
        """The whole of it, without a word."""
        family = [*psutil.Process(self.process.pid).children(recursive=True), self.process]
        for one in family:
            one.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_answered_is_there_after_a_kill(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse, tmp_path: Path, workers: int
) -> None:
    first = Running(tmp_path, workers)
    answered: list[int] = []
    enough = threading.Event()

    def send(start: int) -> None:
        with httpx.Client(timeout=10) as client:
            for number in range(start, start + 5_000):
                request = hubspot(f"{first.url}/webhooks/hubspot", event(number))
                try:
                    if client.request(**request).status_code == 200:
                        answered.append(number)
                except httpx.HTTPError:
                    return
                if len(answered) > 200:
                    enough.set()

    with ThreadPoolExecutor(8) as threads:
        sending = [threads.submit(send, 10_000 * n) for n in range(8)]
        assert enough.wait(60)
        first.kill()
        for one in sending:
            one.result()
    stored = {int(key.partition(":")[0]) for key, _ in kept(warehouse)}
    assert len(answered) > 200
    assert set(answered) <= stored
    again = Running(tmp_path, workers)
    known = event(answered[0])
    for _ in range(2):
        answer = httpx.request(**hubspot(f"{again.url}/webhooks/hubspot", known), timeout=20)
        assert answer.status_code == 200
    status, said = again.stop()
    assert (status, said) == (0, "")


def test_what_was_answered_is_there_after_a_restart_of_the_server(
    secrets: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the server it says 503, and goes on by itself once it is back."""
    server = Server(tmp_path / "postgres")
    secrets.setenv("CRM_SYNC_WAREHOUSE_URL", server.url)
    running = Running(tmp_path, 1)
    answered, refused, over = list[int](), list[int](), threading.Event()

    def send(start: int) -> None:
        number = start
        with httpx.Client(timeout=20) as client:
            while not over.is_set():
                number += 1
                request = hubspot(f"{running.url}/webhooks/hubspot", event(number))
                status = client.request(**request).status_code
                (answered if status == 200 else refused).append(number)
                assert status in (200, 503)

    def wait_for(more: int) -> None:
        deadline = time.monotonic() + 60
        while len(answered) < more:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    with ThreadPoolExecutor(4) as threads:
        sending = [threads.submit(send, 100_000 * n) for n in range(4)]
        try:
            wait_for(50)
            server.cut()
            time.sleep(0.3)
            before = len(answered)
            server.start()
            wait_for(before + 50)
        finally:
            over.set()
        for one in sending:
            one.result()
    warehouse = Warehouse(server.url)
    stored = {int(key.partition(":")[0]) for key, _ in kept(warehouse)}
    assert set(answered) <= stored
    warehouse.close()
    assert running.stop()[0] == 0
    server.stop()


def test_who_stops_answers_what_it_has_begun(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse, tmp_path: Path
) -> None:
    running = Running(tmp_path, 1)
    with warehouse.connection() as connection, ThreadPoolExecutor(1) as thread:
        connection.execute("LOCK TABLE ingestion_webhook_event IN ACCESS EXCLUSIVE MODE")
        request = hubspot(f"{running.url}/webhooks/hubspot", event(1))
        answer = thread.submit(lambda: httpx.request(**request, timeout=30))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while connection.execute(waiting).fetchone() == (0,):
            time.sleep(0.02)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.rollback()
        assert answer.result().status_code == 200
    assert running.stop() == (0, "")
    assert len(kept(warehouse)) == 1
