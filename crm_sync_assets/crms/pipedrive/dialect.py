"""How Pipedrive says no. https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting

A 429 is the burst's or the day's, and only a header that may be missing says which. An answer of
200 may say that it failed, and its text is all there is to judge it by.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from crm_sync_assets.clients.answers import (
    Absent,
    Answer,
    Dialect,
    Fatal,
    Pause,
    Retry,
    Verdict,
    is_page,
    retry_after,
    until_midnight,
)
from crm_sync_assets.clients.rest.values import whole
from crm_sync_assets.errors import BadRequest, Closed, Forbidden, Unauthorized
from crm_sync_assets.masking import masked

BURST_SECONDS: Final = 2.0
LONGEST_BURST: Final = 30.0
BURSTS: Final = 4
"""429s in a row that may be a burst's where no header says so."""
BLOCKED_SECONDS: Final = 3_600.0
_FAILED = re.compile(rb'"success"\s*:\s*false')
_MEANINGS: Final = (
    (("unauthorized", "invalid token", "access token"), Unauthorized),
    (("scope", "permission", "forbidden", "access denied", "not allowed"), Forbidden),
    (("invalid", "validation", "bad request", "must be", "cursor"), BadRequest),
)


class PipedriveDialect(Dialect):
    """Tells the limits apart, and what a 200 without success means."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        if answer.status == 429:
            return _limited(answer, tries)
        if answer.status == 403 and is_page(answer):
            reason = "a firewall blocks this address, as after too many refused requests"
            seconds = retry_after(answer) or BLOCKED_SECONDS
            return Pause(max(seconds, BLOCKED_SECONDS), reason, "burst", defer=True)
        if answer.status == 402:
            return Fatal(Closed)
        if answer.status == 200 and _says_it_failed(answer):
            return _failed(answer, tries)
        return None

    def explain(self, answer: Answer) -> str:
        body = _said(answer)
        parts = [body.get(name) for name in ("error", "message", "error_info", "code")]
        told = "; ".join(str(part).rstrip(".") for part in parts if part)
        return masked(told or answer.body)


def _limited(answer: Answer, tries: int) -> Pause:
    left = whole(answer.header("x-daily-ratelimit-token-remaining"))
    if left is not None and left <= 0:
        reason = "the company's tokens of this day are used up"
        return Pause(until_midnight(answer), reason, "daily", defer=True)
    if tries > BURSTS:
        # Whether it is the day's limit nobody said, so it is this reading alone that waits.
        reason = f"too many requests, {tries} times in a row: the day's tokens may be used up"
        return Pause(until_midnight(answer), reason, defer=True)
    told = retry_after(answer)
    reset = whole(answer.header("x-ratelimit-reset"))
    wait = min(BURST_SECONDS * 2 ** (tries - 1), LONGEST_BURST)
    seconds = told if told is not None else max(float(reset), 1.0) if reset is not None else wait
    return Pause(seconds, "too many requests", "burst")


def _failed(answer: Answer, tries: int) -> Verdict:
    text = f"{_said(answer).get('error')} {_said(answer).get('error_info')}".lower()
    if "limit" in text or "too many" in text:
        return _limited(answer, tries)
    if "not found" in text:
        return Absent()
    for words, kind in _MEANINGS:
        if any(word in text for word in words):
            return Fatal(kind)
    return Retry()


def _says_it_failed(answer: Answer) -> bool:
    is_short = len(answer.body) <= 10_000
    return is_short and bool(_FAILED.search(answer.body)) and _said(answer).get("success") is False


def _said(answer: Answer) -> dict[str, Any]:
    """The body, {} when it is no object."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
