"""How MarketSharp says no: often under load, and now and then for no reason.

No limit is published. A service under load answers 503; 400 and 404 were seen to come and go for
requests that were right, so each is believed only after several tries.
"""

from __future__ import annotations

from typing import Final

from crm_sync_assets.clients.answers import (
    Answer,
    Dialect,
    Pause,
    Retry,
    Verdict,
    retry_after,
)
from crm_sync_assets.clients.odata.feed import message_of
from crm_sync_assets.errors import BadRequest, Unavailable, Unknown
from crm_sync_assets.masking import masked

WAIT: Final = 10.0
"""Seconds before another try."""


class Overloaded(Dialect):
    """Waits ten seconds after whatever may pass."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        told = retry_after(answer)
        if answer.status == 429:
            seconds = min(WAIT * 2.0 ** (tries - 1), 300.0) if told is None else told
            return Pause(seconds, self.explain(answer) or "too many requests", "minute")
        if answer.status >= 500 or answer.status == 408:
            return Retry(least=WAIT if told is None else told)
        if "html" in (answer.header("content-type") or "") and answer.status >= 400:
            # A firewall's, which is about no permission and no set.
            return Retry("a page for people came in the API's place", WAIT, Unavailable)
        if answer.status in (400, 404):
            return Retry(least=WAIT, then=BadRequest if answer.status == 400 else Unknown)
        return None

    def explain(self, answer: Answer) -> str:
        return masked(message_of(answer.body) or answer.body)
