"""A sandbox in a process of its own ends with whoever started it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

STARTER = """
import time
from crm_sync_assets.sandbox.process import sandbox
with sandbox("--contacts", "1") as running:
    print(running.process.pid, flush=True)
    time.sleep(600)
"""


def test_it_does_not_outlive_a_process_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        played = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    deadline = time.monotonic() + 30
    while played.is_running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not played.is_running()
