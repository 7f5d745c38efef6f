"""What is proven is kept once, and answered after its commit; all else is refused."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crm_sync_assets.errors import Unavailable
from crm_sync_assets.receiver import app as app_module
from crm_sync_assets.receiver import writer
from crm_sync_assets.receiver.bodies import Bodies
from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.receiver.bench import SECRETS, Serving, event, hubspot, kept, serving

PIPEDRIVE = (SECRETS["PIPEDRIVE_WEBHOOK_USER"], SECRETS["PIPEDRIVE_WEBHOOK_PASSWORD"])


def deal(number: int, action: str = "change", **meta: Any) -> dict[str, Any]:
    """A delivery of Pipedrive's."""
    return {
        "data": None if action == "delete" else {"id": number, "title": "Whitfield siding"},
        "previous": {"stage_id": 2},
        "meta": {
            "action": action,
            "entity": "deal",
            "entity_id": str(number),
            "id": f"4f8e2a10-{action}-{number}",
            "timestamp": "2024-04-12T13:12:44.767Z",
            "version": "2.0",
            **meta,
        },
    }


def test_every_event_of_a_delivery_is_kept_with_what_it_says(
    receiver: Serving, warehouse: Warehouse
) -> None:
    told = [
        event(1),
        event(2, "company.creation"),
        event(3, "deal.deletion", changeFlag="DELETED"),
        event(4, "object.propertyChange", objectTypeId="0-421"),
        event(5, "contact.merge", primaryObjectId=7, mergedObjectIds=[8, 9], newObjectId=10),
        event(6, "contact.associationChange", associationType="DEAL_TO_CONTACT",
              fromObjectId=20, toObjectId=30, associationRemoved=True),
        event(7, "contact.associationChange", associationType="CONTACT_TO_TICKET",
              fromObjectId=20, toObjectId=30),
        event(8, "contact.somethingNew"),
        event(9, "invoice.creation"),
        event(10, "contact.creation", objectId=None),
    ]  # fmt: skip
    assert receiver.hubspot(*told).status_code == 200
    found = kept(warehouse, "event_type, entity, record_id, happened, status, error_message")
    assert len(found) == 13
    assert set(found) == {
        ("company.creation", "companies", "2", "created", "pending", None),
        ("contact.associationChange", None, None, "linked", "ignored",
         "no entity keeps links of this type"),
        ("contact.associationChange", "associations_contact_deal", "30/20", "linked", "pending",
         None),
        ("contact.creation", None, None, "created", "ignored",
         "it names no record that there could be"),
        *(("contact.merge", "contacts", str(n), "merged", "pending", None) for n in (10, 7, 8, 9)),
        ("contact.propertyChange", "contacts", "1", "changed", "pending", None),
        ("contact.somethingNew", None, None, "changed", "ignored",
         "nothing is done about events of this type"),
        ("deal.deletion", "deals", "3", "deleted", "pending", None),
        ("invoice.creation", None, "9", "created", "ignored",
         "no entity keeps objects of this type"),
        ("object.propertyChange", "appointments", "4", "changed", "pending", None),
    }  # fmt: skip
    ((payload, at, headers),) = kept(warehouse, "payload, occurred_at, headers")[:1]
    assert json.loads(payload) in told
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert "x-hubspot-request-timestamp" in headers
    assert not any("signature" in name for name in headers)


def test_what_is_told_again_is_kept_once(receiver: Serving, warehouse: Warehouse) -> None:
    first = [event(n) for n in range(50)]
    again = [{**one, "attemptNumber": 1} for one in first[::-1]]
    for told in (first, again, first + first):
        assert receiver.hubspot(*told).status_code == 200
    assert len(kept(warehouse)) == 50
    assert receiver.receiver._writer.new == 50


