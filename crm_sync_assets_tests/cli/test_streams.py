"""Any terminal, any pipe, a full disk, none: a command goes on, and its exit status is its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

PROGRAM = [sys.executable, "-m", "crm_sync_assets.cli"]
FULL = Path("/dev/full")

SHELLS = {
    "no_output": '"$@" >&-',
    "no_error": '"$@" 2>&-',
    "neither": '"$@" >&- 2>&-',
    "nothing_at_all": '"$@" <&- >&- 2>&-',
    "full": '"$@" >/dev/full',
    "both_full": '"$@" >/dev/full 2>/dev/full',
    "reader_gone": '"$@" | true; exit ${PIPESTATUS[0]}',
    "errors_reader_gone": '"$@" 2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}',
}

needs_full = pytest.mark.skipif(not FULL.exists(), reason="Linux has /dev/full")


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: bytes
    err: str


def run(*words: str, shell: str = '"$@"', variables: Mapping[str, str] | None = None) -> Done:
    """A command in a shell that has its own ideas of where output goes."""
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *PROGRAM, *words],
        env={**os.environ, **(variables or {})},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def synced(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT status FROM ingestion_sync_history WHERE sync_type = 'owners'"
        ).fetchall()


@needs_full
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_sync_is_stored_and_its_exit_status_is_the_syncs(
    sandbox: Any,
    database_url: str,
    shell: str,
) -> None:
    done = run("hubspot", "owners", shell=shell)
    assert synced(database_url) == [("success",)]
    assert done.status == 0, done.err
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err


@needs_full
@pytest.mark.parametrize("shell", ["no_output", "full", "reader_gone"])
def test_a_failed_sync_stays_a_failure(
    sandbox: Any,
    shell: str,
) -> None:
    done = run("hubspot", "owners", shell=SHELLS[shell], variables={"HUBSPOT_TOKEN": "pat-wrong"})
    assert done.status == 1
    assert "refused" in done.err or "HUBSPOT_TOKEN" in done.err


SURROUNDINGS = {
    "no_asserts_no_docstrings": {"PYTHONOPTIMIZE": "2"},
    "warnings_are_errors": {"PYTHONWARNINGS": "error"},
    "no_home": {"HOME": ""},
    "dumb_terminal": {"TERM": "dumb", "COLUMNS": "0", "NO_COLOR": "1"},
    "another_zone_and_language": {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"},
    "c_locale": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "",
    },
}


@pytest.mark.parametrize("variables", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_a_sync_does_not_depend_on_the_shell_it_is_started_from(
    sandbox: Any,
    database_url: str,
    variables: dict[str, str],
) -> None:
    done = run("hubspot", "owners", variables=variables)
    assert (done.status, synced(database_url)) == (0, [("success",)]), done.err
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) > 0, bool_and(updated_at < now()), "
            "bool_and(now() - start_time < interval '1 hour') "
            "FROM hubspot_owner, ingestion_sync_history"
        ).fetchone()
    assert row == (True, True, True)


REPORTS = [
    ["history"],
    ["history", "--json"],
    ["health", "--json"],
    ["entities"],
    ["quarantine", "list"],
    ["doctor", "hubspot"],
    ["rotate-keys", "--new"],
    ["--version"],
    ["--help"],
    ["hubspot", "--help"],
]


@needs_full
@pytest.mark.parametrize("shell", ["no_output", "full"])
@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_a_report_that_nobody_can_read_is_a_failure(
    sandbox: Any,
    words: list[str],
    shell: str,
) -> None:
    done = run(*words, shell=SHELLS[shell])
    assert done.status == 1
    said = "No space left on device" if shell == "full" else "Bad file descriptor"
    assert f"crm-sync: standard output could not be written: {said}" in done.err
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err


@pytest.mark.parametrize("words", [["history"], ["entities"], ["--help"]], ids=" ".join)
def test_a_reader_who_has_read_enough_is_no_failure(
    environment: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    done = run(*words, shell='"$@" | head -c 1; exit ${PIPESTATUS[0]}')
    assert (done.status, done.err) == (0, "")


CHARACTER_SETS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "c_locale": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "",
    },
}


@pytest.mark.parametrize("words", [["doctor", "hubspot"], ["entities"], ["history"]], ids=" ".join)
@pytest.mark.parametrize("variables", CHARACTER_SETS.values(), ids=CHARACTER_SETS)
def test_what_a_terminal_cannot_show_is_replaced(
    sandbox: Any,
    words: list[str],
    variables: dict[str, str],
) -> None:
    done = run(*words, variables=variables)
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err
    assert done.status == 0, done.err
    if words[0] == "doctor":
        assert done.out.startswith((b"+ version", b"\xfb version")), done.out[:80]


def test_right_and_wrong_are_told_apart_without_their_marks(
    sandbox: Any,
) -> None:
    variables = {"PYTHONIOENCODING": "ascii", "HUBSPOT_TOKEN": "pat-wrong"}
    done = run("doctor", "hubspot", variables=variables)
    assert done.status == 1
    assert b"\nx HubSpot: " in done.out
    assert b"\n+ state folder: " in done.out


def test_json_for_programs_stays_whole_in_any_character_set(
    sandbox: Any,
    database_url: str,
) -> None:
    """A question mark in place of a letter would be another value."""
    assert run("hubspot", "owners").status == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE ingestion_sync_history SET error_message = 'für ж 😀'")
    done = run("history", "--json", variables={"PYTHONIOENCODING": "ascii"})
    assert json.loads(done.out)[0]["error_message"] == "für ж 😀"


def test_a_pipe_that_does_not_block_gets_all_of_it(
    environment: pytest.MonkeyPatch,
) -> None:
    """Whoever shares the pipe may have made it non-blocking; it takes 64 KB at once."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    command = (
        "import sys; from crm_sync_assets.cli import streams\n"
        "with streams.standard() as output: print('x' * 300_000); sys.stdout.flush()\n"
        "sys.exit(output.lost is not None)"
    )
    with subprocess.Popen([sys.executable, "-c", command], stdout=writer) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert len(pipe.read()) == 300_001
    assert process.returncode == 0
