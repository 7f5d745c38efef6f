"""What Arrivy's webhooks tell: each event of a task, with the task's id.

Nothing is signed. A header of one's own choosing is sent along: it is to be named X-Webhook-Token.
The types are an open set: whatever happens to a task, the task is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crm_sync_assets.crms.arrivy.variables import WEBHOOK_TOKEN
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.proofs import Delivery, Token
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.webhooks import Event, Happened, Webhooks, id_of, key_of, read
from crm_sync_assets.settings import Environment

ENTITIES: Final[Mapping[str, str]] = {"TASK": "tasks", "BOOKING": "bookings"}
HAPPENED: Final[Mapping[str, Happened]] = {"CREATED": "created", "DELETED": "deleted"}


def events(delivery: Delivery, environment: Environment) -> Iterator[Event]:  # noqa: ARG001
    """The one event of a delivery."""
    told = read(delivery.body)
    said = {name.lower(): value for name, value in told.items()}
    kind = str(said["event_type"])
    thing = str(said.get("object_type") or kind.partition("_")[0])
    entity, record = ENTITIES.get(thing), id_of(said.get("object_id"))
    why = None
    if entity is None:
        why = "no entity keeps such things"
    elif not record:
        why = "it names no record that there could be"
    yield Event(
        key_of(said["event_id"]),
        kind,
        None if why else entity,
        record,
        HAPPENED.get(kind.rpartition("_")[2], "changed"),
        timestamp(said.get("event_time")),
        why,
        told,
    )


# No list can be asked for what changed: all is read by its id, however much it is.
WEBHOOKS = Webhooks(
    Token(WEBHOOK_TOKEN, header="X-Webhook-Token"),
    events,
    Setup(
        "Settings, Integrations, Webhooks, in Arrivy, with the token as a header X-Webhook-Token"
    ),
    # Of changes those of its status and its time are told, and not every edit.
    announces={"tasks": frozenset({"created"})},
)