def test_many_at_once_are_kept_in_few_transactions(
    receiver: Serving, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries that overlap in all orders wait for each other, and nobody locks anybody."""
    groups: list[int] = []
    store = receiver.receiver._writer._store

    def counted(received: Any) -> int:
        groups.append(len(received))
        time.sleep(0.02)
        return store(received)

    monkeypatch.setattr(receiver.receiver._writer, "_store", counted)
    told = [event(n) for n in range(40)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda n: receiver.hubspot(*told[n % 7 :], *told[: n % 7]), range(60))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len(kept(warehouse)) == 40
    assert len(groups) < 40, "those that arrive while one is stored are stored together"


def test_pipedrive_and_callrail_are_proven_their_own_way(
    receiver: Serving, warehouse: Warehouse
) -> None:
    for told in (deal(1024), deal(1025, "delete"), deal(1, entity="board"), deal(2, "archive")):
        answer = receiver.post("/webhooks/pipedrive", json=told, auth=PIPEDRIVE)
        assert answer.status_code == 200
    old = {"v": 1, "event": "updated.deal", "current": {"id": 5}, "previous": {},
           "meta": {"action": "updated", "object": "deal", "id": 5}}  # fmt: skip
    assert receiver.post("/webhooks/pipedrive", json=old, auth=PIPEDRIVE).status_code == 200
    found = kept(warehouse, "event_type, entity, record_id, happened, status")
    assert found == [
        ("deal.change", "deals", "1024", "changed", "pending"),
        ("deal.delete", "deals", "1025", "deleted", "pending"),
        ("board.change", None, None, "changed", "ignored"),
        ("deal.archive", None, None, "changed", "ignored"),
        ("deal.updated", "deals", "5", "changed", "pending"),
    ]
    with serving(now=lambda: datetime(2024, 4, 12, 14, tzinfo=UTC)) as then:
        body = b'{"id":"CAL0123","timestamp":"2024-04-12T13:12:44.767Z"}'
        headers = {
            "Signature": "2o+c+wbVk1gXOo00ux2veryGXjs=",
            "Content-Type": "application/json; charset=utf-8",
        }
        for topic in ("post_call", "call_modified", "pre_call", "text_received"):
            answer = then.post(f"/webhooks/callrail/{topic}", content=body, headers=headers)
            assert answer.status_code == 200, topic
        for path in ("callrail", "callrail/unknown", "hubspot/post_call"):
            assert then.post(f"/webhooks/{path}", content=body, headers=headers).status_code == 404
    assert kept(warehouse, "event_type, entity, record_id, happened, status")[5:] == [
        ("post_call", "calls", "CAL0123", "created", "pending"),
        ("call_modified", "calls", "CAL0123", "changed", "pending"),
        ("pre_call", None, None, "created", "ignored"),
        ("text_received", "text_messages", None, "created", "pending"),
    ]


def test_each_edit_of_a_call_is_kept_however_old_the_call_is(
    receiver: Serving, warehouse: Warehouse
) -> None:
    """The timestamp is the call's own, the same in all that is told of it, and a tag that was taken
    away and given again makes the same words.
    """

    def modified(*tags: str) -> bytes:
        told = {"resource_id": "CAL1", "timestamp": "2024-04-12T13:12:44.767Z",
                "changes": ["tags"], "tags": tags}  # fmt: skip
        return json.dumps(told).encode()

    for body in (modified("new"), modified("new"), modified("new", "won")):
        signed = hmac.digest(SECRETS["CALLRAIL_WEBHOOK_KEY"].encode(), body, "sha1")
        headers = {"Signature": base64.b64encode(signed).decode()}
        answer = receiver.post("/webhooks/callrail/call_modified", content=body, headers=headers)
        assert answer.status_code == 200
    assert kept(warehouse, "record_id, status") == [("CAL1", "pending")] * 3


TASK = {
    "EVENT_ID": 4925812092436481,
    "EVENT_TYPE": "TASK_STATUS",
    "EVENT_SUB_TYPE": "COMPLETE",
    "EVENT_TIME": "2024-04-12T14:55:10-04:00",
    "OBJECT_ID": 5741255437975552,
    "OBJECT_TYPE": "TASK",
}
LEAD = {
    "leadId": 123456789,
    "formData": {"Roof age": "12"},
    "leadMetaData": {"status": "Set", "dateModified": "2024-04-12T13:12:45+00:00"},
}


@pytest.mark.parametrize(
    ("crm", "told", "found"),
    [
        ("arrivy", TASK, ("TASK_STATUS", "tasks", "5741255437975552", "changed", "pending")),
        (
            "arrivy",
            {**TASK, "EVENT_TYPE": "TASK_DELETED"},
            ("TASK_DELETED", "tasks", "5741255437975552", "deleted", "pending"),
        ),
        (
            "arrivy",
            {**TASK, "EVENT_TYPE": "LATE", "OBJECT_TYPE": None, "OBJECT_ID": 1},
            ("LATE", None, "1", "changed", "ignored"),
        ),
        (
            "arrivy",
            {**TASK, "EVENT_TYPE": "SOMETHING_NEW"},
            ("SOMETHING_NEW", "tasks", "5741255437975552", "changed", "pending"),
        ),
        ("salesrabbit", LEAD, ("form", "leads", "123456789", "changed", "pending")),
        ("salesrabbit", {"leadId": None}, ("lead", None, None, "changed", "ignored")),
        (
            "leadconduit",
            {"lead_id": "5f3a", "event_time": "2024-04-12T13:12:45Z", "email": "a@example.com"},
            ("lead", "leads", None, "created", "pending"),
        ),
    ],
)
def test_senders_that_sign_nothing_send_a_token_along(
    receiver: Serving,
    warehouse: Warehouse,
    crm: str,
    told: dict[str, Any],
    found: tuple[str | None, ...],
) -> None:
    path, token = f"/webhooks/{crm}", SECRETS[f"{crm.upper()}_WEBHOOK_TOKEN"]
    assert receiver.post(path, json=told).status_code == 401
    assert receiver.post(path, json=told, headers={"X-Webhook-Token": "x"}).status_code == 401
    assert kept(warehouse) == []
    for _ in range(2):
        answer = receiver.post(path, json=told, headers={"X-Webhook-Token": token})
        assert answer.status_code == 200
        assert answer.text == ('{"outcome":"success"}' if crm == "leadconduit" else "")
    rows = kept(warehouse, "event_type, entity, record_id, happened, status")
    # Who gives its events no numbers may mean another one with the same words.
    assert rows == [found] * (2 if crm == "salesrabbit" else 1)
    in_address = receiver.post(f"{path}?token={token}", json=told)
    assert in_address.status_code == (200 if crm == "salesrabbit" else 401)


def test_what_is_not_proven_leaves_nothing(receiver: Serving, warehouse: Warehouse) -> None:
    assert receiver.hubspot(event(1), secret="another-secret").status_code == 401
    assert receiver.hubspot(event(1), at=time.time() - 301).status_code == 401
    assert receiver.hubspot(event(1), seen_as=f"{receiver.url}/webhooks/x").status_code == 401
    answer = receiver.post("/webhooks/pipedrive", json=deal(1), auth=("acme", "wrong"))
    assert answer.status_code == 401
    assert receiver.post("/webhooks/pipedrive", content=b"\x00", auth=None).status_code == 401
    assert kept(warehouse) == []
    assert receiver.receiver.answered == {("hubspot", 401): 3, ("pipedrive", 401): 2}


def test_other_requests_are_refused_by_what_they_are(
    receiver: Serving, warehouse: Warehouse
) -> None:
    client = receiver.client
    assert client.get("/webhooks/hubspot").status_code == 405
    assert client.put("/webhooks/hubspot", content=b"[]").status_code == 405
    assert client.post("/health").status_code == 405
    unknown = "/ /webhooks /webhooks/ /webhooks/nobody /webhooks/genius /webhooks/hubspot/"
    for path in (*unknown.split(), "/webhooks/hubspot/x/y", "/webhooks/%2e%2e/hubspot"):
        assert client.post(path, content=b"[]").status_code == 404, path
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = client.post(
            "/webhooks/pipedrive", content=b"{}", headers={"Content-Type": kind}, auth=PIPEDRIVE
        )
        assert answer.status_code == 415, kind
    large = b"[" + b" " * 1_048_576 + b"]"
    assert receiver.hubspot(body=large).status_code == 413
    chunks = (large[at : at + 65_536] for at in range(0, len(large), 65_536))
    answer = client.post("/webhooks/pipedrive", content=chunks, auth=PIPEDRIVE)
    assert answer.status_code == 413
    assert receiver.hubspot(body=large[1:-1]).status_code == 200, "a body of the most bytes"
    assert receiver.receiver._bodies.held == 0
    assert kept(warehouse, "status") == [("failed",)], "what is no JSON"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"{}",
        b"[1]",
        b"[null]",
        b'[{"eventId":1}]',
        b'[{"eventId":1,"subscriptionType":"contact.creation","occurredAt":"soon"}]',
        b'[{"eventId":1,"subscriptionType":"contact.creation","occurredAt":1e300}]',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[" + b"9" * 5_000 + b"]",
        b'"\\ud800"',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_proven_and_cannot_be_read_is_kept_and_answered(
    receiver: Serving, warehouse: Warehouse, body: bytes
) -> None:
    """To send it again would not help, and somebody must see it."""
    for _ in range(2):
        assert receiver.hubspot(body=body).status_code == 200
    ((status, why, payload),) = kept(warehouse, "status, error_message, payload")
    assert status == "failed"
    assert why.startswith("it cannot be read (")
    try:
        (told,) = read if isinstance(read := json.loads(body), list) else [read]
    except (ValueError, RecursionError):
        told = body.decode("utf-8", "backslashreplace")
    assert json.loads(payload) == told


def test_an_odd_event_keeps_out_no_other_of_its_delivery(
    receiver: Serving, warehouse: Warehouse
) -> None:
    odd = [{"eventId": 1}, None, "x", {**event(7), "occurredAt": 1e300}]
    assert receiver.hubspot(event(1), *odd, event(2)).status_code == 200  # type: ignore[arg-type]
    states = [state for (state,) in kept(warehouse, "status")]
    assert sorted(states) == ["failed"] * 4 + ["pending"] * 2


def test_odd_values_are_kept_as_they_can_be(receiver: Serving, warehouse: Warehouse) -> None:
    odd = {
        "eventId": "e" * 500,
        "subscriptionType": "contact.\x00creation\ud800" + "x" * 300,
        "objectId": "../../etc",
        "deep": json.loads("[" * 200 + "]" * 200),
    }
    assert receiver.hubspot(odd, event(2, objectId=10**30)).status_code == 200
    assert receiver.hubspot(event(3, objectId="1\x00")).status_code == 200
    assert receiver.hubspot(event(4, objectId=True)).status_code == 200
    statuses = [status for (status,) in kept(warehouse, "status")]
    assert sorted(statuses) == ["ignored", "ignored", "ignored", "pending"]


def test_without_its_secret_a_sender_is_told_to_come_again(
    receiver: Serving, warehouse: Warehouse, secrets: pytest.MonkeyPatch
) -> None:
    secrets.delenv("HUBSPOT_WEBHOOK_SECRET")
    with serving() as bare:
        answer = bare.hubspot(event(1), secret="")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "600")
    assert kept(warehouse) == []


def test_a_secret_may_come_from_a_file(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse, tmp_path: Any
) -> None:
    secrets.delenv("HUBSPOT_WEBHOOK_SECRET")
    (tmp_path / "secret").write_text("of-a-file-1234\n")
    secrets.setenv("HUBSPOT_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    with serving() as found:
        assert found.hubspot(event(1), secret="of-a-file-1234").status_code == 200
    assert len(kept(warehouse)) == 1


def test_behind_a_proxy_the_public_address_counts(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    secrets.setenv("CRM_SYNC_WEBHOOKS_URL", "https://hooks.example.com/in/")
    with serving() as found:
        public = "https://hooks.example.com/in/webhooks/hubspot"
        assert found.hubspot(event(1), seen_as=public).status_code == 200
        assert found.hubspot(event(2)).status_code == 401
        # Whatever host the request names.
        signed = {**_request(found, public), "url": f"{found.url}/webhooks/hubspot"}
        signed["headers"]["Host"] = "evil.example"
        assert found.client.request(**signed).status_code == 200
    assert len(kept(warehouse)) == 2


def _request(found: Serving, public: str) -> dict[str, Any]:
    return hubspot(f"{found.url}/webhooks/hubspot", event(9), seen_as=public)


@pytest.fixture
def without_warehouse(secrets: pytest.MonkeyPatch) -> Iterator[Serving]:
    def refuse() -> Warehouse:
        raise Unavailable("the warehouse cannot be reached")

    with serving(refuse) as found:
        yield found


def test_without_a_warehouse_a_sender_is_told_to_come_again(without_warehouse: Serving) -> None:
    answer = without_warehouse.hubspot(event(1))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert without_warehouse.hubspot(event(1), secret="wrong").status_code == 401
    assert without_warehouse.client.get("/health").status_code == 503


def test_a_warehouse_that_comes_back_is_used(
    secrets: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    down = [True]

    def perhaps() -> Warehouse:
        if down[0]:
            raise Unavailable("the warehouse cannot be reached")
        return warehouse

    with serving(perhaps) as found:
        assert found.hubspot(event(1)).status_code == 503
        down[0] = False
        assert found.hubspot(event(1)).status_code == 200
        with warehouse.connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        assert found.hubspot(event(2)).status_code == 200, "a connection that was lost"
    assert len(kept(warehouse)) == 2


def test_what_cannot_be_stored_in_time_is_sent_away(
    receiver: Serving, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock on the table lasts: the sender hears so before it gives up, and may come again."""
    assert receiver.hubspot(event(1)).status_code == 200
    late = event(2)
    with warehouse.connection() as connection, monkeypatch.context() as patch:
        patch.setattr(app_module, "ANSWER_WITHIN", 0.1)
        connection.execute("LOCK TABLE ingestion_webhook_event IN ACCESS EXCLUSIVE MODE")
        assert receiver.hubspot(late).status_code == 503
        connection.rollback()
    assert receiver.hubspot(late).status_code == 200
    assert len(kept(warehouse)) == 2


def test_more_than_may_wait_are_sent_away(
    receiver: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 0)
    answer = receiver.hubspot(event(1))
    assert (answer.status_code, answer.text) == (503, "too many are being stored\n")


def test_one_delivery_that_cannot_be_stored_keeps_out_no_other(
    receiver: Serving, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that the database does not take of it."""
    add = webhook_events.add

    def picky(connection: Any, received: Any, vault: Any) -> int:
        time.sleep(0.02)
        if any(one.event.record == ("13",) for one in received):
            connection.execute("SELECT 'x'::integer")
        return add(connection, received, vault)

    monkeypatch.setattr(webhook_events, "add", picky)
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda n: receiver.hubspot(event(n)).status_code, range(30)))
    assert [n for n, status in enumerate(answers) if status != 200] == [13]
    assert answers[13] == 503
    assert len(kept(warehouse)) == 29


def test_bodies_are_held_within_a_bound(receiver: Serving) -> None:
    receiver.receiver._bodies = Bodies(most_at_once=1_000)
    assert receiver.hubspot(*(event(n) for n in range(50))).status_code == 503
    assert receiver.receiver._bodies.held == 0
    assert receiver.hubspot(event(1)).status_code == 200


def test_a_body_that_does_not_come_takes_nothing(
    receiver: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "ANSWER_WITHIN", 0.1)
    port = httpx.URL(receiver.url).port
    head = b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port or 0)) as slow:
        slow.sendall(head + b"[")
        assert slow.recv(100).startswith(b"HTTP/1.1 503")
    with socket.create_connection(("127.0.0.1", port or 0)) as gone:
        gone.sendall(head + b"[")
    deadline = time.monotonic() + 10
    while ("hubspot", 400) not in receiver.receiver.answered and time.monotonic() < deadline:
        time.sleep(0.01)
    assert receiver.receiver._bodies.held == 0
    assert receiver.receiver.answered["hubspot", 400] == 1


def test_who_goes_before_the_answer_has_told_it_all_the_same(
    receiver: Serving, warehouse: Warehouse
) -> None:
    request = hubspot(f"{receiver.url}/webhooks/hubspot", event(1))
    lines = [f"{name}: {value}" for name, value in request["headers"].items()]
    host = receiver.url.removeprefix("http://")
    head = "\r\n".join(["POST /webhooks/hubspot HTTP/1.1", f"Host: {host}", *lines])
    body = request["content"]
    sent = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", httpx.URL(receiver.url).port or 0)) as gone:
        gone.sendall(sent)
    deadline = time.monotonic() + 10
    while not kept(warehouse) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(kept(warehouse)) == 1


def test_the_health_says_what_was_answered(receiver: Serving) -> None:
    receiver.hubspot(event(1))
    receiver.hubspot(event(2), secret="wrong")
    answer = receiver.client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "answered": {"hubspot": {"200": 1, "401": 1}},
        "new_events": 1,
    }


def test_asking_for_the_health_often_asks_the_warehouse_once(
    receiver: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(receiver.receiver, "_problem", lambda: asked.append(threading.get_ident()))
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: receiver.client.get("/health"), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert 1 <= len(asked) <= 3
