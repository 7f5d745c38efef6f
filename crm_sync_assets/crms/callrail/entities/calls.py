"""Calls. https://apidocs.callrail.com/#calls

- Most columns come only when asked for by `fields`; a field the account does not have is left out
  of the answer.
- `value` is text here, "$1,250.00"; a recording arrives up to twenty minutes after its call.
- A call that is marked as spam is in no list any more, and nothing tells of it.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import RESWEEPS, WINDOWS, listed
from crm_sync_assets.declarations.columns import (
    boolean,
    decimal,
    each,
    email,
    integer,
    json,
    phone,
    text,
    timestamp,
    url,
)
from crm_sync_assets.declarations.entity import Entity

FIELDS = (
    "company_id,company_name,call_type,campaign,note,lead_status,value,tags,agent_email,created_at,"
    "tracker_id,source,source_name,person_id,timeline_url"
)

# A delta is about when a call began, and that is no change: what changes later is found by reading
# the last 30 days again, more of them weekly, and all that CallRail keeps monthly.
CALLS = Entity(
    "callrail.calls",
    about="Phone calls to and from tracking numbers, of the last 25 months and all stored before.",
    source=listed(
        "/a/{account}/calls.json",
        records="calls",
        # Oldest first, so that a call that begins meanwhile is appended.
        params={"sort": "start_time", "order": "asc", "fields": FIELDS},
        delta=WINDOWS,
        windowed_by="start_time",
        filters={"company_id": "company_id"},
        one=One("/a/{account}/calls/{id}.json", asks=({"fields": FIELDS},)),
        page="https://app.callrail.com/calls/{id}",
    ),
    table="callrail_call",
    columns=(
        text("id", key=True),
        *each(boolean, "answered voicemail", default=False),
        phone("business_phone_number"),
        text("recording_duration", about="seconds"),
        *each(text, "customer_city customer_country lead_status"),
        text("customer_name", sensitive=True),
        *each(text, "campaign company_name"),
        *each(phone, "customer_phone_number tracking_phone_number", default=""),
        text("direction", default="", about="inbound or outbound"),
        *each(text, "customer_state call_type company_id"),
        integer("duration", default=0, about="seconds"),
        *each(url, "recording recording_player"),
        timestamp("start_time"),
        email("agent_email"),
        text("note"),
        decimal("value"),
        json("tags"),
    ),
    indexes=("start_time", "company_id"),
    absent="kept",
    resweeps=RESWEEPS,
)
