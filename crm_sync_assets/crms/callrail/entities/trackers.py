"""Trackers: tracking numbers and pools of them. https://apidocs.callrail.com/#trackers"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import listed
from crm_sync_assets.declarations.columns import boolean, each, json, phone, text, timestamp
from crm_sync_assets.declarations.entity import Entity, Record


def destination_number(record: Record) -> Any:
    """The tracker's own, else that of its call flow."""
    flow = record.get("call_flow")
    own = record.get("destination_number")
    return own or (flow.get("destination_number") if isinstance(flow, dict) else None)


# No delta: the list cannot be asked for what changed.
TRACKERS = Entity(
    "callrail.trackers",
    about="Tracking numbers, those that were disabled included.",
    source=listed(
        "/a/{account}/trackers.json",
        records="trackers",
        filters={"company_id": "company_id"},
        one=One("/a/{account}/trackers/{id}.json"),
    ),
    table="callrail_tracker",
    columns=(
        text("id", key=True),
        *each(text, "name type status", default=""),
        phone("destination_number", at=destination_number, default=""),
        text("whisper_message"),
        *each(boolean, "sms_enabled sms_supported", default=False),
        timestamp("disabled_at"),
        timestamp("api_created_at", at="created_at"),
        json("tracking_numbers", default=[]),
        *each(json, "company call_flow source"),
    ),
    # None is deleted, it is disabled: one that is missing belongs to a company that is not shown.
    absent="kept",
)
