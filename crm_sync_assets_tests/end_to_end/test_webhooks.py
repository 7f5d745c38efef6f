"""From what happens in a CRM to the row: told, received, read; and the truth at the end, whatever
became of the deliveries.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import Unavailable
from crm_sync_assets.operations import webhooks as module
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.operations.turns import Clients, Eager
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import webhooks as hubspot
from crm_sync_assets.sandbox.crms.pipedrive import webhooks as pipedrive
from crm_sync_assets.sandbox.webhooks import Sender
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.pipedrive.truth import wrong
from crm_sync_assets_tests.receiver.bench import SECRETS, Serving, event, serving
from crm_sync_assets_tests.receiver.senders import all_turns
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, differences, entity_differences

TOLD = ("contacts", "companies", "deals", "tickets", "products", "line_items", "appointments",
        "divisions", "genius_users")  # fmt: skip
KINDS = ("contacts", "companies", "deals", "tickets", "products", "line_items", "appointments")


@pytest.fixture
def secrets(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in SECRETS.items():
        environment.setenv(name, value)
    return environment


@pytest.fixture
def receiver(secrets: pytest.MonkeyPatch) -> Iterator[Serving]:
    with serving() as found:
        yield found


@pytest.fixture
def synced(sandbox: Sandbox, secrets: pytest.MonkeyPatch) -> Iterator[HubSpotSyncs]:
    """Everything was synced once."""
    syncs = HubSpotSyncs()
    syncs.all()
    yield syncs
    syncs.close()


@pytest.fixture
def sender(sandbox: Sandbox, receiver: Serving) -> Iterator[Sender]:
    """An app that listens to what happens from now on."""
    url, secret = f"{receiver.url}/webhooks/hubspot", SECRETS["HUBSPOT_WEBHOOK_SECRET"]
    found = hubspot.sender(sandbox.hubspot, url, secret)
    yield found
    found.close()


def states(warehouse: Warehouse) -> dict[str, int]:
    return dict(rows(warehouse, "SELECT status, count(*) FROM ingestion_webhook_event GROUP BY 1"))  # type: ignore[arg-type]


def not_as_told(sandbox: Sandbox, warehouse: Warehouse, names: Sequence[str]) -> list[str]:
    entities = [registry.entity(f"hubspot.{name}") for name in names]
    return [
        f"{entity}: {problem}"
        for entity in entities
        for problem in entity_differences(sandbox, warehouse, entity, True)
    ]


def test_what_is_told_is_the_truth_at_once(
    sandbox: Sandbox, synced: HubSpotSyncs, sender: Sender
) -> None:
    """Edits, deletions, merges, what was purged and restored: told twice, and in no order."""
    marks = [row["watermark"] for row in history(synced.warehouse)]
    sandbox.hubspot.move(120, seed=5, types=KINDS)
    assert not_as_told(sandbox, synced.warehouse, TOLD) != []
    assert sender.send(twice=0.3, shuffle=True) > 1
    taken = all_turns(synced.warehouse)
    assert {one.status for one in taken} == {"success"}
    assert not_as_told(sandbox, synced.warehouse, TOLD) == []
    assert set(states(synced.warehouse)) == {"done"}
    found = history(synced.warehouse)
    assert [row["watermark"] for row in found] == marks + [None] * (len(found) - len(marks))
    assert {row["kind"] for row in found[len(marks) :]} == {"webhook"}


@pytest.mark.parametrize("lost", [0.5, 1.0])
def test_with_deliveries_lost_one_more_delta_brings_the_truth(
    sandbox: Sandbox, synced: HubSpotSyncs, sender: Sender, lost: float
) -> None:
    for turn in range(3):
        sandbox.hubspot.move(40, seed=turn)
        sender.send(lose=lost, twice=0.2, shuffle=True, seed=turn)
        all_turns(synced.warehouse)
    assert sender.lost > 0
    sandbox.clock.advance(900)
    synced.all()
    assert differences(sandbox, synced.warehouse, purges_seen=False) == []


def test_a_link_that_is_told_is_read_from_either_side(
    sandbox: Sandbox, synced: HubSpotSyncs, receiver: Serving
) -> None:
    world, warehouse = sandbox.hubspot, synced.warehouse
    contact = world.create("contacts", {"firstname": "Ann"})
    deals = [world.create("deals", {"dealname": f"Roof {n}"}) for n in range(2)]
    for deal in deals:
        world.associate("contacts", contact, "deals", deal)
    told = [
        event(1, "contact.associationChange", associationType="CONTACT_TO_DEAL",
              fromObjectId=int(contact), toObjectId=int(deals[0])),
        event(2, "deal.associationChange", associationType="DEAL_TO_CONTACT",
              fromObjectId=int(deals[1]), toObjectId=int(contact)),
    ]  # fmt: skip
    assert receiver.hubspot(*told).status_code == 200
    all_turns(warehouse)
    query = (
        "SELECT deal_id FROM hubspot_contact_deal_assoc "
        "WHERE contact_id = %s AND deleted_at IS NULL ORDER BY deal_id"
    )
    assert rows(warehouse, query, contact) == [(deal,) for deal in sorted(deals)]
    world.dissociate("contacts", contact, "deals", deals[0])
    assert receiver.hubspot({**told[0], "eventId": 3}).status_code == 200
    all_turns(warehouse)
    assert rows(warehouse, query, contact) == [(deals[1],)]


def test_signed_with_another_secret_nothing_is_believed(
    sandbox: Sandbox, synced: HubSpotSyncs, receiver: Serving
) -> None:
    url = f"{receiver.url}/webhooks/hubspot"
    for secret, skew in (("another-secret", 0.0), (SECRETS["HUBSPOT_WEBHOOK_SECRET"], -400.0)):
        forger = hubspot.sender(sandbox.hubspot, url, secret, skew)
        sandbox.hubspot.move(5, seed=1, types=KINDS)
        assert forger.send() == 0
        assert dict(forger.answers) == {401: 1}, "and it is not sent again"
        forger.close()
    assert states(synced.warehouse) == {}


def test_what_was_refused_for_want_of_a_warehouse_comes_again(
    sandbox: Sandbox, synced: HubSpotSyncs, secrets: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def later() -> Warehouse:
        asked.append(1)
        if len(asked) < 4:
            raise Unavailable("it is being restarted")
        return synced.warehouse

    with serving(later) as found:
        url, secret = f"{found.url}/webhooks/hubspot", SECRETS["HUBSPOT_WEBHOOK_SECRET"]
        sender = hubspot.sender(sandbox.hubspot, url, secret)
        contact = sandbox.hubspot.create("contacts", {"firstname": "Ann"})
        assert sender.send() == 1
    assert set(sender.answers) == {503, 200}
    all_turns(synced.warehouse)
    query = "SELECT firstname FROM hubspot_contact WHERE id = %s"
    assert rows(synced.warehouse, query, contact) == [("Ann",)]


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_eager_receiver_reads_what_is_told_by_itself(
    sandbox: Sandbox, synced: HubSpotSyncs, sender: Sender
) -> None:
    warehouse = synced.warehouse
    query = "SELECT count(*) FROM hubspot_contact WHERE firstname = 'Eager' AND deleted_at IS NULL"
    with Eager(open_warehouse, Clients()).running():
        contact = sandbox.hubspot.create("contacts", {"firstname": "Eager"})
        sender.send()
        wait_for(lambda: rows(warehouse, query) == [(1,)])
        sandbox.hubspot.archive("contacts", contact)
        sender.send()
        wait_for(lambda: rows(warehouse, query) == [(0,)])
        # A sync meanwhile is not refused.
        assert synced.sync("contacts").status == "success"
    assert set(states(warehouse)) == {"done"}


def test_the_command_reads_what_is_pending(
    sandbox: Sandbox,
    synced: HubSpotSyncs,
    sender: Sender,
    secrets: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["webhooks", "process"]) == exits.SUCCESS
    assert capsys.readouterr().out == "nothing is pending\n"
    sandbox.hubspot.create("contacts", {"firstname": "Ann"})
    sandbox.hubspot.create("deals", {"dealname": "Roof"})
    sender.send()
    assert main(["webhooks", "process"]) == exits.SUCCESS
    out = capsys.readouterr().out
    assert "hubspot.contacts: 1 events: 1 created, 0 updated, 0 unchanged" in out
    assert "hubspot.deals: 1 events: 1 created" in out
    secrets.setenv("HUBSPOT_TOKEN", "pat-na1-wrong-wrong")
    sandbox.hubspot.create("contacts", {"firstname": "Bob"})
    sender.send()
    assert main(["webhooks", "process"]) == exits.FAILED
    assert "HUBSPOT_TOKEN" in capsys.readouterr().err
    assert main(["webhooks", "process"]) == exits.PARTIAL, "it is not due yet"
    told = capsys.readouterr()
    assert (told.out, "1 events are pending still" in told.err) == ("", True)
    assert states(synced.warehouse) == {"done": 2, "pending": 1}


def test_the_command_takes_turns_until_nothing_is_pending(
    sandbox: Sandbox, synced: HubSpotSyncs, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn at one entity ends after a while: here after one record."""
    clock = itertools.count(step=module.LONGEST_SECONDS * 2 / 3)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(module, "AT_ONCE", 1)
    for name in ("Ann", "Bob", "Cid"):
        sandbox.hubspot.create("contacts", {"firstname": name})
    sender.send()
    assert main(["webhooks", "process"]) == exits.SUCCESS
    assert states(synced.warehouse) == {"done": 3}
    assert [row["kind"] for row in history(synced.warehouse)].count("webhook") == 3


