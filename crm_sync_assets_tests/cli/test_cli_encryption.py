"""Keys on the command line: made, missing, rotated, and searched by."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.keyring import key_id, read_keys
from crm_sync_assets.operations.diagnoses import Diagnosis
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import environment as settings
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.encrypted import NEW, OLD, plaintext, vault
from crm_sync_assets_tests.scripted import history, rows

Run = Callable[..., tuple[int, str, str]]
KEYS = "CRM_SYNC_ENCRYPTION_KEYS"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(words)
        return (status, *capsys.readouterr())

    return run


def encryption() -> Diagnosis:
    [found] = [finding for finding in examine(["hubspot"]) if finding.what == "encryption"]
    return found


def test_a_fresh_key_is_printed_and_fits(run: Run) -> None:
    status, out, err = run("rotate-keys", "--new")
    assert (status, err) == (exits.SUCCESS, "")
    assert read_keys(out.strip()) == (out.strip(),)
    assert run("rotate-keys", "--new")[1] != out


def test_keys_come_from_a_file_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{NEW},\n{OLD}\n")
    environment.setenv(f"{KEYS}_FILE", str(tmp_path / "keys"))
    assert settings().encryption_keys == (NEW, OLD)


@pytest.mark.parametrize(
    "words",
    ["hubspot owners", "rotate-keys", "rotate-keys --check", "quarantine show --crm=hubspot",
     "quarantine replay", "blind-index hubspot owners email"],
)  # fmt: skip
@pytest.mark.parametrize(
    "keys", ["", NEW, f"{OLD},hunter2hunter2"], ids=["no", "wrong", "malformed"]
)
def test_a_key_that_is_missing_or_no_key_is_one_line_and_nothing_is_done(
    sandbox: Sandbox,
    environment: pytest.MonkeyPatch,
    run: Run,
    warehouse: Warehouse,
    words: str,
    keys: str,
) -> None:
    environment.setenv(KEYS, OLD)
    assert run("rotate-keys")[0] == exits.SUCCESS
    environment.setenv(KEYS, keys)
    status, out, err = run(*words.split())
    assert status == exits.USAGE
    assert (out, err.count("\n")) == ("", 1)
    assert ("hunter" in keys) == ("key 2 of 2 is no key" in err)
    assert ("hunter" in keys) != (key_id(OLD) in err or "is not set" in err)
    assert "hunter" not in err
    assert history(warehouse) == []
    assert rows(warehouse, "SELECT key_id FROM ingestion_encryption_key") == [(key_id(OLD),)]


def test_a_process_without_the_key_ends_without_a_traceback(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, run: Run
) -> None:
    environment.setenv(KEYS, OLD)
    assert run("rotate-keys")[0] == exits.SUCCESS
    environment.setenv(KEYS, NEW)
    ended = subprocess.run(
        [sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "owners"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == exits.USAGE
    assert "Traceback" not in ended.stderr
    assert re.fullmatch(rf"crm-sync: .*{key_id(OLD)}.*\n", ended.stderr)


def test_a_rotation_from_the_command_line(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, run: Run, warehouse: Warehouse
) -> None:
    assert encryption().grade == "note"
    assert run("hubspot", "owners", "--quiet")[0] == exits.SUCCESS
    [(address,)] = rows(warehouse, "SELECT email FROM hubspot_owner WHERE email <> '' LIMIT 1")
    environment.setenv(KEYS, OLD)
    assert encryption().grade == "wrong"
    assert "rotate-keys" in encryption().detail
    status, _, err = run("hubspot", "owners", "--quiet")
    assert status == exits.FAILED
    assert "run `crm-sync rotate-keys` once" in err
    status, out, err = run("rotate-keys", "--check")
    assert status == exits.FAILED
    assert "hubspot_owner" in out
    assert "not under the newest key: run `crm-sync rotate-keys`" in err
    assert plaintext(warehouse, address) != []
    assert run("rotate-keys")[0] == exits.SUCCESS
    assert plaintext(warehouse, address) == []
    assert run("rotate-keys", "--check")[0] == exits.SUCCESS
    assert encryption().grade == "ok"
    assert run("hubspot", "owners", "--quiet")[0] == exits.SUCCESS
    environment.setenv(KEYS, f"{NEW},{OLD}")
    status, out, _ = run("rotate-keys", "--check")
    assert status == exits.FAILED
    status, out, _ = run("rotate-keys")
    assert status == exits.SUCCESS
    assert f"key 2 of {KEYS} ({key_id(OLD)}) is no longer needed: remove it" in out
    environment.setenv(KEYS, OLD)
    assert encryption().grade == "wrong"
    assert key_id(NEW) in encryption().detail
    environment.setenv(KEYS, NEW)
    assert run("hubspot", "owners", "--quiet", "--full")[0] == exits.SUCCESS
    assert history(warehouse)[-1]["performance_metrics"]["unchanged"] > 0
    assert history(warehouse)[-1]["records_updated"] == 0


def test_a_person_is_found_by_an_address(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, run: Run, warehouse: Warehouse
) -> None:
    status, _, err = run("blind-index", "hubspot", "owners", "email")
    assert status != exits.SUCCESS
    environment.setenv(KEYS, OLD)
    [owner] = [o for o in sandbox.crms["hubspot"].truth("owners") if o["email"]][:1]
    assert run("hubspot", "owners", "--quiet")[0] == exits.SUCCESS
    environment.setattr(sys, "stdin", io.StringIO(f"  {owner['email']}\n"))
    status, out, err = run("blind-index", "hubspot", "owners", "email")
    assert status == exits.SUCCESS
    assert f"WHERE email_bidx = '{out.strip()}'" in err
    assert owner["email"] not in out + err
    found = rows(warehouse, "SELECT id FROM hubspot_owner WHERE email_bidx = %s", out.strip())
    assert (str(owner["id"]),) in found
    for words, said in (
        ("hubspot owners id", "no sensitive column 'id'; it has: email"),
        ("hubspot ownrs email", "did you mean"),
        ("hubspot owners email", "give the value on standard input"),
    ):
        environment.setattr(sys, "stdin", io.StringIO(""))
        status, _, err = run("blind-index", *words.split())
        assert status == exits.USAGE
        assert said in err


def test_the_quarantine_is_shown_and_replayed_opened(
    environment: pytest.MonkeyPatch, run: Run, database_url: str
) -> None:
    environment.setenv(KEYS, OLD)
    assert run("rotate-keys")[0] == exits.SUCCESS
    safe = Warehouse(database_url, [OLD])
    owner = {"id": "7", "email": "canary@example.com", "firstName": "Ann", "archived": False}
    with safe.connection() as connection:
        failure = Failure("7", "load", "no room", None, owner, None)
        quarantine.add(connection, registry.entity("hubspot.owners"), None, [failure], vault(safe))
        connection.commit()
    assert plaintext(safe) == []
    status, out, _ = run("quarantine", "show", "--id=7")
    assert (status, "canary@example.com" in out) == (exits.SUCCESS, True)
    assert run("quarantine", "replay")[0] == exits.SUCCESS
    assert rows(safe, "SELECT id FROM hubspot_owner") == [("7",)]
    assert plaintext(safe) == []
    safe.close()
