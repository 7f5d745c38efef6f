"""The command line, as a person uses it: against the sandbox and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets import __version__
from crm_sync_assets.cli import COMMANDS, exits, sync
from crm_sync_assets.cli.arguments import flags
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import flags_of
from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.errors import UsageError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]


def process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crm_sync_assets.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hubspto contacts", "did you mean 'hubspot'?"),
        ("histroy", "did you mean 'history'?"),
        ("hubspot contcts", "did you mean 'contacts'?"),
        ("hubspot", "say which entity of hubspot"),
        ("hubspot contacts --ful", "did you mean --full?"),
        ("hubspot contacts --start-date=2025-02-30", "'2025-02-30' is not a date"),
        ("hubspot contacts --start-date=01/02/2025", "is not a date"),
        ("hubspot contacts --start-date", "--start-date"),
        ("hubspot contacts --batch-size=0", "batch_size is 0"),
        ("hubspot contacts --batch-size=many", "'many' is not a whole number"),
        ("hubspot contacts --max-records=-1", "max_records is -1"),
        ("hubspot contacts --full --start-date=2025-01-01", "leave out one of them"),
        ("hubspot contacts --start-date=2025-02-01 --end-date=2025-01-01", "is not before"),
        ("hubspot contacts --start-date=9999-01-01", "start_date 9999-01-01 is in the future"),
        ("hubspot contacts --since=2025-01-01 --start-date=2025-01-02", "give one of them"),
        ("hubspot owners --start-date=2025-01-01", "hubspot.owners: this entity cannot say"),
        ("hubspot associations --start-date=2025-01-01", "cannot say what changed"),
        ("sync_hubspot_contactz", "did you mean 'contacts'?"),
        ("sync_hubspto_contacts", "is no command"),
        ("history --crm=hubspto", "did you mean 'hubspot'?"),
        ("history --since=yesterday", "'yesterday' is no moment"),
        ("quarantine", "list|show|replay"),
        ("sandbox --knob=lattency=1", "unknown knobs"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_status_2(
    run: Run, words: str, said: str
) -> None:
    status, out, err = run(*words.split())
    assert status == exits.USAGE
    assert out == ""
    line = err.strip().splitlines()[-1]
    assert line.startswith("crm-sync: ")
    assert said in line
    assert "Traceback" not in err


def test_a_crms_own_flags_are_options_and_refused_where_they_mean_nothing(
    environment: pytest.MonkeyPatch,
) -> None:
    company = Flag("company_id", "Only this company's.", entities=("contacts",))
    crm = replace(registry.crm("hubspot"), flags=(company, Flag("pages", "At once.", int, 4)))
    parser = sync.parser(crm)
    shown = parser.format_help()
    assert "--company-id TEXT" in shown
    assert "At once. [4]" in shown
    given = parser.parse(["contacts", "--company-id=COM1", "--pages=9"])
    found, _ = flags(given, flags_of(crm))
    assert found.own_options() == {"company_id": "COM1", "pages": 9}
    with pytest.raises(UsageError, match=r"hubspot\.owners takes no company_id"):
        sync.run(crm, ["contacts", "owners", "--company-id=COM1"])
    with pytest.raises(UsageError, match="'many' is not a whole number"):
        parser.parse(["contacts", "--pages=many"])


def test_a_bad_flag_is_refused_before_dagster_is_imported(environment: object) -> None:
    script = (
        "import sys; from crm_sync_assets.cli import main; "
        "status = main(['hubspot', 'contacts', '--batch-size=0']); "
        "print(status, 'dagster' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "False"]


@pytest.mark.parametrize(
    "words", [["--help"], ["hubspot", "--help"], *([c, "--help"] for c in COMMANDS)]
)
def test_every_command_explains_itself(run: Run, words: list[str]) -> None:
    status, out, _ = run(*words)
    assert status == exits.SUCCESS
    assert "usage: crm-sync" in out


def test_the_version(run: Run) -> None:
    assert run("--version")[1].strip() == f"crm-sync {__version__}"


def test_a_missing_token_is_named_before_anything_is_started(run: Run) -> None:
    status, out, err = run("hubspot", "contacts")
    assert status == exits.USAGE
    assert "HUBSPOT_TOKEN is not set" in err
    assert out == ""


def test_genius_without_its_zone_is_refused_before_anything_is_started(
    run: Run, environment: pytest.MonkeyPatch
) -> None:
    """Read in another zone every time would be shifted, and the sync would call it a success."""
    environment.setenv("GENIUS_DATABASE_URL", "mysql://user:password@127.0.0.1:1/genius")
    for words in (["genius", "jobs"], ["all"], ["doctor"], ["doctor", "genius"]):
        status, out, err = run(*words)
        assert status == (exits.FAILED if words[0] == "doctor" else exits.USAGE), words
        assert "GENIUS_TIME_ZONE is not set: give the zone that the database's clock" in out + err
        assert out == "" or words[0] == "doctor"
        assert "GENIUS_TIME_ZONE" in err or "✗ Genius" in out, words


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CRM_SYNC_HUBSPOT__CONTACT__PAGE_SIZE", "contacts"),
        ("CRM_SYNC_HUBSPTO__PAGE_SIZE", "hubspot"),
        ("CRM_SYNC_PIPDRIVE__DEALS__PAGE_SIZE", "pipedrive"),
    ],
)
def test_a_mistyped_override_is_refused(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    environment.setenv(variable, "50")
    status, _, err = run("hubspot", "contacts")
    assert status == exits.USAGE
    assert variable in err
    assert f"did you mean '{meant}'?" in err


def test_a_first_sync_and_its_delta_as_processes(sandbox: Sandbox, warehouse: Warehouse) -> None:
    first = process("hubspot", "contacts", "--no-progress")
    assert first.returncode == exits.SUCCESS, first.stderr
    assert "hubspot.contacts" in first.stdout
    assert "success" in first.stdout
    assert "initial_full" in first.stdout
    assert "Traceback" not in first.stderr
    assert "dagster_meta" not in first.stderr

    sandbox.hubspot.edit("contacts", sandbox.hubspot.ids("contacts")[0], {"city": "Tulsa"})
    # The old name of the command, and old names of flags.
    second = process("sync_hubspot_contacts", "--verbose", "--quiet")
    assert second.returncode == exits.SUCCESS, second.stderr
    assert second.stdout == ""
    assert "`crm-sync hubspot contacts`" in second.stderr
    assert "--verbose is now called --debug" in second.stderr
    with warehouse.connection() as connection:
        rows = connection.execute(
            "SELECT status, configuration ->> 'strategy', records_updated, run_id IS NOT NULL "
            "FROM ingestion_sync_history ORDER BY id"
        ).fetchall()
        live = connection.execute(
            "SELECT count(*) FROM hubspot_contact WHERE deleted_at IS NULL"
        ).fetchone()
    assert rows == [("success", "initial_full", 0, True), ("success", "incremental", 1, True)]
    assert live == (len(sandbox.hubspot.ids("contacts")),)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_cancelled_sync_is_failed_in_history(
    sandbox: Sandbox, warehouse: Warehouse, number: signal.Signals
) -> None:
    sandbox.knobs.turn({"latency": 1})
    running = subprocess.Popen(
        [sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "contacts", "--no-progress"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not _history(warehouse):
        time.sleep(0.1)
    os.kill(running.pid, number)
    _, err = running.communicate(timeout=30)
    assert running.returncode == exits.CANCELLED
    assert "cancelled" in err
    assert "Traceback" not in err
    [(status, error, reason)] = _history(warehouse)
    assert (status, reason) == ("failed", "cancelled")
    assert error.startswith("cancelled")


def test_under_nohup_a_closed_terminal_ends_nothing(sandbox: Sandbox, warehouse: Warehouse) -> None:
    sandbox.knobs.turn({"latency": 0.2})
    running = subprocess.Popen(
        ["nohup", sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "owners"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not _history(warehouse):
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGHUP)
    _, err = running.communicate(timeout=60)
    assert running.returncode == exits.SUCCESS, err
    assert _history(warehouse) == [("success", None, None)]


def _history(warehouse: Warehouse) -> list[Any]:
    with warehouse.connection() as connection:
        return connection.execute(
            "SELECT status, error_message, reason FROM ingestion_sync_history ORDER BY id"
        ).fetchall()


def test_a_dry_run_of_a_group_and_a_limited_run_are_trials(run: Run, sandbox: Sandbox) -> None:
    _, _, err = run("hubspot", "owners", "--max-records=1", "--quiet")
    assert "does not pass its check fresh: there was no complete sync yet" in err
    status, _, err = run("hubspot", "contacts", "deals", "--quiet")
    assert status == exits.SUCCESS, err
    assert "check" not in err
    status, out, err = run("hubspot", "associations", "--dry-run", "--no-progress")
    assert status == exits.SUCCESS, err
    assert "dry run: nothing was written" in out
    assert out.count("success") == 6
    assert run("hubspot", "contacts", "--max-records", "7", "--full", "--quiet")[0] == 0

    status, out, _ = run("history", "--json")
    assert status == exits.SUCCESS
    assert {row["sync_type"] for row in json.loads(out)} == {"contacts", "deals"}
    _, out, _ = run("history", "--json", "--trials", "--entity=contacts", "--limit=1")
    [limited] = json.loads(out)
    assert limited["records_processed"] == 7
    assert (limited["watermark"], limited["kind"], limited["reason"]) == (None, "limited", None)
    _, out, _ = run("history")
    assert "8 trials are not shown" in out
    status, out, _ = run("health", "hubspot", "--json")
    assert status == exits.SUCCESS
    assert json.loads(out)["healthy"] is True


def test_partial_is_a_status_of_its_own_until_the_quarantine_is_empty(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__EMAILS__MODE", "strict")
    status, out, err = run("hubspot", "emails", "--no-progress")
    assert status == exits.PARTIAL, err
    assert "partial" in out
    assert "crm-sync quarantine list --crm hubspot --entity emails" in err
    assert run("health")[0] == exits.FAILED

    _, out, _ = run("quarantine", "list", "--json")
    entries = json.loads(out)
    assert entries
    assert "record" not in entries[0]
    one = entries[0]["record_id"]
    _, out, _ = run("quarantine", "show", "--id", one)
    assert json.loads(out)[0]["record"]["id"] == one

    assert run("quarantine", "replay", "--entity=emails")[0] == exits.PARTIAL
    environment.setenv("CRM_SYNC_HUBSPOT__EMAILS__MODE", "lenient")
    status, out, err = run("quarantine", "replay", "--crm=hubspot")
    assert status == exits.SUCCESS, err
    assert f"{len(entries)} created" in out
    assert json.loads(run("quarantine", "list", "--json")[1]) == []
    assert run("hubspot", "emails", "--quiet")[0] == exits.SUCCESS
    assert run("health")[0] == exits.SUCCESS


def test_a_refused_token_fails_the_sync_with_a_word_on_what_to_do(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-not-the-right-one")
    status, _, err = run("hubspot", "contacts", "--quiet")
    assert status == exits.FAILED
    assert "check HUBSPOT_TOKEN" in err
    assert "not-the-right-one" not in err
    status, _, err = run("hubspot", "all", "--quiet")
    assert status == exits.FAILED
    assert len(err.strip().splitlines()) == 1


def test_a_warehouse_that_is_not_there_is_named_without_its_password(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", "postgresql://me:hunter22@127.0.0.1:1/x")
    status, _, err = run("hubspot", "contacts", "--quiet")
    assert status == exits.FAILED
    assert "cannot be reached" in err
    assert "CRM_SYNC_WAREHOUSE_URL" in err
    assert "hunter22" not in err


def test_migrate_says_whether_anything_was_done(run: Run) -> None:
    assert "up to date" in run("migrate")[1]


def test_entities_lists_every_table(run: Run) -> None:
    status, out, _ = run("entities", "hubspot")
    assert status == exits.SUCCESS
    assert "hubspot_contact" in out
