"""How Google's APIs are reached, and how they say no."""

from __future__ import annotations

import random
from typing import Final

from crm_sync_assets.clients.answers import (
    Answer,
    Fatal,
    Pause,
    Verdict,
    retry_after,
)
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header, OAuth, OneOf
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.clients.rest.grants import JwtBearer
from crm_sync_assets.crms.gsheet.variables import (
    API_KEY,
    BASE_URL,
    DRIVE_URL,
    SERVICE_ACCOUNT,
    TOKEN_URL,
)
from crm_sync_assets.errors import Unauthorized

_SCOPE: Final = "https://www.googleapis.com/auth/"
SCOPES: Final = f"{_SCOPE}spreadsheets.readonly {_SCOPE}drive.metadata.readonly"
LONGEST_WAIT: Final = 64.0
"""Seconds. https://developers.google.com/workspace/sheets/api/limits#exponential-backoff"""

GRANT: Final = JwtBearer(
    TOKEN_URL,
    SERVICE_ACCOUNT,
    seconds=3_600,
    token_path="/token",
    scope=SCOPES,
    lifetime_seconds=3_600,
    about="a service account",
)
KEY: Final = Header("X-Goog-Api-Key", API_KEY)
ACCOUNT: Final = OAuth(GRANT)
AUTH: Final = OneOf(ACCOUNT, KEY)


class Google(Patient):
    """A limit is a 429, or Drive's 403; a key that is none is a 400."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        body = answer.body[:4_000]
        is_limit = answer.status == 403 and b"ateLimitExceeded" in body
        if answer.status == 429 or is_limit:
            told = retry_after(answer)
            wait = min(2.0 ** min(tries, 6) + random.uniform(0, 1), LONGEST_WAIT)
            said = self.explain(answer) or "too many requests"
            return Pause(wait if told is None else told, said, self._window)
        if answer.status == 400 and b"API_KEY_INVALID" in body:
            return Fatal(Unauthorized)
        return super().verdict(answer, tries)


SHEETS: Final = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=AUTH,
    probe="/spreadsheets/{id}",
    windows=("minute",),
    dialect=Google("minute"),
    name="sheets",
)
# Its limit is thousands of times as wide.
DRIVE: Final = Api(
    str(DRIVE_URL.default),
    base_variable=DRIVE_URL.name,
    auth=AUTH,
    probe="/files/{id}",
    dialect=Google(""),
    name="drive",
)
