"""The whole project as `crm-sync dev` starts it, and a real Chromium in front of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, sync_playwright

from crm_sync_assets.cli.dev import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 90.0
FIRST_DAY = date(2026, 7, 1)
SCRIPT = """
import sys
from crm_sync_assets.cli.dev import dev
sys.exit(dev(port=int(sys.argv[1]), contacts=100, every=3600))
"""


@dataclass(frozen=True)
class Project:
    """Sandbox, PostgreSQL, webserver, daemon and dashboard, running."""

    url: str
    board_url: str
    warehouse_url: str
    dagster_home: Path

    def rows(self, query: Any, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.warehouse_url) as connection:
            return connection.execute(query, values).fetchall()

    def history(self, condition: str, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """History rows that meet a condition, as soon as there are any, oldest first."""
        deadline = time.monotonic() + patience
        query = f"SELECT to_jsonb(h) FROM ingestion_sync_history h WHERE {condition} ORDER BY id"  # noqa: S608
        while not (found := self.rows(query)):
            assert time.monotonic() < deadline, f"no row in SyncHistory where {condition}"
            time.sleep(0.5)
        return [row for (row,) in found]


def chromium() -> str:
    """Where it is; what needs it is skipped without it, but not in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("no chromium is installed, and in CI the UI must be tested")
        pytest.skip("no chromium is installed")
    return CHROMIUM


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """Ends with the module: beside all other tests its daemon would take a quarter of a core."""
    chromium()
    with tempfile.TemporaryDirectory(prefix="crm_sync_ui_", ignore_cleanup_errors=True) as folder:
        # PostgreSQL runs as an unprivileged user when the tests run as root.
        home = Path(folder)
        home.chmod(0o755)
        mine = ("CRM_SYNC_", "HUBSPOT_", "ZIPCODES_", "GITHUB_", "DAGSTER_", "GENIUS_", "PYTEST_")
        env = {name: v for name, v in os.environ.items() if not name.startswith(mine)}
        env |= {
            "CRM_SYNC_HOME": str(home / "state"),
            "CRM_SYNC_FIRST_DAY": f"{FIRST_DAY}",
            # Dagster's daemon looks at freshness every 30 seconds.
            "FRESHNESS_DAEMON_INTERVAL_SECONDS": "2",
        }
        with (home / "log").open("w+") as log:
            port = free_port(20_000 + os.getpid() % 20_000)
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", SCRIPT, str(port)],
                cwd=home,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield _ready(process, home)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                print((home / "log").read_text()[-20_000:])
        assert process.returncode == 0


def _ready(process: subprocess.Popen[bytes], home: Path) -> Project:
    deadline = time.monotonic() + PATIENCE
    while True:
        text = (home / "log").read_text()
        ready = re.search(r"ready: (\S+)", text)
        board = re.search(r"the dashboard is at (\S+);", text)
        if ready and board:
            url = re.search(r"warehouse: (\S+)", text)
            assert url, text
            _no_welcome(ready[1])
            return Project(ready[1], board[1], url[1], home / "state" / "dagster")
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.5)


def _no_welcome(url: str) -> None:
    """Dagster asks a newcomer to join its community, over whatever is on the page."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": "mutation { setNuxSeen }"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {"data": {"setNuxSeen": True}}


@pytest.fixture
def page(project: Project) -> Iterator[Page]:
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            headless=True,
            args=list(OPTIONS),
            viewport={"width": 1400, "height": 900},
        )
        page = browser.pages[0]
        page.set_default_timeout(1000 * PATIENCE)
        yield page
        browser.close()
