"""What a step of LeadConduit's flows posts here, as whoever makes the flow maps it.

The answer decides what becomes of the lead in its flow, so it is success once it is stored. A lead
is no record there, but made of events: a delta finds those.
"""

from __future__ import annotations

from collections.abc import Iterator

from crm_sync_assets.crms.leadconduit.variables import WEBHOOK_TOKEN
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.proofs import Delivery, Token
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.webhooks import Event, Webhooks, key_of, read, unnumbered
from crm_sync_assets.settings import Environment


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:  # noqa: ARG001
    """The one event of a delivery."""
    told = read(delivery.body)
    lead, when = told["lead_id"], told.get("event_time")
    key = key_of(lead, when) if when else unnumbered(lead, body=delivery.body)
    yield Event(key, "lead", "leads", (), "created", timestamp(when), None, told)


WEBHOOKS = Webhooks(
    Token(WEBHOOK_TOKEN, header="X-Webhook-Token"),
    events,
    Setup(
        "a recipient step of the flow in LeadConduit, with the token as a header X-Webhook-Token"
    ),
    answer={"outcome": "success"},
    deltas_see=frozenset({"created"}),
    announces={"leads": frozenset({"created"})},
)
