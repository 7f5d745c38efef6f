"""What CallRail's webhooks tell. https://apidocs.callrail.com/#webhooks

- A body does not always say what it is about, so each of CallRail's events gets an address of its
  own: /webhooks/callrail/post_call, …/call_modified, …/text_received and so on.
- Nothing is sent twice, and a webhook that fails again and again is switched off.
- That a call's tags, note or value were changed is told here and nowhere else.
- The signature covers the body. Its timestamp may be that of the call: two edits of one call have
  the same, and an edit may come long after it. So may the whole bodies of two edits be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crm_sync_assets.crms.callrail.variables import SIGNING_KEY
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.proofs import Delivery, Signed, hmac_base64
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.webhooks import (
    Event,
    Happened,
    Webhooks,
    id_of,
    read,
    unnumbered,
)
from crm_sync_assets.settings import Environment

TOPICS: Final[Mapping[str, tuple[str | None, Happened]]] = {
    "pre_call": (None, "created"),
    "call_routing_complete": (None, "changed"),
    "post_call": ("calls", "created"),
    "call_modified": ("calls", "changed"),
    "outbound_post_call": ("calls", "created"),
    "outbound_call_modified": ("calls", "changed"),
    "convert_assist_complete": ("calls", "changed"),
    "text_received": ("text_messages", "created"),
    "text_sent": ("text_messages", "created"),
    "form_submission": ("form_submissions", "created"),
}


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:  # noqa: ARG001
    """The one event of a delivery. A text message is found by a delta: its id is made of it."""
    told = read(delivery.body)
    named = told.get("resource_id") or told.get("id")
    entity, happened = TOPICS[delivery.topic]
    record, why = id_of(named), None
    if entity is None:
        why = "a call that has not ended is in no list yet"
    elif not record and entity != "text_messages":
        why = "it names no record that there could be"
    yield Event(
        unnumbered(delivery.topic, body=delivery.body),
        delivery.topic,
        None if why else entity,
        () if why or entity == "text_messages" else record,
        happened,
        timestamp(told.get("timestamp")),
        why,
        told,
    )


WEBHOOKS = Webhooks(
    Signed(SIGNING_KEY, "Signature", hmac_base64("sha1"), several=True),
    events,
    Setup("Integrations, Webhooks, of each company in CallRail"),
    deltas_see=frozenset({"created"}),
    topics=frozenset(TOPICS),
    # A call has fields whose changes are not told.
    announces={
        entity: frozenset({"created"}) for entity in ("calls", "text_messages", "form_submissions")
    },
)
