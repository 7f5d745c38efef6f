"""A step of LeadConduit's flows that posts each lead that comes in, as its maker mapped it.

The step reads the answer: what is no success is a failure of the step, and not sent again.
"""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.leadconduit.world import Event, World
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire

FIELDS = (
    *("first_name", "last_name", "email", "phone_1", "address_1", "city", "state"),
    *("postal_code", "country"),
)


class LeadConduitWire(Wire):
    """What a flow's step posts, with the header that it was given."""

    def __init__(self, token: str) -> None:
        self._headers = {"Content-Type": "application/json", "X-Webhook-Token": token}

    def heard(self, number: int, at: int, *written: Any) -> Change | None:  # noqa: ARG002
        event: Event = written[0]
        # A flow runs for what comes in, a pass of a lead or its return is none.
        if event.type != "source":
            return None
        values = event.record["vars"]
        return Change(number, "leads", event.lead, "create", event.made, values)

    def again(self, status: int) -> bool:  # noqa: ARG002  whatever it was
        return False

    def takes(self, answer: httpx.Response) -> bool:
        try:
            told = answer.json()
        except ValueError:
            return False
        is_success = isinstance(told, dict) and told.get("outcome") == "success"
        return answer.status_code in (200, 201) and is_success

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:  # noqa: ARG002
        (change,) = changes
        lead = change.values["lead"]
        told = {
            "lead_id": change.id,
            "event_time": iso(change.at),
            "flow": change.values["flow"]["name"],
            "source": change.values["source"]["name"],
            "reference": change.id[-8:],
        }
        for name in FIELDS:
            value = lead.get(name)
            told[name] = value["normal"] if isinstance(value, dict) else value
        return Request(self._headers, json.dumps(told).encode())


def sender(world: World, url: str, token: str) -> Sender:
    """A step of this account's flows that posts to an address what comes in."""
    return Sender(world, LeadConduitWire(token), url)
