"""How Arrivy's API is reached, and how it says no."""

from __future__ import annotations

from typing import Final

from crm_sync_assets.clients.answers import Answer, Dialect, Pause, Verdict, retry_after
from crm_sync_assets.clients.decoding import loads
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header, Headers
from crm_sync_assets.crms.arrivy.variables import AUTH_KEY, AUTH_TOKEN, BASE_URL
from crm_sync_assets.masking import masked

FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 900.0
"""Seconds, where a 429 does not say how long."""


class ArrivyDialect(Dialect):
    """{"message": …} or {"description": …}; a 400 has a code in one of them."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        if answer.status != 429:
            return None
        told = retry_after(answer)
        wait = min(FIRST_WAIT * 2.0 ** (tries - 1), LONGEST_WAIT) if told is None else told
        return Pause(wait, self.explain(answer) or "too many requests", "minute")

    def explain(self, answer: Answer) -> str:
        try:
            body = loads(answer.body)
        except ValueError:
            return masked(answer.body)
        found = body if isinstance(body, dict) else {}
        said = [str(found[name]) for name in ("message", "description") if found.get(name)]
        return masked("; ".join(said) or answer.body)


API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Headers(Header("X-Auth-Key", AUTH_KEY), Header("X-Auth-Token", AUTH_TOKEN)),
    probe="/users/profile",
    account="owner",
    named="fullname",
    windows=("minute", "hour"),
    dialect=ArrivyDialect(),
)
