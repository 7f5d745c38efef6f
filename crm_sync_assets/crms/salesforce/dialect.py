"""How Salesforce says no, and what it says of the day's requests beside every answer.

Errors are a list of {"message", "errorCode"}; there is no 429 and no Retry-After.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

from __future__ import annotations

import random
import re
import threading
import time
from datetime import UTC, datetime, timedelta
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
)
from crm_sync_assets.clients.decoding import loads
from crm_sync_assets.errors import (
    BadRequest,
    Deferred,
    FatalError,
    Forbidden,
    Unauthorized,
    Unavailable,
    Unknown,
)
from crm_sync_assets.masking import masked

DAY_WAIT: Final = 3_600.0
"""Seconds until it makes sense to ask again where the requests of 24 hours, any 24, are used up."""
LOOKED_AT: Final = 900.0
"""Seconds for which it is believed that too few requests are left: then one looks again."""
CONCURRENT_WAIT: Final = (30.0, 60.0)
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


class TooMuch(BadRequest):
    """A query that takes too long, or finds too much: a smaller one may do."""


class NoSuchField(BadRequest):
    """A field that the object has not, or that is hidden from this user."""


KINDS: Final[dict[str, type[FatalError]]] = {
    "INVALID_SESSION_ID": Unauthorized,
    "INVALID_AUTH_HEADER": Unauthorized,
    "QUERY_TIMEOUT": TooMuch,
    "OPERATION_TOO_LARGE": TooMuch,
    "EXCEEDED_ID_LIMIT": TooMuch,
    "INVALID_FIELD": NoSuchField,
    "INVALID_TYPE": Unknown,
    "INSUFFICIENT_ACCESS": Forbidden,
    "FUNCTIONALITY_NOT_ENABLED": Unknown,
}


class Quota:
    """How many of the requests of 24 hours the whole org has used, as its answers say.

    `reserve` is the share that is left to others.
    """

    def __init__(self, reserve: float) -> None:
        self._reserve = reserve
        self._lock = threading.Lock()
        self._seen: tuple[int, int, float] | None = None

    def note(self, answer: Answer) -> None:
        """What an answer says beside its records, "api-usage=25/5000"."""
        told = _USAGE.search(answer.header("sforce-limit-info") or "")
        if told:
            with self._lock:
                self._seen = int(told[1]), int(told[2]), time.monotonic()

    @property
    def seen(self) -> tuple[int, int] | None:
        """(used, of how many), None before any answer that tells."""
        seen = self._seen
        return seen[:2] if seen else None

    def refuse_if_spent(self, subject: str) -> None:
        """Raises Deferred where no more than the reserve is left."""
        with self._lock:
            if self._seen is None:
                return
            used, most, at = self._seen
            if used < most * (1 - self._reserve):
                return
            if time.monotonic() - at > LOOKED_AT:
                # Requests of a day ago are forgotten one by one: one request asks how many.
                self._seen = None
                return
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=DAY_WAIT)
        raise Deferred(
            f"{subject}: deferred until {until.isoformat()}: {used} of the {most} requests that "
            f"the org has in 24 hours are used, and {self._reserve:.0%} are left to others "
            "(CRM_SYNC_SALESFORCE__RATE_RESERVE). What was stored stays; the next sync resumes "
            "from there.",
            until=until,
        )


class SalesforceDialect(Dialect):
    """Verdicts by error code; notes the requests used in `quota`."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        self.quota.note(answer)
        if answer.status < 400:
            return None
        if answer.status in (401, 403, 404) and is_page(answer):
            return Retry("a page for people came in the API's place", then=Unavailable)
        if answer.status == 431:
            return Fatal(FatalError)
        code, message = _first(answer)
        if answer.status == 409:
            # A bulk job of another version of the API.
            return Absent(message)
        if code == "REQUEST_LIMIT_EXCEEDED":
            if "concurrent" in message.lower():
                return Pause(random.uniform(*CONCURRENT_WAIT), message)
            return Pause(DAY_WAIT, message, defer=True)
        if code in KINDS:
            return Fatal(KINDS[code], f"{code}: {message}")
        return super().verdict(answer, tries)

    def explain(self, answer: Answer) -> str:
        code, message = _first(answer)
        return masked(f"{code}: {message}" if code else answer.body)


def _first(answer: Answer) -> tuple[str, str]:
    """Code and message of the first error of an answer, empty where it has none."""
    try:
        body: Any = loads(answer.body)
    except ValueError:
        return "", ""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", ""
    return str(first.get("errorCode") or ""), str(first.get("message") or "")
