"""How many APIs say no: a 429 that does not say how long, error bodies of several shapes."""

from __future__ import annotations

from typing import Any, Final

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
from crm_sync_assets.errors import Unavailable
from crm_sync_assets.masking import masked

FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 900.0
"""Seconds: where a 429 does not say how long, the first pause and the longest."""
DOUBLINGS: Final = 4
"""Lead from the one to the other; a source may be asked again thousands of times."""


class Patient(Dialect):
    """Waits a minute and longer after a 429; takes a page for people for no answer of the API.

    Errors are {"error": …}, {"errors": […]}, {"message": …, "description": …} or plain text.
    `window` names the budget window that shares the pauses.
    """

    def __init__(self, window: str) -> None:
        self._window = window

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        if answer.status == 429:
            told = retry_after(answer)
            wait = min(FIRST_WAIT * 2.0 ** min(tries - 1, DOUBLINGS), LONGEST_WAIT)
            said = self.explain(answer) or "too many requests"
            return Pause(wait if told is None else told, said, self._window)
        if 400 <= answer.status < 500 and is_page(answer):
            # A firewall's: its 403 is about no permission, and its 404 is no deletion.
            return Retry("a page for people came in the API's place", then=Unavailable)
        return None

    def explain(self, answer: Answer) -> str:
        try:
            body = loads(answer.body)
        except ValueError:
            return masked(answer.body)
        said = _said(body)
        return masked(said or answer.body)


def _said(body: Any) -> str:
    """What an error's body says, "" where that is nowhere to be found."""
    if isinstance(body, list):
        return "; ".join(filter(None, map(_said, body)))
    if isinstance(body, dict):
        found = body.get("errors") or body.get("error")
        return _said(found or [body.get("message") or "", body.get("description") or ""])
    return str(body)
