"""How Athena says no: by the type of an error, mostly with the status 400."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_sync_assets.clients.answers import (
    Answer,
    Dialect,
    Fatal,
    Pause,
    Retry,
    Verdict,
    retry_after,
)
from crm_sync_assets.clients.decoding import loads
from crm_sync_assets.errors import Forbidden, Gone, Unauthorized

THROTTLED: Final = ("TooManyRequestsException", "ThrottlingException", "Throttling")
REFUSED: Final = (
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidClientTokenId",
    "IncompleteSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationTokenException",
    "MissingAuthenticationToken",
)
CLOSED: Final = ("AccessDeniedException", "AccessDenied")
PASSING: Final = ("InternalServerException", "InternalFailure", "ServiceUnavailableException")
LONGEST_PAUSE: Final = 100.0
"""Seconds: a pause is one second after the first refusal, and doubles up to this."""
_LOST: Final = re.compile(r"not found|could not find|no longer|does not exist|expired", re.I)
_RIGHTS: Final = re.compile(r"\b(?:athena|glue|s3|kms|lakeformation):[A-Z]\w+")


class AthenaDialect(Dialect):
    """Errors are {"__type": …, "Message": …}."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        kind, said = told(answer)
        if kind in THROTTLED:
            wait = retry_after(answer)
            wait = min(2.0 ** (tries - 1), LONGEST_PAUSE) if wait is None else wait
            return Pause(wait, f"{kind}: {said}")
        if kind in REFUSED:
            return Fatal(Unauthorized)
        if kind in CLOSED:
            return Fatal(Forbidden)
        if kind in PASSING:
            return Retry()
        if kind == "InvalidRequestException" and _LOST.search(said):
            # A query is forgotten after 45 days, its result whenever a rule of its bucket says so.
            return Fatal(Gone)
        return super().verdict(answer, tries)

    def explain(self, answer: Answer) -> str:
        kind, said = told(answer)
        return f"{kind}: {said}" if kind else super().explain(answer)

    def grants(self, answer: Answer) -> Sequence[str]:
        return rights_in(told(answer)[1])


def told(answer: Answer) -> tuple[str, str]:
    """Type and message of an error; "" where the body has none."""
    if answer.status < 400:
        return "", ""
    try:
        body: Any = loads(answer.body)
    except ValueError:
        return "", ""
    if not isinstance(body, Mapping):
        return "", ""
    # Some say it with a namespace before a # and an address behind a colon.
    kind = str(body.get("__type") or "").rpartition("#")[2].partition(":")[0]
    return kind, str(body.get("Message") or body.get("message") or "")


def rights_in(text: str) -> list[str]:
    """The rights that a refusal names."""
    return sorted({*_RIGHTS.findall(text)})
