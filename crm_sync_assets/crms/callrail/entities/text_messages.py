"""Text messages, one by one. https://apidocs.callrail.com/#text-messages

CallRail lists conversations, each with its newest messages only: the whole conversation is asked
for by its id. A message has no id of its own, so one is made of what it says and when.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import RESWEEPS, WINDOWS, listed
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import phone, text, timestamp
from crm_sync_assets.declarations.entity import UNREAD, Entity, Key, Record

CONVERSATION = "/a/{account}/text-messages/{id}.json"
TAIL = (
    "the conversation came without its messages: the newest ones, which the list has, are stored, "
    "and older ones may be missing"
)


def messages_of(conversation: Record) -> Iterator[Record]:
    """Each message, with what its conversation says of it, and an id.

    Where the whole conversation did not say its messages, one of those in the list is set aside in
    place of all that may be missing, until the conversation is read whole.
    """
    found: Any = conversation.get("messages")
    newest: Any = conversation.get("recent_messages") or []
    is_whole = isinstance(found, list) and bool(found or not newest)
    if not is_whole:
        found = newest
    seen: Counter[tuple[str, str, str]] = Counter()
    for place, message in enumerate(found):
        told = (_moment(message), _said(message, "direction"), _said(message, "content"))
        seen[told] += 1
        digest = hashlib.sha256("|".join((*told, str(seen[told]))).encode("utf-8", "replace"))
        name = f"{conversation.get('id')}-{digest.hexdigest()[:32]}"
        record = {**conversation, **message, "id": name}
        yield record if is_whole or place > 0 else {**record, UNREAD: TAIL}
    if not is_whole and not found:
        yield {"id": f"{conversation.get('id')}-", UNREAD: TAIL}


def conversation_of(key: Key) -> Mapping[str, str]:
    """The conversation that a message is found in."""
    return {"id": key[0].rpartition("-")[0]}


def _moment(message: Record) -> str:
    """When it was sent, in UTC and to the millisecond, in whichever zone it is told."""
    try:
        moment = parsing.timestamp(message.get("created_at"))
    except ValueError:
        return _said(message, "created_at")
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _said(message: Record, name: str) -> str:
    value: Any = message.get(name)
    return "" if value is None else str(value)


# A delta is about conversations by their last message, and a message never changes: each that is
# new brings its conversation into the window.
TEXT_MESSAGES = Entity(
    "callrail.text_messages",
    about="Text messages of the last 25 months, and all stored before.",
    source=listed(
        "/a/{account}/text-messages.json",
        records="conversations",
        delta=WINDOWS,
        windowed_by="last_message_at",
        details=One(CONVERSATION),
        explode=messages_of,
        one=One(CONVERSATION, names=conversation_of),
    ),
    table="callrail_text_message",
    columns=(
        text("id", key=True, about="of the conversation's id and what the message says"),
        text("company_id"),
        text("status", at="state", about="of the conversation"),
        text("direction", default="", about="incoming or outgoing"),
        phone("tracking_phone_number", at="current_tracking_number", default=""),
        phone("customer_phone_number", default=""),
        text("message", at="content", default="", sensitive=True),
        timestamp("sent_at", at="created_at"),
    ),
    indexes=("sent_at", "company_id"),
    absent="kept",
    resweeps=RESWEEPS,
)
