"""What `make demo` shows while it installs: one line that moves, and pip's words if it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from crm_sync_assets_tests.cli.pseudo import COLUMNS, Terminal

PROGRAM = str(Path(__file__).parents[2] / ".ci" / "install.py")
CHECK = ("--dry-run", "--no-index", "--no-deps")


def test_at_a_terminal_a_bar_is_drawn_over_itself() -> None:
    terminal = Terminal(PROGRAM, *CHECK, "pytest", "mypy")
    assert terminal.end() == 0
    assert [line for line in terminal.lines if line.endswith(" pytest")]
    assert [line for line in terminal.lines if line.endswith(" mypy")]
    assert all(line.startswith(("installing", "#", ".")) for line in terminal.lines)
    assert max(map(len, terminal.lines[1:])) <= COLUMNS
    assert terminal.shown.count("\n") == 1, "nothing of it stays but the first line"
    terminal.close()


def test_without_a_terminal_it_is_one_line_and_a_failure_is_pips() -> None:
    def install(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, PROGRAM, *CHECK, name]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = install("pytest")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    failed = install("there-is-no-such-package")
    assert failed.returncode == 1
    assert "there-is-no-such-package" in failed.stderr
