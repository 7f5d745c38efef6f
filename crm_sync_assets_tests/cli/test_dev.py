"""What `make dev` runs ends when it is told to, whatever it is doing at that moment."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.cli import dev
from crm_sync_assets.cli.shell import from_here, write_exports
from crm_sync_assets.cli.world import World

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_and_handlers_are_as_before(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The signal comes in the middle of the wait, where a lock would be held."""
    before = [signal.getsignal(one) for one in SIGNALS]
    waits: list[float] = []

    def told_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(dev.time, "sleep", told_meanwhile)
    assert dev._watch({}, "http://127.0.0.1:9") == 0
    assert len(waits) == 1
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_the_first_process_that_ends_ends_it() -> None:
    class Ended:
        returncode = 3

        def poll(self) -> int:
            return self.returncode

    ended: Any = Ended()
    assert dev._watch({"daemon": ended}, "http://127.0.0.1:9") == 1


def test_a_second_one_says_where_the_first_one_is_and_starts_nothing(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home := tmp_path / "home").mkdir()
    with dev._alone(home / "dev.lock") as place:
        assert place is not None
        dev._write_down(place, "http://127.0.0.1:3000 (process 7)")
        assert dev.dev() == 0
        assert capsys.readouterr().out == "it runs already: http://127.0.0.1:3000 (process 7)\n"
        assert [path.name for path in home.iterdir()] == ["dev.lock"]
    with dev._alone(home / "dev.lock") as place:
        assert place is not None, "what a first one left is no lock"
        assert (home / "dev.lock").read_text() == ""


def test_it_goes_on_with_the_demo_unless_something_of_ones_own_is_meant(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    home = tmp_path / "home"
    (demo := home / "demo").mkdir(parents=True)
    assert dev._of_the_demo(home) is None
    world = World(["--contacts", "9"], {"hubspot": 4}, 100.0)
    world.save(demo)
    for name in ("HUBSPOT_TOKEN", "CRM_SYNC_WAREHOUSE_URL", "DAGSTER_HOME"):
        with environment.context() as own:
            own.setenv(name, "postgresql://mine/x")
            assert dev._of_the_demo(home) is None
            assert os.environ["CRM_SYNC_HOME"] == str(home)
    assert dev._of_the_demo(home) == world
    assert os.environ["CRM_SYNC_HOME"] == str(demo)


def test_the_file_to_source_gives_a_shell_all_of_it_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "a 'folder'" / "dev.sh"
    path.parent.mkdir()
    path.write_text("left by an older one")
    path.chmod(0o644)
    values = {"HUBSPOT_TOKEN": "it's $HOME; `x`", "CRM_SYNC_HOME": str(tmp_path)}
    write_exports(path, values)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    script = f'. {from_here(path, tmp_path)}; printf "%s\\n" "$HUBSPOT_TOKEN" "$CRM_SYNC_HOME"; '
    script += "command -v python"
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    token, home, python = done.stdout.splitlines()
    assert (token, home) == tuple(values.values())
    assert Path(python).is_file()


def test_what_runs_is_relayed_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    dev._relay("daemon", iter(["\x1b[32m2026\x1b[0m - fine\n"]))  # type: ignore[arg-type]
    assert re.fullmatch(r"daemon +\| 2026 - fine\n", capsys.readouterr().out)
