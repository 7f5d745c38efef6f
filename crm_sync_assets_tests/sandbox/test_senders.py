"""Each CRM tells of changes in a form of its own, sends again what failed as it does, and gives an
address up as it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.arrivy import webhooks as arrivy
from crm_sync_assets.sandbox.crms.callrail import webhooks as callrail
from crm_sync_assets.sandbox.crms.hubspot import webhooks as hubspot
from crm_sync_assets.sandbox.crms.leadconduit import webhooks as leadconduit
from crm_sync_assets.sandbox.crms.pipedrive import webhooks as pipedrive
from crm_sync_assets.sandbox.crms.salesrabbit import webhooks as salesrabbit
from crm_sync_assets.sandbox.webhooks import Sender
from crm_sync_assets_tests.sandbox.sink import Sink

NUMBERS = count()
NAMES = ("arrivy", "callrail", "hubspot", "leadconduit", "pipedrive", "salesrabbit")


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(
        seed=3,
        contacts=30,
        zipcodes=1,
        pipedrive_deals=10,
        callrail_calls=12,
        callrail_accounts=1,
        callrail_others=8,
        arrivy_tasks=12,
        arrivy_others=4,
        salesrabbit_leads=12,
        salesrabbit_users=3,
        leadconduit_leads=8,
    ) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    running.clock.freeze()
    return running


def sender_of(name: str, sandbox: Sandbox, url: str) -> Sender:
    """The one of a CRM, with a secret that is `secret`."""
    world = getattr(sandbox, name)
    made = {
        "arrivy": arrivy.sender,
        "callrail": callrail.sender,
        "hubspot": hubspot.sender,
        "leadconduit": leadconduit.sender,
        "salesrabbit": salesrabbit.sender,
    }
    if name == "pipedrive":
        return pipedrive.sender(world, url, "me", "secret")
    return made[name](world, url, "secret")


def happen(name: str, sandbox: Sandbox, times: int) -> None:
    """So many changes that are each told in one delivery."""
    world = getattr(sandbox, name)
    for n in range(times):
        if name == "arrivy":
            world.book()
        elif name == "callrail":
            world.begin_call(direction="outbound")
        elif name == "leadconduit":
            world.submit({"first_name": f"Ann {n}"})
        elif name == "pipedrive":
            world.create("deals", {"title": f"Roof {n}"})
        elif name == "salesrabbit":
            world.create("leads", {"firstName": f"Ann {n}"})
        else:
            world.bulk_touch("contacts", count=1, properties={"firstname": f"Ann {next(NUMBERS)}"})


@pytest.fixture(params=NAMES)
def sender(request: pytest.FixtureRequest, sandbox: Sandbox, sink: Sink) -> Iterator[Sender]:
    if request.param == "leadconduit":
        sink.body = b'{"outcome": "success"}'
    found = sender_of(request.param, sandbox, sink.url)
    yield found
    found.close()


@pytest.fixture
def name(request: pytest.FixtureRequest, sender: Sender) -> str:
    return str(request.node.callspec.params["sender"])


# What every sender does


def test_what_was_lost_is_sent_no_more_and_what_comes_twice_is_the_same(
    sandbox: Sandbox, sink: Sink, sender: Sender, name: str
) -> None:
    for _ in range(30):
        happen(name, sandbox, 1)
        sender.send(lose=0.5, twice=1.0, seed=len(sink.seen))
    assert 0 < sender.lost < 60
    assert len(sink.seen) == 60 - sender.lost
    assert (sender.send(), sender.held) == (0, 0)
    sink.seen.clear()
    happen(name, sandbox, 1)
    assert sender.send(twice=1.0) == 2
    one, other = sink.told
    assert one == other


def test_what_is_late_comes_with_the_next_ones_and_in_any_order(
    sandbox: Sandbox, sink: Sink, sender: Sender, name: str
) -> None:
    for _ in range(20):
        happen(name, sandbox, 1)
        sender.send(late=1.0)
    assert sender.held == 1, "what is late once is not late again"
    assert len(sink.seen) == 19
    assert sender.send(shuffle=True) == 1
    told = [json.dumps(one) for one in sink.told]
    assert len(set(told)) == len(told)


def test_it_sends_again_after_the_pauses_that_it_makes(
    sandbox: Sandbox, sink: Sink, sender: Sender, name: str
) -> None:
    """With a clock that is moved: nothing is sent before it is due."""
    pauses = {
        "arrivy": [60, 600, 2_400],
        "hubspot": [120, 250, 520, 1_100, 2_300, 4_800, 10_000, 21_000, 45_000],
        "pipedrive": [3, 30, 150],
    }.get(name, [])
    sink.statuses = [503] * 20
    happen(name, sandbox, 1)
    sender.send(at_once=False)
    for attempt, seconds in enumerate(pauses, 1):
        assert len(sink.seen) == attempt
        sandbox.clock.advance(seconds - 1)
        sender.send(at_once=False)
        assert len(sink.seen) == attempt, "too early"
        sandbox.clock.advance(1)
        sender.send(at_once=False)
    sandbox.clock.advance(86_400)
    sender.send(at_once=False)
    assert [one.attempt for one in sender.sent] == list(range(len(pauses) + 1))
    began = sender.sent[0].at
    waited = [sum(pauses[:n]) for n in range(len(pauses) + 1)]
    assert [(one.at - began) / 1000 for one in sender.sent] == waited
    assert (sender.lost, sender.held) == (1, 0)
    assert sum(pauses) < 86_400
    sink.seen.clear()
    sink.statuses = [503] * 20
    happen(name, sandbox, 1)
    sender.send()
    assert len(sink.seen) == len(pauses) + 1, "or at once, as if they had passed"


def test_a_burst_tells_of_what_has_not_changed(sandbox: Sandbox, sink: Sink) -> None:
    deals = sandbox.pipedrive.ids("deals")
    sender = sender_of("pipedrive", sandbox, sink.url)
    assert sender.burst("deals", 7, ["title"]) == 7
    assert sender.send() == 7
    assert [one["meta"]["entity_id"] for one in sink.told] == deals[:7]
    sender.close()


# What only one does


def test_pipedrive_bans_an_address_and_then_forgets_it(sandbox: Sandbox, sink: Sink) -> None:
    sender = sender_of("pipedrive", sandbox, sink.url)
    for turn in range(9):
        sink.statuses = [500, 200]
        happen("pipedrive", sandbox, 1)
        assert (sender.send(), sender.state) == (1, "on"), turn
    sink.statuses = [500, 200]
    happen("pipedrive", sandbox, 1)
    assert (sender.send(), sender.state) == (1, "banned"), "what was begun is tried to its end"
    happen("pipedrive", sandbox, 2)
    sandbox.clock.advance(1_799)
    seen = len(sink.seen)
    assert (sender.send(), sender.lost, len(sink.seen)) == (0, 2, seen)
    sandbox.clock.advance(1)
    assert sender.state == "on"
    happen("pipedrive", sandbox, 1)
    assert sender.send() == 1
    sink.statuses = [500] * 100
    for _ in range(4):
        assert sender.state != "deleted"
        happen("pipedrive", sandbox, 1)
        sender.send()
        sandbox.clock.advance(86_400)
    assert sender.state == "deleted"
    sink.statuses.clear()
    happen("pipedrive", sandbox, 1)
    assert sender.send() == 0
    sender.switch_on()
    happen("pipedrive", sandbox, 1)
    assert sender.send() == 1
    sender.close()


def test_callrail_switches_off_what_fails_again_and_again(sandbox: Sandbox, sink: Sink) -> None:
    sender = sender_of("callrail", sandbox, sink.url)
    sink.statuses = [500, 500, 500, 500, 200, 503, 503, 503, 503, 503]
    happen("callrail", sandbox, 5)
    assert (sender.send(), sender.state) == (1, "on"), "one that arrives makes up for those before"
    happen("callrail", sandbox, 6)
    assert (sender.send(), sender.state) == (0, "off")
    assert (len(sink.seen), sender.lost) == (10, 10)
    sandbox.clock.advance(30 * 86_400)
    assert sender.state == "off"
    sender.switch_on()
    happen("callrail", sandbox, 1)
    assert sender.send() == 1
    sender.close()


def test_callrail_tells_each_event_at_an_address_of_its_own(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.callrail
    sender = sender_of("callrail", sandbox, sink.url)
    calls, talk = world.ids("calls"), world.ids("conversations")[0]
    new = world.begin_call(direction="inbound")
    world.edit("calls", new, {"note": "Roof", "value": "$1.00", "lead_status": "good_lead"})
    world.edit("calls", new, {"lead_status": None})
    world.edit("calls", new, {"direction": "outbound"})
    world.edit("calls", new, {"note": None})
    world.say(talk, "Hello")
    world.say(talk, "Bye", "outgoing")
    form = world.create("form_submissions", {"note": "Quote"})
    world.spam(calls[0])
    sender.send()
    wanted = ["pre_call", "post_call", "call_modified", "outbound_call_modified", "text_received",
              "text_sent", "form_submission"]  # fmt: skip
    assert sink.paths == [f"/hook/{topic}" for topic in wanted]
    before, after, modified, outbound, text, reply, submitted = sink.told
    assert (before["answered"], before["call_type"], before["duration"]) == (False, "missed", 0)
    assert after["duration"] == world.get("calls", new)["properties"]["duration"]
    assert {one["resource_id"] for one in (before, after, modified, outbound)} == {new}
    assert sorted(modified["changes"]) == ["note", "value"]
    assert outbound["changes"] == ["note"]
    assert modified["timestamp"] == after["timestamp"], "that of the call"
    assert (text["content"], reply["content"]) == ("Hello", "Bye")
    assert text["thread_resource_id"] == talk
    assert submitted["resource_id"] == form
    assert not [name for one in sink.told for name in one if name.startswith("_")]
    for headers, body in sink.seen:
        assert headers["signature"] == callrail.signature("secret", body)
    sender.close()


def test_arrivy_tells_what_became_of_a_task(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.arrivy
    sender = sender_of("arrivy", sandbox, sink.url)
    task = world.book()
    world.set_status(task, "CUSTOM", "Demo Sold")
    world.plan(task, sandbox.clock.now())
    world.edit("tasks", task, {"details": "Ring twice"})
    world.edit("tasks", task, {"rating": 5})
    world.edit("tasks", task, {"crew_ids": [1]})
    world.purge("tasks", task)
    world.edit("bookings", world.ids("bookings")[0], {"name": "x"})
    assert sender.send() == 6
    told: list[dict[str, Any]] = sink.told
    assert [one["EVENT_TYPE"] for one in told] == [
        "TASK_CREATED", "TASK_STATUS", "TASK_RESCHEDULED", "TASK_RATING", "CREW_ASSIGNED",
        "TASK_DELETED",
    ]  # fmt: skip
    assert {one["OBJECT_ID"] for one in told} == {int(task)}
    assert told[1]["EVENT_SUB_TYPE"] == "CUSTOM"
    assert told[0]["EVENT_TIME"][-6:] in ("-04:00", "-05:00")
    assert len({one["EVENT_ID"] for one in told}) == 6
    assert {headers["x-webhook-token"] for headers, _ in sink.seen} == {"secret"}
    sender.close()


def test_salesrabbit_tells_of_a_lead_and_not_that_it_is_gone(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.salesrabbit
    sender = sender_of("salesrabbit", sandbox, sink.url)
    other = salesrabbit.sender(world, sink.url, "secret", "X-Webhook-Token")
    lead = world.create("leads", {"firstName": "Ann"})
    world.set_status(lead, "Sold")
    world.edit("leads", lead, {"customFields": {"roofAge": "9"}})
    world.archive("leads", lead)
    world.restore("leads", lead)
    world.edit("users", world.ids("users")[0], {"firstName": "Bob"})
    assert sender.send() == 4
    assert sink.paths == ["/hook?token=secret"] * 4
    assert {one["leadId"] for one in sink.told} == {int(lead)}
    assert sink.told[1]["leadMetaData"]["status"] == "Sold"
    assert [one["formData"] for one in sink.told] == [{}, {}, {"roofAge": "9"}, {}]
    sink.seen.clear()
    assert other.send() == 4
    assert {headers["x-webhook-token"] for headers, _ in sink.seen} == {"secret"}
    assert sink.paths[-1] == "/hook"
    for one in (sender, other):
        one.close()


def test_leadconduit_reads_what_is_answered(sandbox: Sandbox, sink: Sink) -> None:
    world = sandbox.leadconduit
    world.ids()
    sender = sender_of("leadconduit", sandbox, sink.url)
    lead = world.submit({"first_name": "Ann", "email": {"normal": "a@example.com", "raw": "A"}})
    world.feedback(lead, "failure", "sold")
    world.deliver(lead)
    world.ping()
    for body in (b"", b'{"outcome": "failure"}', b"[]"):
        sink.body = body
        world.retry(lead, {"first_name": "Bob"})
        assert sender.send() == 0
    sink.body = b'{"outcome": "success"}'
    world.retry(lead, {"first_name": "Cid"})
    assert sender.send() == 1
    assert [one["first_name"] for one in sink.told] == ["Ann", "Bob", "Bob", "Bob", "Cid"]
    assert {one["lead_id"] for one in sink.told} == {lead}
    assert sink.told[0]["email"] == "a@example.com"
    assert {headers["x-webhook-token"] for headers, _ in sink.seen} == {"secret"}
    sender.close()


def test_signatures_are_those_of_the_documentation() -> None:
    body = b'{"id":"CAL0123","timestamp":"2024-04-12T13:12:44.767Z"}'
    assert (
        callrail.signature("072e77e426f92738a72fe23c4d1953b4", body)
        == "2o+c+wbVk1gXOo00ux2veryGXjs="
    )
    events = [{"eventId": 1, "subscriptionType": "contact.creation", "portalId": 99,
               "objectId": 42, "occurredAt": 1711929600000}]  # fmt: skip
    body = json.dumps(events, separators=(",", ":")).encode()
    secret = "11111111-2222-3333-4444-555555555555"
    right = "uxkIYlwG7Fvhz91ukSAjNC5pxvVKeUpvHCBdUyhkrWU="
    for url in ("webhooks/hubspot?src=hs", "webhooks%2fhubspot%3Fsrc=hs"):
        told = hubspot.signature(secret, f"https://hooks.example.com/{url}", body, "1711929601000")
        assert told == right
