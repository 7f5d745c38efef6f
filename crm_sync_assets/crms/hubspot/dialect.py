"""How HubSpot says no. https://developers.hubspot.com/docs/api-reference/error-handling

Every field of an error body is optional, so each is looked at on its own.
"""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta
from typing import Any

from crm_sync_assets.clients.answers import (
    Answer,
    Dialect,
    Fatal,
    Pause,
    Verdict,
    retry_after,
    until_midnight,
)
from crm_sync_assets.errors import Unknown
from crm_sync_assets.masking import masked

# What HubSpot's own client libraries wait where the answer does not say: seconds per try.
SEARCH_WAIT = 1.0
BURST_WAIT = 10.0

_NO_TYPE = re.compile(r"(?i)\bobject ?type\b")
"""In what is said of an object that the account has not: "Unable to infer object type from: …"."""


class HubSpotDialect(Dialect):
    """Rate limits by policy, and errors with their correlation id and missing scopes.

    `utc_offset` is the account's; its daily limit starts anew at its own midnight.
    """

    def __init__(self) -> None:
        self.utc_offset = timedelta(0)

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        told = retry_after(answer)
        if is_moving(answer):
            reason = "the account is moving to another data centre"
            return Pause(told or 3_600.0, reason, defer=True)
        if answer.status not in (200, 207, 400, 404, 429):
            return None
        body = said(answer)
        if answer.status in (400, 404) and _NO_TYPE.search(str(body.get("message"))):
            return Fatal(Unknown)
        policy = str(body.get("policyName") or "").upper()
        message = str(body.get("message") or "")
        limited = body.get("category") == "RATE_LIMITS" or body.get("errorType") == "RATE_LIMIT"
        if answer.status != 429 and not (limited or policy):
            return None
        reason = message or "too many requests"
        if policy == "DAILY" or "daily limit" in message:
            return Pause(until_midnight(answer, self.utc_offset), reason, "daily")
        search = answer.request.endswith("/search") or "secondly limit" in message.replace(
            "ten_secondly", ""
        )
        window = "search" if search else "burst"
        wait = (SEARCH_WAIT if search else BURST_WAIT) * tries
        return Pause(told if told is not None else random.uniform(0.1, 1) * wait, reason, window)

    def grants(self, answer: Answer) -> list[str]:
        """Of the scopes of which one is enough those that only read, where there are any."""
        scopes = required_scopes(said(answer))
        return [scope for scope in scopes if scope.endswith("read")] or scopes

    def explain(self, answer: Answer) -> str:
        body = said(answer)
        if not body:
            text = masked(answer.body)
            if answer.status == 530:
                return f"{text} (HubSpot's edge answers so to a token of the wrong form)".strip()
            return text
        parts = [str(body.get("message") or body.get("category") or "").rstrip(".")]
        scopes = required_scopes(body)
        if scopes:
            parts.append(f"missing scopes: {', '.join(scopes)}")
        for error in body.get("errors") or ():
            if isinstance(error, dict) and error.get("message") and not scopes:
                parts.append(str(error["message"]))
        if body.get("correlationId"):
            parts.append(f"correlationId {body['correlationId']}")
        return "; ".join(part for part in parts if part)


def said(answer: Answer) -> dict[str, Any]:
    """The error body, {} when the answer has none. A page of records is not looked into."""
    if answer.status in (200, 207) and b'"results"' in answer.body[:200]:
        return {}
    if answer.status == 200 and len(answer.body) > 10_000:
        return {}
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def is_moving(answer: Answer) -> bool:
    """Whether the account moves to another data centre: 477, or a 400 whose body says so."""
    if answer.status == 477:
        return True
    if not 400 <= answer.status < 500:
        return False
    body = said(answer)
    texts = (body.get(name) for name in ("message", "error_description", "error", "category"))
    if any("migration in progress" in str(text).lower().replace("_", " ") for text in texts):
        return True
    return "477" in (str(body.get(name)) for name in ("status", "statusCode", "code"))


def required_scopes(body: dict[str, Any]) -> list[str]:
    """The scopes a 403 asks for."""
    scopes: list[str] = []
    for error in body.get("errors") or ():
        context = error.get("context") if isinstance(error, dict) else None
        for name in ("requiredGranularScopes", "requiredScopes"):
            scopes += (context or {}).get(name) or []
    return scopes
