"""What HubSpot's webhooks tell. https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide

- A delivery is an array of up to a hundred events, in no order; an event's id alone is not unique.
- The signature covers the address as HubSpot has it, of which some escapes are undone.
- A deletion, a merge and a change of what HubSpot calculates are told, and no search shows them.
- A status of 400 to 405 is taken for the last word: only 429 and 5xx are sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from crm_sync_assets.crms.hubspot.sources import TYPE_IDS
from crm_sync_assets.declarations.proofs import (
    Chosen,
    Delivery,
    Signed,
    hmac_base64,
    sha256_hex,
)
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.variables import optional
from crm_sync_assets.declarations.webhooks import (
    Event,
    Happened,
    Webhooks,
    id_of,
    key_of,
    read,
    unread,
)
from crm_sync_assets.settings import Environment

SECRET = optional(
    "HUBSPOT_WEBHOOK_SECRET",
    "The client secret of the app whose webhooks are received.",
    secret=True,
)
APP_ID = optional(
    "HUBSPOT_APP_ID",
    "The id of a public app, for `crm-sync webhooks register`; a private app's webhooks are set "
    "up by hand.",
)
DEVELOPER_KEY = optional(
    "HUBSPOT_DEVELOPER_KEY", "The API key of that app's developer account …", secret=True
)
APP_TOKEN = optional("HUBSPOT_APP_TOKEN", "… or a token of the app itself.", secret=True)
SIGNATURE = optional(
    "HUBSPOT_WEBHOOK_SIGNATURE", "Which of its signatures they must have: v3, v2 or v1.", "v3"
)

OBJECTS: Final[Mapping[str, str]] = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "ticket": "tickets",
    "product": "products",
    "line_item": "line_items",
}
HAPPENED: Final[Mapping[str, Happened]] = {
    "creation": "created",
    "propertyChange": "changed",
    "deletion": "deleted",
    "privacyDeletion": "deleted",
    "merge": "merged",
    "restore": "restored",
    "associationChange": "linked",
}
PAIRS: Final[Mapping[str, str]] = {
    "CONTACT_TO_APPOINTMENT": "associations_contact_appointment",
    "CONTACT_TO_DIVISION": "associations_contact_division",
    "CONTACT_TO_DEAL": "associations_contact_deal",
    "CONTACT_TO_COMPANY": "associations_contact_company",
    "DEAL_TO_COMPANY": "associations_deal_company",
    "DEAL_TO_LINE_ITEM": "associations_deal_line_item",
}
"""What links are kept as; of a link that is told from its other side the two are exchanged."""

_UNDONE: Final = dict(
    zip(
        ("3A", "2F", "3F", "40", "21", "24", "27", "28", "29", "2A", "2C", "3B"),
        ":/?@!$'()*,;",
        strict=True,
    )
)
_ESCAPE: Final = re.compile(f"%({'|'.join(_UNDONE)})", re.IGNORECASE)


def _address(delivery: Delivery) -> str:
    return _ESCAPE.sub(lambda match: _UNDONE[match[1].upper()], delivery.url)


def _v3(delivery: Delivery) -> bytes:
    when = delivery.headers.get("x-hubspot-request-timestamp", "")
    return f"{delivery.method}{_address(delivery)}".encode() + delivery.body + when.encode()


def _v2(delivery: Delivery) -> bytes:
    return f"{delivery.method}{delivery.url}".encode() + delivery.body


def _sent_at(delivery: Delivery) -> datetime:
    return _moment(int(delivery.headers["x-hubspot-request-timestamp"]))


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


PROOF = Chosen(
    SIGNATURE,
    {
        "v3": Signed(SECRET, "X-HubSpot-Signature-v3", hmac_base64("sha256", _v3), at=_sent_at),
        "v2": Signed(SECRET, "X-HubSpot-Signature", sha256_hex(_v2)),
        "v1": Signed(SECRET, "X-HubSpot-Signature", sha256_hex(lambda delivery: delivery.body)),
    },
)


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:
    """The events of a delivery; a merge is one for each record that it touches."""
    told = read(delivery.body)
    for one in told if isinstance(told, list) else [told]:
        yield from _told(one, environment)


def _told(one: Any, environment: Environment) -> list[Event]:
    """What one of them tells; one that is odd keeps out no other of its delivery."""
    try:
        return [*_events(one, environment)]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        return [unread(one, error)]


def _events(one: Any, environment: Environment) -> Iterator[Event]:
    kind = str(one["subscriptionType"])
    thing, _, act = kind.partition(".")
    at = _moment(float(one["occurredAt"])) if one.get("occurredAt") is not None else None
    key = (one["eventId"], one.get("subscriptionId"), one.get("occurredAt"))
    happened = HAPPENED.get(act)

    def event(entity: str | None, record: tuple[str, ...], why: str | None = None) -> Event:
        name = key_of(*key, *record) if happened in ("merged", "linked") else key_of(*key)
        return Event(name, kind, entity, record, happened or "changed", at, why, one)

    if happened is None:
        yield event(None, (), "nothing is done about events of this type")
    elif happened == "linked":
        yield event(*_pair(one))
    else:
        entity = _entity(thing, one.get("objectTypeId"), environment)
        why = None if entity else "no entity keeps objects of this type"
        ids = dict.fromkeys(map(id_of, _ids(one, happened)))
        for record in ids:
            missing = None if record else "it names no record that there could be"
            yield event(entity if record else None, record, why or missing)


def _ids(one: Mapping[str, Any], happened: Happened) -> list[Any]:
    if happened != "merged":
        return [one.get("objectId")]
    named = [
        one.get("newObjectId"),
        one.get("primaryObjectId"),
        *(one.get("mergedObjectIds") or []),
    ]
    return [each for each in named if each is not None] or [one.get("objectId")]


def _entity(thing: str, type_id: Any, environment: Environment) -> str | None:
    """The entity of an object's name, or of its type id where the name is `object`."""
    if thing != "object":
        return OBJECTS.get(thing)
    known = {number: name for name, number in TYPE_IDS.items()}
    return {**known, **own_types(environment)}.get(str(type_id))


