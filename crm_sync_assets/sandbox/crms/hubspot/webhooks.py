"""HubSpot's webhooks: arrays of up to a hundred events, signed with the app's client secret.

Sent again after 429 and 5xx for a day, with longer and longer pauses; 400 to 405 are the last word.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire

NAMES = {
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
    "products": "product",
    "line_items": "line_item",
}
OTHERS = {"appointments": "0-421", "divisions": "2-37778609", "genius_users": "2-42119425"}
ACTS = {
    "create": "creation",
    "archive": "deletion",
    "purge": "privacyDeletion",
    "restore": "restore",
}


ESCAPES = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


class HubSpotWire(Wire):
    """What an app of the portal sends. `skew` seconds are added to the moment it signs.

    `of` gives the subscription that an event is told for, None for one that nobody subscribed to.
    """

    most = 100
    attempts = 10
    pauses = (120, 250, 520, 1_100, 2_300, 4_800, 10_000, 21_000, 45_000)
    answer_seconds = 5.0

    def __init__(
        self,
        secret: str,
        skew: float = 0.0,
        of: Callable[[Mapping[str, Any]], int | None] = lambda _: 25,
    ) -> None:
        self._secret = secret
        self._of = of
        self._skew = skew
        self._numbers = count(3816279340)
        self._told: dict[int, list[dict[str, Any]]] = {}

    def told(self, change: Change) -> Sequence[Change]:
        is_known = change.kind in NAMES or change.kind in OTHERS
        is_nothing = change.act == "edit" and not change.names
        return (change,) if is_known and not is_nothing else ()

    def again(self, status: int) -> bool:
        return status == 429 or super().again(status)

    def tells(self, changes: Sequence[Change]) -> bool:
        """Whether somebody subscribed to anything of these."""
        return any(self._events(change) for change in changes)

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:
        events = [event for change in changes for event in self._events(change)]
        body = json.dumps([{**event, "attemptNumber": attempt} for event in events]).encode()
        stamp = str(round(1000 * (time.time() + self._skew)))
        return Request(
            {
                "Content-Type": "application/json",
                "User-Agent": "HubSpot Webhooks/1.0",
                "X-HubSpot-Signature-v3": signature(self._secret, url, body, stamp),
                "X-HubSpot-Request-Timestamp": stamp,
            },
            body,
        )

    def _events(self, change: Change) -> list[dict[str, Any]]:
        """The same ones whenever they are told again."""
        if (known := self._told.get(change.number)) is not None:
            return known
        found = self._told[change.number] = [
            {
                "eventId": next(self._numbers),
                "subscriptionId": subscription,
                "portalId": 33,
                "appId": 1160452,
                "occurredAt": change.at,
                "changeSource": "CRM",
                **one,
            }
            for told in self.told(change)
            for one in _said(told)
            if (subscription := self._of(one)) is not None
        ]
        return found


def signature(secret: str, url: str, body: bytes, stamp: str) -> str:
    """The header X-HubSpot-Signature-v3 of a POST; in the address some escapes are undone."""
    address = ESCAPES.sub(lambda found: chr(int(found[1], 16)), url)
    text = b"POST" + address.encode() + body + stamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha256)).decode()


def _said(change: Change) -> Iterator[dict[str, Any]]:
    name, more = NAMES.get(change.kind), {}
    if name is None:
        name, more = "object", {"objectTypeId": OTHERS[change.kind]}
    number = int(change.id)
    if change.act == "edit":
        for each in change.names:
            yield {
                "subscriptionType": f"{name}.propertyChange",
                "objectId": number,
                "propertyName": each,
                "propertyValue": str(change.values.get(each) or ""),
                **more,
            }
    elif change.act == "merge":
        yield {
            "subscriptionType": f"{name}.merge",
            "objectId": int(change.into or 0),
            "primaryObjectId": number,
            "mergedObjectIds": [number],
            "newObjectId": int(change.into or 0),
            **more,
        }
    else:
        yield {"subscriptionType": f"{name}.{ACTS[change.act]}", "objectId": number, **more}


def sender(world: Life[Any], url: str, secret: str, skew: float = 0.0) -> Sender:
    """An app of this portal that tells an address what changes."""
    return Sender(world, HubSpotWire(secret, skew), url)
