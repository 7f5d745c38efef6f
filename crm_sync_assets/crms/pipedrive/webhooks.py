"""What Pipedrive's webhooks tell. https://pipedrive.readme.io/docs/guide-for-webhooks-v2

- Nothing is signed: a user and a password of one's own are sent along.
- Tried four times within three minutes, then lost; ten failures ban the address for half an hour.
- What was deleted comes without data. Of a merge the loser says so, and the winner has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crm_sync_assets.crms.pipedrive.variables import WEBHOOK_PASSWORD, WEBHOOK_USER
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.proofs import Basic, Delivery
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.webhooks import (
    Event,
    Happened,
    Webhooks,
    id_of,
    key_of,
    read,
    unnumbered,
)
from crm_sync_assets.settings import Environment

ENTITIES: Final[Mapping[str, str]] = {
    "deal": "deals",
    "person": "persons",
    "organization": "organizations",
    "activity": "activities",
    "lead": "leads",
    "note": "notes",
    "pipeline": "pipelines",
    "product": "products",
    "stage": "stages",
    "user": "users",
}
HAPPENED: Final[Mapping[str, Happened]] = {
    "create": "created",
    "added": "created",
    "change": "changed",
    "updated": "changed",
    "delete": "deleted",
    "deleted": "deleted",
}
"""The second of each pair is what version 1 called it."""


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:  # noqa: ARG001
    """The one event of a delivery, of either version."""
    told = read(delivery.body)
    meta = told["meta"]
    thing, act = meta.get("entity") or meta.get("object"), meta.get("action")
    record = id_of(meta.get("entity_id") or meta.get("id"))
    # Version 1 names the record where its successor names the event.
    key = key_of(meta["id"]) if meta.get("entity") else unnumbered(body=delivery.body)
    happened, entity = HAPPENED.get(str(act)), ENTITIES.get(str(thing))
    why = None
    if happened is None:
        why = "nothing is done about events of this type"
    elif entity is None:
        why = "no entity keeps such things"
    elif not record:
        why = "it names no record that there could be"
    yield Event(
        key,
        f"{thing}.{act}",
        None if why else entity,
        () if why else record,
        happened or "changed",
        timestamp(meta.get("timestamp")),
        why,
        told,
    )


WEBHOOKS = Webhooks(
    Basic(WEBHOOK_USER, WEBHOOK_PASSWORD),
    events,
    Setup("Tools and apps, Webhooks, in Pipedrive's settings"),
    patience_seconds=10.0,
    deltas_see=frozenset({"created", "changed"}),
    announces={
        entity: frozenset({"created", "changed", "deleted"}) for entity in ENTITIES.values()
    },
)