def own_types(environment: Environment) -> dict[str, str]:
    """The type ids that differ between accounts → the entities of such objects."""
    return {
        environment.get("HUBSPOT_APPOINTMENTS_OBJECT_ID") or "0-421": "appointments",
        environment.get("HUBSPOT_DIVISIONS_OBJECT_ID") or "2-37778609": "divisions",
        environment.get("HUBSPOT_GENIUS_USERS_OBJECT_ID") or "2-42119425": "genius_users",
    }


def _pair(one: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...], str | None]:
    """The entity, the key and what is amiss of a link that was made or undone."""
    label = str(one.get("associationType"))
    first, second = id_of(one.get("fromObjectId")), id_of(one.get("toObjectId"))
    head, _, tail = label.partition("_TO_")
    reverse = f"{tail}_TO_{head}"
    if not first or not second:
        return None, (), "it names no pair that there could be"
    if label in PAIRS:
        return PAIRS[label], first + second, None
    if reverse in PAIRS:
        return PAIRS[reverse], second + first, None
    return None, (), "no entity keeps links of this type"


WEBHOOKS = Webhooks(
    PROOF,
    events,
    Setup(
        "the app's Webhooks tab in HubSpot",
        needs=((APP_ID,), (DEVELOPER_KEY, APP_TOKEN)),
    ),
    # What HubSpot calculates changes too, and no search shows that: only a burst is left to one.
    deltas_see=frozenset({"created", "changed"}),
    # Changes are told of the properties that the app has subscribed to, and of no others.
    announces={entity: frozenset({"created"}) for entity in OBJECTS.values()},
)
