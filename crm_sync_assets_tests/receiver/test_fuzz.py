"""Whatever is sent, the receiver answers, keeps what is proven, and holds nothing afterwards."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.receiver.bench import SECRETS, Serving, event, kept, serving

ALLOWED = {200, 400, 401, 404, 405, 413, 415, 503}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*sorted(event(1)), "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "eventId": values,
        "subscriptionType": st.sampled_from(
            ["contact.creation", "contact.merge", "deal.deletion", "object.restore", "x", ""]
        )
        | st.text(max_size=8),
        "occurredAt": values,
        "objectId": values,
        "mergedObjectIds": values,
        "primaryObjectId": values,
        "objectTypeId": values,
        "associationType": values,
    },
)
PIPEDRIVE = (SECRETS["PIPEDRIVE_WEBHOOK_USER"], SECRETS["PIPEDRIVE_WEBHOOK_PASSWORD"])
META = st.sampled_from(["entity", "entity_id", "id", "action", "timestamp", "object"])
PATHS = st.sampled_from(
    ["/webhooks/hubspot", "/webhooks/callrail/post_call", "/webhooks/pipedrive"]
) | st.text(max_size=20).map(lambda text: f"/webhooks/{quote(text)}")
FUZZ = settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, *HealthCheck]
)


@pytest.fixture
def fuzzed(secrets: pytest.MonkeyPatch, warehouse: Warehouse) -> Iterator[Serving]:
    with serving() as found:
        yield found
        assert found.receiver._bodies.held == 0
        assert found.receiver._writer._waiting == []


@FUZZ
@given(told=st.lists(events | values, max_size=4))
def test_proven_events_of_any_shape_are_kept(
    fuzzed: Serving, warehouse: Warehouse, told: list[Any]
) -> None:
    body = json.dumps(told).encode()
    before = len(kept(warehouse))
    assert fuzzed.hubspot(body=body).status_code == 200
    assert not told or len(kept(warehouse)) >= before


@FUZZ
@given(told=values, meta=st.dictionaries(META, values))
def test_proven_deliveries_of_pipedrives_are_kept(
    fuzzed: Serving, warehouse: Warehouse, told: Any, meta: dict[str, Any]
) -> None:
    for body in (told, {"meta": meta}):
        answer = fuzzed.post(
            "/webhooks/pipedrive",
            content=json.dumps(body),
            auth=PIPEDRIVE,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 200
    assert kept(warehouse)


NAME = st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)


@FUZZ
@given(
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]),
    path=PATHS,
    headers=st.dictionaries(
        NAME
        | st.sampled_from(
            ["Content-Type", "Signature", "X-HubSpot-Signature-v3", "Authorization", "Host",
             "X-HubSpot-Request-Timestamp", "Content-Encoding"]
        ),
        HEADER,
        max_size=5,
    ),
    body=st.binary(max_size=200),
)  # fmt: skip
def test_requests_of_any_kind_are_refused(
    fuzzed: Serving,
    warehouse: Warehouse,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    headers = {n: v for n, v in headers.items() if n.lower() not in ("content-length", "te")}
    told = [(n.encode(), v.encode("latin-1").strip()) for n, v in headers.items()]
    answer = fuzzed.client.request(method, path, headers=told, content=body)
    assert answer.status_code in ALLOWED - {200, 503}
    assert kept(warehouse) == []


@FUZZ
@given(raw=st.binary(min_size=1, max_size=300))
def test_bytes_of_any_kind_are_refused(fuzzed: Serving, warehouse: Warehouse, raw: bytes) -> None:
    host, port = fuzzed.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(10)
        connection.sendall(b"POST /webhooks/hubspot HTTP/1.1\r\n" + raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1_000)
    assert not answer or int(answer.split()[1]) in ALLOWED - {200, 503}
    assert kept(warehouse) == []
