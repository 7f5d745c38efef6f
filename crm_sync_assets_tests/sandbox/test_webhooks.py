"""The sandbox tells of changes as the CRMs do, and loses and repeats deliveries on demand."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import webhooks as hubspot
from crm_sync_assets.sandbox.crms.pipedrive import webhooks as pipedrive
from crm_sync_assets_tests.sandbox.sink import Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=3, contacts=80, zipcodes=1, pipedrive_deals=10) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def test_hubspot_signs_an_array_of_what_happened(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.hubspot
    sender = hubspot.sender(world, sink.url, "secret")
    one, other = world.ids("contacts")[:2]
    new = world.create("contacts", {"firstname": "Ann"})
    world.edit("contacts", one, {"firstname": "Bob", "lastname": None})
    world.archive("contacts", new)
    world.restore("contacts", new)
    survivor = world.merge("contacts", one, other)
    world.purge("contacts", new)
    assert sender.send() == 1
    ((headers, body),) = sink.seen
    stamp = headers["x-hubspot-request-timestamp"]
    text = b"POST" + sink.url.encode() + body + stamp.encode()
    right = base64.b64encode(hmac.digest(b"secret", text, hashlib.sha256)).decode()
    assert headers["x-hubspot-signature-v3"] == right
    (told,) = sink.told
    assert {(e["subscriptionType"], str(e["objectId"]), e.get("propertyName")) for e in told} == {
        ("contact.creation", new, None),
        ("contact.propertyChange", one, "firstname"),
        ("contact.propertyChange", one, "lastname"),
        ("contact.deletion", new, None),
        ("contact.restore", new, None),
        ("contact.merge", survivor, None),
        ("contact.creation", survivor, None),
        ("contact.privacyDeletion", new, None),
    }
    merges = [e["mergedObjectIds"] for e in told if "mergedObjectIds" in e]
    assert merges == [[int(one)], [int(other)]]
    sender.close()
    world.edit("contacts", survivor, {"firstname": "Cy"})
    assert sender.send() == 0


def test_a_delivery_that_fails_comes_again_as_it_was(sandbox: Sandbox, sink: Sink) -> None:
    sender = hubspot.sender(sandbox.hubspot, sink.url, "secret")
    sandbox.hubspot.create("deals", {"dealname": "Roof"})
    sink.statuses = [503, 429, 200]
    assert sender.send() == 1
    first, second, third = (one[0] for one in sink.told)
    assert [e["attemptNumber"] for e in (first, second, third)] == [0, 1, 2]
    assert first["eventId"] == third["eventId"]
    sandbox.hubspot.create("deals", {"dealname": "Gutter"})
    sink.statuses = [401]
    assert sender.send() == 0, "400 to 405 are the last word"
    assert sender.lost == 1
    sender.close()


def test_more_than_a_hundred_changes_are_several_deliveries(sandbox: Sandbox, sink: Sink) -> None:
    sender = hubspot.sender(sandbox.hubspot, sink.url, "secret")
    for n in range(250):
        sandbox.hubspot.create("deals", {"dealname": f"Roof {n}"})
    assert sender.send() == 3
    assert [len(one) for one in sink.told] == [100, 100, 50]
    sender.close()


def test_pipedrive_tells_one_change_with_a_password(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.pipedrive
    sender = pipedrive.sender(world, sink.url, "me", "secret")
    deal = world.create("deals", {"title": "Roof"})
    world.edit("deals", deal, {"title": "Gutter"})
    world.archive("deals", deal)
    sink.statuses = [500, 401, 500, 500]
    assert sender.send() == 2, "four attempts, then it is lost"
    metas = [one["meta"] for one in sink.told]
    assert [m["attempt"] for m in metas] == [1, 2, 3, 4, 1, 1]
    assert [m["action"] for m in metas[3:]] == ["create", "change", "delete"]
    assert {(m["entity"], m["entity_id"]) for m in metas} == {("deal", deal)}
    assert len({m["id"] for m in metas}) == 3
    assert [one["data"] is None for one in sink.told[3:]] == [False, False, True]
    wanted = base64.b64encode(b"me:secret").decode()
    assert {headers["authorization"] for headers, _ in sink.seen} == {f"Basic {wanted}"}
    sender.close()


def test_deliveries_are_lost_repeated_and_shuffled_on_demand(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.pipedrive
    sender = pipedrive.sender(world, sink.url, "me", "secret")
    deals = [world.create("deals", {"title": f"Roof {n}"}) for n in range(40)]
    assert sender.waiting == 40
    assert sender.send(twice=1.0, shuffle=True) == 80
    ids = [one["meta"]["entity_id"] for one in sink.told]
    assert sorted(ids) == sorted([*deals, *deals])
    assert ids[:40] != deals
    for deal in deals:
        world.edit("deals", deal, {"title": "x"})
    assert 5 < sender.send(lose=0.5) < 35
    assert sender.send() == 0
    sender.close()
