"""How CallRail's API is reached, and how it says no. https://apidocs.callrail.com"""

from __future__ import annotations

from typing import Final

from crm_sync_assets.clients.answers import (
    Answer,
    Dialect,
    Pause,
    Retry,
    Verdict,
    is_page,
    retry_after,
)
from crm_sync_assets.clients.decoding import loads
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header
from crm_sync_assets.crms.callrail.variables import API_KEY, BASE_URL
from crm_sync_assets.errors import Unavailable
from crm_sync_assets.masking import masked

FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 900.0
"""Seconds: a 429 does not say how long, and the shortest limit is one of an hour."""


class CallRailDialect(Dialect):
    """Error bodies are not documented: {"error": …}, {"errors": […]} and plain text were seen."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        if answer.status == 429:
            told = retry_after(answer)
            wait = min(FIRST_WAIT * 2.0 ** (tries - 1), LONGEST_WAIT)
            said = self.explain(answer) or "too many requests"
            return Pause(wait if told is None else told, said, "hour")
        if 400 <= answer.status < 500 and is_page(answer):
            # A firewall's: its 403 is about no permission, and its 404 is no deletion.
            return Retry("a page for people came in the API's place", then=Unavailable)
        return None

    def explain(self, answer: Answer) -> str:
        try:
            body = loads(answer.body)
        except ValueError:
            return masked(answer.body)
        found = body if isinstance(body, dict) else {}
        said = found.get("errors") or found.get("error") or found.get("message")
        if not said:
            return masked(answer.body)
        return masked("; ".join(map(str, said)) if isinstance(said, list) else str(said))


API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Header("Authorization", API_KEY, form='Token token="{}"'),
    probe="/a.json",
    windows=("hour", "day"),
    dialect=CallRailDialect(),
)
