"""A receiver behind a real socket, and deliveries as the senders sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn

from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.receiver.app import Receiver, app
from crm_sync_assets.receiver.serving import senders
from crm_sync_assets.settings import environment as current
from crm_sync_assets.warehouse.connection import Warehouse

SECRETS = {
    "HUBSPOT_WEBHOOK_SECRET": "hubspot-webhook-secret-1",
    "PIPEDRIVE_WEBHOOK_USER": "acme",
    "PIPEDRIVE_WEBHOOK_PASSWORD": "pipedrive-webhook-password-1",
    "CALLRAIL_WEBHOOK_KEY": "072e77e426f92738a72fe23c4d1953b4",
    "ARRIVY_WEBHOOK_TOKEN": "arrivy-webhook-token-1",
    "SALESRABBIT_WEBHOOK_TOKEN": "salesrabbit-webhook-token-1",
    "LEADCONDUIT_WEBHOOK_TOKEN": "leadconduit-webhook-token-1",
}


def hubspot(
    url: str,
    *events: Mapping[str, Any],
    secret: str = SECRETS["HUBSPOT_WEBHOOK_SECRET"],
    seen_as: str | None = None,
    at: float | None = None,
    body: bytes | None = None,
) -> dict[str, Any]:
    """What httpx sends of a delivery of HubSpot's; `seen_as` is the address that it signs."""
    content = json.dumps(events).encode() if body is None else body
    stamp = str(int(1000 * (time.time() if at is None else at)))
    signed = f"POST{seen_as or url}".encode() + content + stamp.encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": signature,
        "X-HubSpot-Request-Timestamp": stamp,
    }
    return {"method": "POST", "url": url, "headers": headers, "content": content}


def event(number: int, kind: str = "contact.propertyChange", **values: Any) -> dict[str, Any]:
    """One of HubSpot's events; its object has the same number if nothing else is said."""
    at = round(1000 * time.time())
    told = {"eventId": number, "subscriptionId": 25, "portalId": 33, "occurredAt": at}
    return {**told, "subscriptionType": kind, "objectId": number, **values}


class Serving:
    """What answers at `url`. `receiver` is the one behind it."""

    def __init__(self, receiver: Receiver, url: str) -> None:
        self.receiver = receiver
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=20)

    def hubspot(self, *events: Mapping[str, Any], **options: Any) -> httpx.Response:
        return self.client.request(**hubspot(f"{self.url}/webhooks/hubspot", *events, **options))

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.client.post(path, **request)


@contextmanager
def serving(
    open_it: Callable[[], Warehouse] = open_warehouse,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    port: int = 0,
) -> Iterator[Serving]:
    """A receiver of all that tell of changes, in a thread of this process; 0 is a free port."""
    receiver = Receiver(senders(), open_it, current, now=now)
    config = uvicorn.Config(
        app(receiver), port=port, log_config=None, access_log=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="receiver", daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    found = Serving(receiver, f"http://127.0.0.1:{port}")
    try:
        yield found
    finally:
        found.client.close()
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


def kept(warehouse: Warehouse, columns: str = "event_key, status") -> Sequence[tuple[Any, ...]]:
    """The events in the warehouse, the oldest first."""
    with warehouse.connection() as connection:
        return connection.execute(
            f"SELECT {columns} FROM ingestion_webhook_event ORDER BY id"  # type: ignore[arg-type]  # noqa: S608
        ).fetchall()
