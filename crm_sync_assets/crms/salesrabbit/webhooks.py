"""What SalesRabbit's webhooks tell: that something happened to a lead, in a form of one's own.

Nothing is signed and no event has an id. The secret stands in the address (`?token=`) or in a
header X-Webhook-Token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.crms.salesrabbit.variables import WEBHOOK_TOKEN
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.proofs import Delivery, Token
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.webhooks import Event, Webhooks, id_of, read, unnumbered
from crm_sync_assets.settings import Environment


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:  # noqa: ARG001
    """The one event of a delivery."""
    told = read(delivery.body)
    record = id_of(told["leadId"])
    yield Event(
        unnumbered(body=delivery.body),
        "form" if told.get("formData") else "lead",
        "leads" if record else None,
        record,
        "changed",
        timestamp(_about(told).get("dateModified")),
        None if record else "it names no record that there could be",
        told,
    )


def _about(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found = told.get("leadMetaData")
    return found if isinstance(found, dict) else {}


WEBHOOKS = Webhooks(
    Token(WEBHOOK_TOKEN, header="X-Webhook-Token", parameter="token"),
    events,
    Setup("the webhooks of SalesRabbit's integrations, with the token as a header X-Webhook-Token"),
    deltas_see=frozenset({"changed"}),
    # Which changes of a lead are told is each tenant's own: from silence nothing follows.
)
