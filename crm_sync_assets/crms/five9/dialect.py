"""How Five9 says no: by the names of its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from crm_sync_assets.clients.answers import Answer, Fatal, Pause, Retry, Verdict
from crm_sync_assets.clients.soap.faults import Fault, Faults
from crm_sync_assets.errors import BadRequest, FatalError, Forbidden, Unauthorized

WINDOW: Final = "minute"
FIRST_WAIT, LONGEST_WAIT = 60.0, 3_600.0
LOGGED_IN_WAIT: Final = 10.0
"""Seconds until a session of the same user has ended, perhaps."""


class NoSuchField(BadRequest):
    """A contact field that the domain has not, or has no longer."""


class Unfit(BadRequest):
    """A criterion that the service does not take."""


class NotReady(FatalError):
    """A report whose result is asked for while it runs."""


class UnknownReport(FatalError):
    """A run of a report that is not known, or not any more."""


Seconds = Callable[[str, str], float]
"""A kind of call and its limit → how long that window is."""


class Five9Dialect(Faults):
    """Verdicts by faults. `seconds_of` knows the windows of the tenant's limits."""

    def __init__(self, seconds_of: Seconds) -> None:
        def used_up(fault: Fault, _: Answer, tries: int) -> Verdict:
            told = seconds_of(fault.said.get("operationType", ""), fault.said.get("limit", ""))
            seconds = min((told or FIRST_WAIT) * 2.0 ** min(tries - 1, 10), LONGEST_WAIT)
            return Pause(max(seconds, told), str(fault), WINDOW)

        super().__init__(
            {
                "OperationsLimitExceededFault": used_up,
                "ServerFault": Retry(),
                "ServiceUnavailableFault": Retry(),
                "ConcurrentModificationFault": Retry(),
                # Each request says who asks, so that the next one opens a session anew.
                "AdminSessionClosedFault": Retry(),
                "SessionClosedFault": Retry(),
                "UserAlreadyLoggedInFault": Retry(least=LOGGED_IN_WAIT),
                "ResultIsNotReadyFault": Fatal(NotReady),
                "UnknownIdentifierFault": Fatal(UnknownReport),
                "AccessDisallowedFault": Fatal(Forbidden),
                "InvalidAccountFault": Fatal(Unauthorized),
                "CrmFieldNotFoundFault": Fatal(NoSuchField),
                "MissedArgumentFault": Fatal(Unfit),
                "IncorrectArgumentFault": Fatal(Unfit),
                "InvalidRegexpPatternFault": Fatal(BadRequest),
                "ReportNotFoundFault": Fatal(BadRequest),
            }
        )

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        verdict = super().verdict(answer, tries)
        if isinstance(verdict, Pause) and verdict.window is None:
            return replace(verdict, window=WINDOW)
        return verdict
