"""What a shell completes: commands, CRMs, entities and flags, as they are declared."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crm_sync_assets.cli import COMMANDS, main
from crm_sync_assets.cli.completion import SHELLS
from crm_sync_assets.declarations import registry

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_shtab_crm_sync crm-sync "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

CASES = [
    ("hub", ["hubspot"]),
    ("hist", ["history"]),
    ("hubspot cont", ["contacts", "contacts_removal"]),
    ("hubspot contacts dea", ["deals"]),
    ("hubspot contacts --full dea", ["deals"]),
    ("hubspot contacts --start", ["--start-date"]),
    ("callrail calls --comp", ["--company-id"]),
    ("pipedrive al", ["all"]),
    ("all --dry", ["--dry-run"]),
    ("verify callrail ca", ["calls"]),
    ("verify callrail calls --re", ["--repair"]),
    ("blind-index hubspot dea", ["deals"]),
    ("history --entity dea", ["deals"]),
    ("history --status su", ["success"]),
    ("history pr", ["prune"]),
    ("quarantine show --cr", ["--crm"]),
    ("doctor pipe", ["pipedrive"]),
    ("hubspot --no-such", []),
]


def script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    path = tmp_path / f"completion.{shell}"
    path.write_text(capsys.readouterr().out)
    return path


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("bash", tmp_path, capsys)
    for words, expected in CASES:
        done = subprocess.run(
            ["bash", "-c", BASH, "bash", path, "crm-sync", *words.split()],
            capture_output=True,
            text=True,
            check=True,
        )
        assert sorted(done.stdout.split()) == expected, words


def needs(shell: str) -> None:
    """A shell that is not here: a test skips itself without it, but not in CI."""
    if shutil.which(shell) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{shell} is not installed, and in CI its completion must be tested")
        pytest.skip(f"there is no {shell} here")


def test_fish_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("fish")
    path = script("fish", tmp_path, capsys)
    asked = "; ".join(f'echo =; complete -C "crm-sync {words}"' for words, _ in CASES)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {path}; {asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = [part.strip().splitlines() for part in done.stdout.split("=\n")[1:]]
    found = [sorted(line.partition("\t")[0] for line in lines) for lines in said]
    assert found == [expected for _, expected in CASES]


def test_zsh_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("zsh")
    path = script("zsh", tmp_path, capsys)
    read = f'autoload -U compinit; compinit -u -d {tmp_path}/dump; eval "$(<{path})"'
    done = subprocess.run(
        ["zsh", "-f", "-c", f"{read}; print $_comps[crm-sync]"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("_shtab_crm_sync", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_name_is_in_the_script(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, tmp_path, capsys).read_text()
    names = [*COMMANDS, *registry.names(), *(e.sync_type for e in registry.all_entities().values())]
    assert [name for name in names if name not in text] == []
    assert "force-overwrite" not in text, "old names are taken, not offered"
