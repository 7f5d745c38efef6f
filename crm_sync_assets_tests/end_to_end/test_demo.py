"""The demo as it is typed: all CRMs that there are, a tiny world, and Ctrl-C."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.world import left_in
from crm_sync_assets.declarations import registry
from crm_sync_assets_tests.cli.pseudo import Terminal
from crm_sync_assets_tests.surroundings import OURS

pytestmark = pytest.mark.timeout(900)
DEMO = ("-m", "crm_sync_assets.cli", "demo", "--contacts")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="crm_sync_demo_", ignore_cleanup_errors=True) as home:
        # The server runs as an unprivileged user when the tests run as root.
        Path(home).chmod(0o755)
        yield Path(home)


def variables(home: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**given, "CRM_SYNC_HOME": str(home)}


def test_a_tiny_world_is_green_and_every_system_is_in_the_table(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, *DEMO, "7"], env=variables(home), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (exits.SUCCESS, ""), done.stdout
    titles = [crm.title for crm in registry.crms().values()]
    rows = [line for line in done.stdout.splitlines() if re.search(r" yes +\d+\.\d$", line)]
    assert [re.split(r"  +", line)[0] for line in rows] == titles
    assert "The warehouse is what the sources are" in done.stdout
    assert left_in(home / "demo") is not None


def test_ctrl_c_ends_all_of_it_with_one_line(home: Path, environment: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(OURS)]:
        environment.delenv(name)
    terminal = Terminal(*DEMO, "50", variables={"CRM_SYNC_HOME": str(home)})
    assert terminal.until(lambda shown: " of 24 entities" in shown, seconds=300), terminal.shown
    before = len(terminal.lines)
    terminal.press_ctrl_c()
    assert terminal.end() == exits.CANCELLED
    assert terminal.is_restored
    drawn = ("entities", "waits", "done", "^C")
    said = [line for line in terminal.lines[before:] if not any(part in line for part in drawn)]
    assert said == ["crm-sync: cancelled"]
    assert "Traceback" not in terminal.shown
    terminal.close()
