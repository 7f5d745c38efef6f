"""CallRail's webhooks: each event has an address of its own, and its body is signed.

Nothing is sent twice, and an address that fails again and again is switched off. Of edits only
those of some fields are told, and the moment in the body is that of the call, however late it is.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire

MODIFIED = {
    "tags": "tags",
    "note": "note",
    "value": "value",
    "transcription": "transcription_text",
    "recording_duration": "recording_duration",
}
"""Fields of a call → what an edit of them is called; of others nothing is told."""


class CallRailWire(Wire):
    """What a company sends, signed with its key; `below` an address, at the event's own name."""

    strikes = 5

    def __init__(self, world: World, key: str, *, below: bool = True) -> None:
        self._world = world
        self._key = key
        self._is_below = below

    def told(self, change: Change) -> Sequence[Change]:
        return [replace(change, topic=topic) for topic in _topics(change)]

    def again(self, status: int) -> bool:  # noqa: ARG002  whatever it was
        return False

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:  # noqa: ARG002
        (change,) = changes
        body = json.dumps(self._said(change), default=str).encode()
        headers = {"Content-Type": "application/json", "Signature": signature(self._key, body)}
        return Request(headers, body, f"{url}/{change.topic}" if self._is_below else url)

    def _said(self, change: Change) -> dict[str, Any]:
        values = {n: v for n, v in change.values.items() if not n.startswith("_") and n != "id"}
        if change.kind == "conversations":
            return {**values, **_message(change), "thread_resource_id": change.id}
        company = self._world.company(dict(change.values))
        told = {**values, "resource_id": change.id, "company_resource_id": company}
        if change.kind == "form_submissions":
            return {**told, "timestamp": change.values["submitted_at"]}
        told |= {"timestamp": change.values["start_time"], "tags": change.values["tags"] or []}
        if change.topic == "pre_call":
            told |= {"answered": False, "call_type": "missed", "duration": 0}
        if change.topic.endswith("modified"):
            told["changes"] = [MODIFIED[name] for name in change.names if name in MODIFIED]
        return told


def signature(key: str, body: bytes) -> str:
    """What the header `Signature` says of a body."""
    return base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha1)).decode()


def _topics(change: Change) -> Sequence[str]:
    """What is told of a change, as the ends of addresses; of what is gone nothing is."""
    if change.act == "create" and change.kind == "form_submissions":
        return ("form_submission",)
    if change.kind == "conversations" and "_messages" in change.names:
        is_sent = _message(change)["direction"] == "outgoing"
        return ("text_sent" if is_sent else "text_received",)
    if change.kind != "calls":
        return ()
    is_outbound = change.values["direction"] == "outbound"
    if change.act == "create":
        return ("outbound_post_call",) if is_outbound else ("pre_call", "post_call")
    if change.act == "edit" and set(change.names) & MODIFIED.keys():
        return ("outbound_call_modified" if is_outbound else "call_modified",)
    return ()


def _message(change: Change) -> dict[str, Any]:
    """The newest message of a conversation, as a delivery has it."""
    said = change.values["_messages"][-1]
    return {
        "resource_id": f"{change.id}-{len(change.values['_messages'])}",
        "direction": said["direction"],
        "content": said["content"],
        "message_type": said["type"],
        "media_urls": said["media_urls"],
        "source_number": change.values["customer_phone_number"],
        "destination_number": change.values["current_tracking_number"],
        "timestamp": said["created_at"],
    }


def sender(world: World, url: str, key: str) -> Sender:
    """The webhooks of a company, below this address: `<url>/post_call` and so on."""
    return Sender(world, CallRailWire(world, key), url)
