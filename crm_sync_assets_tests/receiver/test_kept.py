"""What is kept: encrypted where keys are set, moved to new keys, pruned when it is old, shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from crm_sync_assets.cli import exits, main
from crm_sync_assets.errors import FatalError
from crm_sync_assets.operations.prune import prune
from crm_sync_assets.operations.rotation import outstanding, rotate
from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.encryption import open_vault
from crm_sync_assets_tests.receiver.bench import Serving, event, kept, serving

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
EMAIL = "ann.kowalski@example.com"


def tell(warehouse: Warehouse, *events: dict[str, Any]) -> None:
    with serving(lambda: warehouse) as found:
        assert found.hubspot(*events).status_code == 200


def payloads(warehouse: Warehouse) -> list[str]:
    return [text for (text,) in kept(warehouse, "payload")]


def test_what_was_sent_is_encrypted_and_moved_to_a_new_key(
    secrets: pytest.MonkeyPatch, database_url: str
) -> None:
    plain = Warehouse(database_url)
    told = event(1, propertyName="email", propertyValue=EMAIL)
    tell(plain, told)
    assert EMAIL in payloads(plain)[0]
    old = Warehouse(database_url, [OLD])
    tell(old, {**told, "eventId": 2})
    assert [EMAIL in text for text in payloads(old)] == [True, False]
    assert rotate(old, []).left == 0
    assert not any(EMAIL in text for text in payloads(old))
    both = Warehouse(database_url, [NEW, OLD])
    (place,) = [p for p in outstanding(both, []).places if p.name == "ingestion_webhook_event"]
    assert place.left == 2
    done = rotate(both, [])
    assert len(done.retired) == 1, "nothing is under the old key any more"
    with both.connection() as connection:
        shown = webhook_events.shown(connection, open_vault(connection, [NEW]))
        assert [one.payload["propertyValue"] for one in shown] == [EMAIL, EMAIL]
        with pytest.raises(FatalError, match="CRM_SYNC_ENCRYPTION_KEYS"):
            webhook_events.shown(connection, None)
    tell(both, {**told, "eventId": 3})
    assert not any(EMAIL in text for text in payloads(both))


def test_a_key_is_not_retired_while_an_event_needs_it(
    secrets: pytest.MonkeyPatch, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, both = Warehouse(database_url, [OLD]), Warehouse(database_url, [NEW, OLD])
    tell(old, event(1))
    monkeypatch.setattr(
        "crm_sync_assets.operations.encrypted_places.EncryptedEvents.encrypt", lambda *_: 0
    )
    done = rotate(both, [])
    assert (done.retired, len(done.in_use)) == ([], 1)


def test_a_receiver_that_runs_takes_the_key_that_others_began_with(
    secrets: pytest.MonkeyPatch, database_url: str
) -> None:
    """Its process has no key: it must not go on writing what everybody can read."""
    opened = [Warehouse(database_url)]
    with serving(lambda: opened[-1]) as found:
        assert found.hubspot(event(1)).status_code == 200
        tell(Warehouse(database_url, [OLD]), event(2))
        late = event(3, propertyValue=EMAIL)
        assert found.hubspot(late).status_code == 503
        opened.append(Warehouse(database_url, [OLD]))
        assert found.hubspot(late).status_code == 200
    assert EMAIL not in payloads(opened[0])[-1]
    assert len(payloads(opened[0])) == 3


@pytest.mark.parametrize("dry", [True, False])
def test_what_is_old_goes_and_what_is_pending_stays(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse, dry: bool
) -> None:
    tell(warehouse, *(event(n) for n in range(6)))
    now = datetime.now(UTC)
    ages = {"done": (1, 40), "ignored": (2, 40), "failed": (3, 40), "pending": (4, 40)}
    with warehouse.connection() as connection:
        for status, (number, days) in ages.items():
            at = now - timedelta(days=days)
            connection.execute(
                "UPDATE ingestion_webhook_event SET status = %s, received_at = %s, "
                "processed_at = CASE WHEN %s <> 'pending' THEN %s END WHERE record_id = %s",
                (status, at, status, at, str(number)),
            )
        connection.execute(
            "UPDATE ingestion_webhook_event SET status = 'done', processed_at = %s, "
            "received_at = %s WHERE record_id = '5'",
            (now, now - timedelta(days=40)),
        )
        connection.commit()
        done = prune(connection, {}, before=now - timedelta(days=30), now=now, dry_run=dry)
    assert done.webhook_events == 3
    left = {record for (record,) in kept(warehouse, "record_id")}
    assert left == ({"0", "1", "2", "3", "4", "5"} if dry else {"0", "4", "5"})


def test_events_are_listed_shown_and_replayed(
    receiver: Serving, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhooks", "list"]) == exits.SUCCESS
    assert "nothing of that kind" in capsys.readouterr().out
    receiver.hubspot(event(1, propertyValue=EMAIL), event(2, "deal.creation"))
    receiver.hubspot(body=b"nonsense")
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_webhook_event SET status = 'failed', attempts = 12, "
            "error_message = 'GET /x answered 500' WHERE record_id IN ('1', '2')"
        )
        connection.commit()
    assert main(["webhooks", "list", "--crm=hubspot", "--wide"]) == exits.SUCCESS
    out = capsys.readouterr().out
    assert "contact.propertyChange" in out
    assert "GET /x answered 500" in out
    assert EMAIL not in out
    assert main(["webhooks", "list", "--json", "--entity=contacts"]) == exits.SUCCESS
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["record"], listed["status"], listed["attempts"]) == ("1", "failed", 12)
    assert "payload" not in listed
    assert main(["webhooks", "show", f"--id={listed['id']}"]) == exits.SUCCESS
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["payload"]["propertyValue"] == EMAIL
    assert main(["webhooks", "replay", "--crm=hubspot", "--entity=contacts"]) == exits.SUCCESS
    assert capsys.readouterr().out == "1 events wait to be tried again\n"
    assert main(["webhooks", "replay"]) == exits.SUCCESS
    statuses = kept(warehouse, "status, attempts, entity")
    assert sorted(map(str, statuses)) == [
        "('failed', 0, None)", "('pending', 0, 'contacts')", "('pending', 0, 'deals')"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show", "say which: --id of an event"),
        ("replay --id=7", "no event 7 that could be tried again"),
        ("list --crm=hubspott", "hubspot"),
        ("list --crm=hubspot --entity=contact", "contacts"),
        ("list --status=new", "invalid choice"),
        ("--port=99999", "99999 is no port"),
        ("--workers=0", "not a positive number"),
        ("--workers=33", "--workers: at most 32"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    secrets: pytest.MonkeyPatch,
    warehouse: Warehouse,
    capsys: pytest.CaptureFixture[str],
    words: str,
    said: str,
) -> None:
    assert main(["webhooks", *words.split()]) == exits.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_without_any_secret_nothing_is_received(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhooks"]) == exits.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "hubspot: HUBSPOT_WEBHOOK_SECRET" in line
    environment.setenv("CRM_SYNC_WEBHOOKS_URL", "hooks.example.com")
    environment.setenv("HUBSPOT_WEBHOOK_SECRET", "a-secret-1234")
    assert main(["webhooks"]) == exits.USAGE
    assert "CRM_SYNC_WEBHOOKS_URL cannot be used" in capsys.readouterr().err