def test_an_entity_that_is_switched_off_is_not_read(
    sandbox: Sandbox, synced: HubSpotSyncs, sender: Sender, secrets: pytest.MonkeyPatch
) -> None:
    secrets.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "contacts")
    sandbox.hubspot.create("contacts", {"firstname": "Ann"})
    sender.send()
    assert all_turns(synced.warehouse) == []
    assert states(synced.warehouse) == {"ignored": 1}


def test_pipedrive_tells_the_truth_too(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse, receiver: Serving
) -> None:
    with Sandbox(seed=9, contacts=1, zipcodes=1, pipedrive_deals=40) as sandbox:
        for name, value in sandbox.env().items():
            secrets.setenv(name, value)
        secrets.setenv("CRM_SYNC_PIPEDRIVE__RATE_WINDOWS", "[]")
        names = ("deals", "persons", "organizations", "activities", "products", "leads", "notes")
        for name in names:
            assert main(["pipedrive", name, "--no-progress", "--quiet"]) == exits.SUCCESS
        sender = pipedrive.sender(
            sandbox.pipedrive,
            f"{receiver.url}/webhooks/pipedrive",
            SECRETS["PIPEDRIVE_WEBHOOK_USER"],
            SECRETS["PIPEDRIVE_WEBHOOK_PASSWORD"],
        )
        sandbox.pipedrive.move(80, seed=3)
        assert sender.send(twice=0.2, shuffle=True) >= 80
        assert {one.status for one in all_turns(warehouse)} == {"success"}
        for name in names:
            assert list(wrong(sandbox, warehouse, registry.entity(f"pipedrive.{name}"))) == []
