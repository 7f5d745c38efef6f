"""What a sync costs when nothing has changed: the whole command, from the shell.

The sandbox plays HubSpot and Genius, without limits and without latency.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

REPEATS = 5


def fixed_cost(home: Path) -> None:
    """Print seconds and CPU seconds of deltas that find nothing, medians of five."""
    from crm_sync_assets.sandbox import Sandbox
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.warehouse import embedded

    server = embedded.start(home / "postgres")
    with Sandbox(seed=7, contacts=300, genius_url=beside(server, "genius_source")) as sandbox:
        env = {
            **os.environ,
            **sandbox.env(),
            "CRM_SYNC_WAREHOUSE_URL": beside(server, "fixed"),
            "CRM_SYNC_HOME": str(home / "fixed"),
            "PYTHONWARNINGS": "ignore",
            "CRM_SYNC_HUBSPOT__LAG_SECONDS": "0",
            "CRM_SYNC_HUBSPOT__RATE_WINDOWS": "[]",
        }
        for crm in ("hubspot", "genius"):
            _timed(env, crm, "all")
        print("## Nothing changed: the whole command\n\n| command | seconds | CPU s |")
        print("|---|---:|---:|")
        for words in (("hubspot", "contacts"), ("hubspot", "all"), ("genius", "all")):
            runs = [_timed(env, *words) for _ in range(REPEATS)]
            seconds, cpu = (median(column) for column in zip(*runs, strict=True))
            print(f"| `crm-sync {' '.join(words)}` | {seconds:.2f} | {cpu:.2f} |", flush=True)
    print()


def _timed(env: dict[str, str], *words: str) -> tuple[float, float]:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_sync_assets.cli", *words, "--quiet"],
        env=env,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"crm-sync {' '.join(words)} ended with {status}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime
