"""Arrivy's webhooks: what happens to a task, with a header of one's own.

Nothing is signed. An edit of what no event is about is not told. How often a delivery that fails is
sent again no documentation says; here three times within the hour.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.sandbox.crms.arrivy.world import World
from crm_sync_assets.sandbox.webhooks import Change, Request, Sender, Wire

ABOUT = {
    "status": "TASK_STATUS",
    "status_title": "TASK_STATUS",
    "start_datetime": "TASK_RESCHEDULED",
    "unscheduled": "TASK_RESCHEDULED",
    "rating": "TASK_RATING",
    "group": "TASK_GROUP_CHANGED",
    "crew_ids": "CREW_ASSIGNED",
    "resource_ids": "EQUIPMENT_ASSIGNED",
}
"""Fields of a task → the event about them."""
LIVES = {"create": "TASK_CREATED", "restore": "TASK_CREATED", "purge": "TASK_DELETED"}
FIRST_EVENT = 4_925_812_092_436_481
ZONE = ZoneInfo("America/New_York")


class ArrivyWire(Wire):
    """What a company sends, with the header and the value it was given."""

    attempts = 4
    pauses = (60, 600, 2_400)

    def __init__(self, token: str, header: str = "X-Webhook-Token") -> None:
        self._headers = {"Content-Type": "application/json", header: token}

    def told(self, change: Change) -> Sequence[Change]:
        if change.kind != "tasks":
            return ()
        if change.act in LIVES:
            return (replace(change, topic=LIVES[change.act]),)
        events = dict.fromkeys(ABOUT[name] for name in change.names if name in ABOUT)
        return [replace(change, topic=event) for event in events]

    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:  # noqa: ARG002
        (change,) = changes
        return Request(self._headers, json.dumps(_said(change), default=str).encode())


def _said(change: Change) -> dict[str, Any]:
    values, topics = change.values, sorted({*ABOUT.values(), *LIVES.values()})
    number = change.number * len(topics) + topics.index(change.topic)
    is_status = change.topic == "TASK_STATUS"
    return {
        "EVENT_ID": FIRST_EVENT + number,
        "EVENT_TYPE": change.topic,
        "EVENT_SUB_TYPE": values["status"] if is_status else None,
        "EVENT_TIME": _there(change.at),
        "TITLE": f"Pat Ng: {change.topic.replace('_', ' ').lower()}",
        "MESSAGE": None,
        "REPORTER_ID": 4_785_074_604_081_152,
        "REPORTER_NAME": "Pat Ng",
        "OBJECT_ID": int(change.id),
        "OBJECT_TYPE": "TASK",
        "OBJECT_DATE": values["start_datetime"],
        "OBJECT_GROUP_ID": values.get("group_id"),
        "OBJECT_EXTERNAL_ID": values["external_id"],
        "OBJECT_CUSTOMER_ID": values["customer_id"],
        "IS_TRANSIENT_STATUS": False,
        "HAS_ATTACHMENT": False,
        "EXCEPTION": {"type": "OTHER", "notes": None, "reason": None}
        if is_status and values["status"] == "EXCEPTION"
        else None,
        "OBJECT_FIELDS": {"END_DATETIME": values["end_datetime"]},
        "EXTRA_FIELDS": {},
    }


def _there(milliseconds: int) -> str:
    """A moment as the company's clock shows it, to the second."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone(ZONE).isoformat()


def sender(world: World, url: str, token: str) -> Sender:
    """A webhook of this company that tells an address what happens to tasks."""
    return Sender(world, ArrivyWire(token), url)
