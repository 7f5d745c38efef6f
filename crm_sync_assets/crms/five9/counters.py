"""What the tenant has left of each kind of call, as its own counters say.

The limits differ from tenant to tenant and are published nowhere. They count this user's calls
alone, in windows of a minute, an hour, a day.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from crm_sync_assets.clients.http import Session
from crm_sync_assets.errors import Forbidden
from crm_sync_assets.log import logger

log = logger(__name__)

KINDS: Final = {
    "getListsInfo": "Query",
    "getContactFields": "Query",
    "getContactRecords": "Query",
    "runReport": "ReportRequest",
    "isReportRunning": "ReportRequest",
    "getReportResultCsv": "RetrieveReport",
}
"""What an operation counts as."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A kind of call in one window, of so many seconds."""

    kind: str
    limit: int
    used: int
    seconds: float


class Counters:
    """Leaves `reserve` of every limit to the user's other calls.

    They are looked at again before half of what they left is used, for others call as well.
    """

    def __init__(self, reserve: float) -> None:
        self._reserve = reserve
        self._lock = threading.Lock()
        self._known: list[Counter] = []
        self._free: dict[str, int] = {}
        self._is_closed = False

    def seconds_of(self, kind: str, limit: str) -> float:
        """How long the window of a limit is; 0 where it is not known."""
        with self._lock:
            known = [one for one in self._known if one.kind == kind]
        exact = [one.seconds for one in known if str(one.limit) == limit]
        return exact[0] if len(exact) == 1 else 0.0

    def wait_for(self, operation: str, session: Session, ask: Callable[[], Any]) -> None:
        """Come back when such a call fits into every window; `ask` asks for the counters.

        Raises Deferred where that takes longer than may be waited.
        """
        kind = KINDS.get(operation)
        while kind is not None and not self._take(kind):
            try:
                self._note(ask())
            except Forbidden as error:
                log.info("%s: the counters may not be read: %s", session.subject, error)
                with self._lock:
                    self._is_closed = True
                return
            spent = self._spent(kind)
            if spent is not None:
                session.hold_off(
                    spent.seconds,
                    f"{spent.used} of {spent.limit} calls of the kind {kind} are used, and "
                    f"{self._reserve:.0%} are left to others",
                )

    def _take(self, kind: str) -> bool:
        with self._lock:
            if self._is_closed:
                return True
            free = self._free.get(kind, 0)
            if free > 0:
                self._free[kind] = free - 1
            return free > 0

    def _note(self, states: Any) -> None:
        found = [
            Counter(str(one["operationType"]), one["limit"], one["value"], float(state["timeout"]))
            for state in states or ()
            for one in state["callCounterStates"] or ()
        ]
        free = {kind: self._half_of(kind, found) for kind in set(KINDS.values())}
        with self._lock:
            self._known, self._free = found, free

    def _half_of(self, kind: str, found: list[Counter]) -> int:
        left = [self._left(one) for one in found if one.kind == kind]
        # What has no counter has no limit that anybody knows of.
        return (min(left) + 1) // 2 if left else 1_000

    def _left(self, one: Counter) -> int:
        return max(int(one.limit * (1 - self._reserve)) - one.used, 0)

    def _spent(self, kind: str) -> Counter | None:
        """Of the windows that have nothing left the longest."""
        with self._lock:
            spent = [one for one in self._known if one.kind == kind and not self._left(one)]
        return max(spent, key=lambda one: one.seconds, default=None)
