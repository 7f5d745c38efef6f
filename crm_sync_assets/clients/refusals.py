"""What becomes of an answer that was not accepted: the error, its class and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from crm_sync_assets.clients.answers import (
    Absent,
    Again,
    Answer,
    Dialect,
    Fatal,
    Retry,
    Verdict,
    is_page,
)
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    FatalError,
    Forbidden,
    Gone,
    TooLong,
    Unauthorized,
    Unknown,
)
from crm_sync_assets.masking import masked

KINDS: Final[Mapping[int, type[FatalError]]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: Closed,
    410: Gone,
    414: TooLong,
}


def is_refused(answer: Answer, verdict: Verdict | None) -> bool:
    """Whether it is the credentials that the source refuses."""
    if isinstance(verdict, Fatal):
        return verdict.kind is Unauthorized
    return verdict is None and answer.status == 401


def failure(
    answer: Answer,
    verdict: Verdict | None,
    dialect: Dialect,
    *,
    subject: str,
    variable: str,
    secrets: Sequence[str],
) -> Exception:
    """Again where another try may succeed, else a FatalError.

    `variable` is the one to look at when the credentials are refused.
    """
    given = verdict.reason if isinstance(verdict, Retry | Fatal | Absent) else ""
    # It is a part of a sentence of ours, which ends by itself.
    said = masked(given or dialect.explain(answer), secrets, 600).rstrip(". ")
    status = answer.status
    what = f"{answer.request} answered {status}"
    what = f"{what}: {said}" if said else what
    if isinstance(verdict, Retry):
        return Again(what, least=verdict.least, then=verdict.then)
    if isinstance(verdict, Absent):
        return Gone(f"{subject}: {what}")
    if verdict is None and (status >= 500 or status in (408, 423, 425)):
        return Again(what, least=dialect.least_wait(answer))
    kind = verdict.kind if isinstance(verdict, Fatal) else KINDS.get(status, FatalError)
    if kind is Forbidden and is_page(answer):
        # A firewall's, which is about no permission.
        kind = Closed
    error = kind(f"{subject}: {what}. {_advice(kind, variable)}")
    if isinstance(error, Forbidden):
        error.grants = tuple(dialect.grants(answer))
    return error


def _advice(kind: type[FatalError], variable: str) -> str:
    if kind is Unauthorized:
        return f"The token was refused: check {variable}."
    if kind is Forbidden:
        return "Grant what is missing to the app or token, then run it again."
    if kind is Unknown:
        return "The account has no such thing: check its name or type id in the settings."
    if kind is Closed:
        return "Check the base URL, the object's name or type id, and whether it is enabled."
    return "No retry mends this: check the declaration of the entity and the settings."
