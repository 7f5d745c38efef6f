"""What a row of SyncHistory is, and why it failed: columns, for old rows and old writers too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import psycopg
import pytest
from psycopg import sql

from crm_sync_assets.cli import exits, main
from crm_sync_assets.engine.trial import trial
from crm_sync_assets.errors import (
    Deferred,
    FatalError,
    Forbidden,
    Reason,
    TransientError,
    Unauthorized,
    Unavailable,
)
from crm_sync_assets.masking import without_excerpts
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse import migrations
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.kinds import REAL, TRIAL, Kind
from crm_sync_assets_tests.conftest import database
from crm_sync_assets_tests.scripted import (
    FILTERING,
    PEOPLE,
    FakeClient,
    history,
    person,
    rows,
    sync,
)
from crm_sync_assets_tests.warehouse.test_history import add

BEFORE = "0003"

OLD_ROWS: list[tuple[dict[str, Any], Kind]] = [
    ({"trial": False, "strategy": "incremental", "max_records": 0}, "sync"),
    ({}, "sync"),
    ({"dry_run": True, "trial": True}, "dry_run"),
    ({"dry_run": True, "max_records": 5, "trial": True}, "dry_run"),
    ({"max_records": 5, "trial": True}, "limited"),
    ({"verify": True, "repair": True, "trial": True}, "verify"),
    ({"refresh": True, "dry_run": True, "trial": True}, "refresh"),
    ({"replay": True, "entries": 3}, "replay"),
    ({"mirrored_event": "sync 3 of run x"}, "mirrored"),
    ({"dry_run": None, "max_records": None, "verify": "no", "replay": 0}, "sync"),
]

OLD_ERRORS: list[tuple[str, Reason]] = [
    ("GET /x answered 401: no. The token was refused: check HUBSPOT_TOKEN.", "auth"),
    ("db refuses the login. Check user and password in GENIUS_DATABASE_URL", "auth"),
    ("HubSpot refused to refresh the OAuth token: no", "auth"),
    ("POST /x answered 403: missing scopes: crm.objects.read", "scope"),
    ("it may not be read. GRANT SELECT ON a.* TO b, or on this table", "scope"),
    ("deferred until 2026-01-01T00:00:00Z: the account's budget is used up", "quota"),
    ("the warehouse refused a batch: could not extend file: No space left [53100]", "system"),
    ("the process of this sync died; the next one resumes from its checkpoint", "system"),
    ("GET /x answered 502; given up after 5 failures in a row.", "system"),
    ("test.people: 20 of 48 live rows would be marked as deleted, more than 10% at once", "data"),
    ("test.people: 60 of 100 records could not be stored, more than 50%", "data"),
    ("cancelled; the next sync resumes from the checkpoint", "cancelled"),
    ("pagination loop: the source gave the cursor 'x' again", "other"),
]


@pytest.fixture
def old(server_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse as the version before left it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS of_the_version_before")
        connection.execute("CREATE DATABASE of_the_version_before")
        warehouse = Warehouse(database(server_url, "of_the_version_before"))
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "HEAD", BEFORE)
            migrations.migrate(warehouse)
        yield warehouse
        warehouse.close()
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier("of_the_version_before"))
        )


def test_rows_of_older_versions_are_told_apart(old: Warehouse) -> None:
    for number, (configuration, _) in enumerate(OLD_ROWS):
        add(old, sync_type=f"e{number}", configuration=configuration)
    add(old, sync_type="outside", endpoint="mirrored", configuration={})
    assert migrations.migrate(old)
    found = dict(rows(old, "SELECT sync_type, kind FROM ingestion_sync_history"))
    assert found.pop("outside") == "mirrored"
    assert found == {f"e{number}": kind for number, (_, kind) in enumerate(OLD_ROWS)}


def test_failures_of_older_versions_get_their_reason(old: Warehouse) -> None:
    for error, _ in OLD_ERRORS:
        add(old, status="failed", error_message=error)
    add(old, status="failed", error_message=None)
    add(old, error_message="answered 401")
    assert migrations.migrate(old)
    found = rows(old, "SELECT error_message, reason FROM ingestion_sync_history ORDER BY id")
    assert found == [*OLD_ERRORS, (None, "other"), ("answered 401", None)]


def test_what_a_source_had_sent_stays_out_of_alerts(old: Warehouse) -> None:
    asked = "test.people: unexpected content, 5 times in a row: GET /x sent"
    advice = ". Check the base URL, and whether …"
    for what in ("text/html, not JSON", "JSON that cannot be read (at byte 3)"):
        add(old, status="failed", error_message=f"{asked} {what}: Dear Jane Doe{advice}")
    add(old, status="failed", error_message="test.people: 5 % of it is not JSON")
    assert migrations.migrate(old)
    found = [
        row[0] for row in rows(old, "SELECT error_message FROM ingestion_sync_history ORDER BY id")
    ]
    assert all("Jane" in message for message in found[:2])
    assert [without_excerpts(message) for message in found] == [
        f"{asked} text/html, not JSON{advice}",
        f"{asked} JSON that cannot be read (at byte 3){advice}",
        "test.people: 5 % of it is not JSON",
    ]


def test_a_process_of_the_version_before_goes_on_writing(old: Warehouse) -> None:
    assert migrations.migrate(old)
    for number, (configuration, _) in enumerate(OLD_ROWS):
        add(old, sync_type=f"e{number}", configuration=configuration)
    add(old, sync_type="last", status="failed", error_message="answered 401")
    found = dict(rows(old, "SELECT sync_type, kind FROM ingestion_sync_history"))
    assert found.pop("last") == "sync"
    assert found == {f"e{number}": kind for number, (_, kind) in enumerate(OLD_ROWS)}


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "webhookk"},
        {"kind": None},
        {"reason": "auth"},
        {"reason": "authh", "status": "failed"},
    ],
    ids=str,
)
def test_the_database_refuses_what_is_in_no_closed_set(
    warehouse: Warehouse, values: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.IntegrityError):
        add(warehouse, **values)


def test_the_database_takes_what_the_code_may_write(warehouse: Warehouse) -> None:
    for kind in get_args(Kind):
        add(warehouse, kind=kind)
    for reason in get_args(Reason):
        add(warehouse, status="failed", reason=reason)
    assert len(history(warehouse)) == len(get_args(Kind)) + len(get_args(Reason))


def test_every_kind_is_real_a_trial_or_a_report_from_outside(warehouse: Warehouse) -> None:
    for kind in get_args(Kind):
        add(warehouse, kind=kind)
    query = "SELECT kind FROM ingestion_sync_history WHERE {} ORDER BY id"
    assert rows(warehouse, query.format(REAL)) == [("sync",)]
    assert [row[0] for row in rows(warehouse, query.format(TRIAL))] == [
        kind for kind in get_args(Kind) if kind not in ("sync", "mirrored")
    ]


def test_each_sync_says_which_kind_it_is(warehouse: Warehouse) -> None:
    client = FakeClient([person(1), person(2)])
    sync(warehouse, client)
    sync(warehouse, client, dry_run=True)
    sync(warehouse, client, max_records=1)
    sync(warehouse, client, max_records=1, dry_run=True)
    sync(warehouse, client, crm=FILTERING, company_id="COM1")
    sync(warehouse, client, crm=FILTERING, company_id="COM1", dry_run=True)
    sync(warehouse, client, crm=FILTERING, company_id="COM1", max_records=1)
    sync(warehouse, client, crm=FILTERING)
    with trial(warehouse, PEOPLE, client, None, kind="verify"):
        pass
    kinds = [
        row[0] for row in rows(warehouse, "SELECT kind FROM ingestion_sync_history ORDER BY id")
    ]
    assert kinds == [
        *("sync", "dry_run", "limited", "dry_run"),
        *("filtered", "dry_run", "limited", "sync", "verify"),
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unauthorized("x"), "auth"),
        (Forbidden("x"), "scope"),
        (Deferred("x", until=datetime.now(UTC) + timedelta(hours=1)), "quota"),
        (TransientError("x"), "system"),
        (OSError(28, "No space left on device"), "system"),
        (KeyboardInterrupt(), "cancelled"),
        (FatalError("answered 401"), "other"),
        (ValueError("answered 401"), "other"),
    ],
    ids=repr,
)
def test_the_class_of_its_error_is_why_a_sync_failed(
    warehouse: Warehouse, error: BaseException, reason: Reason
) -> None:
    def broken(_: int) -> None:
        raise error

    sync(warehouse, FakeClient([person(1)]))
    with pytest.raises(type(error)):
        sync(warehouse, FakeClient([person(1)], before_page=broken))
    row = history(warehouse)[-1]
    assert (row["status"], row["reason"], row["kind"]) == ("failed", reason, "sync")


def test_what_is_stored_too_badly_failed_for_its_data(warehouse: Warehouse) -> None:
    with pytest.raises(FatalError, match="could not be stored"):
        sync(warehouse, FakeClient([{"id": None} for _ in range(20)]))
    (row,) = history(warehouse)
    assert row["reason"] == "data"


def test_a_success_has_no_reason(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    (row,) = history(warehouse)
    assert (row["kind"], row["reason"]) == ("sync", None)


def test_what_the_dead_left_failed_for_the_machine(warehouse: Warehouse) -> None:
    add(warehouse, status="running", end_time=None)
    add(
        warehouse,
        status="running",
        end_time=None,
        sync_type="things",
        configuration={"lock": "test.things"},
    )
    with warehouse.connection() as connection:
        sync_history.lock(connection, PEOPLE)
        assert len(sync_history.reap(connection)) == 1
    assert {(row["status"], row["reason"]) for row in history(warehouse)} == {("failed", "system")}


def test_a_warehouse_of_the_version_before_is_told_to_be_migrated(
    old: Warehouse, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", old.url)
    assert main(["history"]) == exits.FAILED
    assert "run `crm-sync migrate` first" in capsys.readouterr().err
    with pytest.raises(Unavailable, match="crm-sync migrate"):
        sync(old, FakeClient([person(1)]))
