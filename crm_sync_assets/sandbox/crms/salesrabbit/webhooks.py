"""SalesRabbit's webhooks: something happened to a lead, in a form that the account made up.

Nothing is signed and no event has a number, so that the same words may be said of two of them. The
secret stands in the address or in a header. What is deleted is not told, nothing is sent again.
"""

import json
from collections.abc import Sequence
from typing import Any

from crm_sync_assets.sandbox.crms.salesrabbit.world import World
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire


class SalesRabbitWire(Wire):
    """What an account sends; the secret in the address, or in this header."""

    def __init__(self, token: str, header: str | None = None) -> None:
        self._token = token
        self._header = header

    def told(self, change: Change) -> Sequence[Change]:
        is_told = change.kind == "leads" and change.act in ("create", "edit", "restore")
        return (change,) if is_told else ()

    def again(self, status: int) -> bool:  # noqa: ARG002  whatever it was
        return False

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:  # noqa: ARG002
        (change,) = changes
        body = json.dumps(_said(change), default=str).encode()
        headers = {"Content-Type": "application/json"}
        if self._header is None:
            return Request(headers, body, f"{url}?token={self._token}")
        return Request({**headers, self._header: self._token}, body)


def _said(change: Change) -> dict[str, Any]:
    values = change.values
    form = values["customFields"] if "customFields" in change.names else None
    return {
        "leadId": int(change.id),
        "ownerEmail": "pat@example.com",
        "formData": form or {},
        "leadMetaData": {"status": values["status"], "dateModified": values["dateModified"]},
    }


def sender(world: World, url: str, token: str, header: str | None = None) -> Sender:
    """A webhook of this account that tells an address what happens to leads."""
    return Sender(world, SalesRabbitWire(token, header), url)
