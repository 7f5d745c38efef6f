"""Pipedrive's webhooks, version 2: one change in a delivery, with a user and a password.

Four attempts, then it is lost. Ten first attempts that fail ban the address for half an hour, what
happens then is never told, and after three days without a success the webhook is deleted.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire

NAMES = {
    "deals": "deal",
    "persons": "person",
    "organizations": "organization",
    "activities": "activity",
    "leads": "lead",
    "notes": "note",
    "products": "product",
}
ACTIONS = {"create": "create", "archive": "delete", "purge": "delete", "merge": "delete"}
_SPACE = UUID("4f8e2a10-7e6b-4f0f-8a53-6e1d6d9f0a01")


class PipedriveWire(Wire):
    """What a webhook of the company sends."""

    attempts = 4
    pauses = (3, 30, 150)
    strikes = 10
    ban_seconds = 1_800
    forgives = False
    patience_days = 3
    answer_seconds = 10.0

    def __init__(self, user: str, password: str) -> None:
        told = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": f"Basic {told}",
            "User-Agent": "Pipedrive Webhooks",
        }

    def told(self, change: Change) -> Sequence[Change]:
        return (change,) if change.kind in NAMES else ()

    def again(self, status: int) -> bool:
        return not 200 <= status < 300

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:  # noqa: ARG002
        (change,) = changes
        action = ACTIONS.get(change.act, "change")
        told = {
            "data": None if action == "delete" else {**change.values, "id": change.id},
            "previous": None if action == "create" else dict.fromkeys(change.names),
            "meta": {
                "action": action,
                "entity": NAMES[change.kind],
                "entity_id": change.id,
                "id": str(uuid5(_SPACE, repr(change.number))),
                "timestamp": iso(change.at),
                "attempt": attempt + 1,
                "version": "2.0",
                "company_id": "123",
                "change_source": "app",
                "type": "general",
            },
        }
        return Request(self._headers, json.dumps(told, default=str).encode())


def sender(world: Life[Any], url: str, user: str, password: str) -> Sender:
    """A webhook of this company that tells an address what changes."""
    return Sender(world, PipedriveWire(user, password), url)
