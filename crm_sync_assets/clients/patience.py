"""What one reading waits for its source, within its time budget, and when it gives up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from crm_sync_assets.clients.answers import LONGEST_BACKOFF, Again, Pause, jitter
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import Deferred, FatalError, TransientError
from crm_sync_assets.log import logger
from crm_sync_assets.masking import masked
from crm_sync_assets.settings import SyncSettings

log = logger(__name__)

A_MOMENT = 0.25
"""Seconds."""


class Patience:
    """The waits of one reading, on behalf of `subject`, counted in `usage`.

    `waited` are the seconds so far, `budget_seconds` at most. Several threads may wait at once:
    what they wait at the same time counts once.
    """

    def __init__(
        self, subject: str, settings: SyncSettings, sleep: Callable[[float], None], usage: Usage
    ) -> None:
        self._subject = subject
        self._settings = settings
        self._sleep = sleep
        self._usage = usage
        self.waited = 0.0
        self._waits: list[float] = []
        self._counting = threading.Lock()

    def pause(self, request: str, pause: Pause) -> None:
        """Wait as the source asks. Raises Deferred when that is more than may be waited."""
        seconds, reason = max(pause.seconds, 0.0), masked(pause.reason)
        if pause.defer or not self._has(seconds):
            raise self._deferred(request, reason, seconds)
        log.info("%s: %s, waiting %.1f s", self._subject, reason, seconds)
        self._usage.add(rate_limit_wait_seconds=seconds)
        self._wait(seconds)

    def back_off(self, again: Again, tries: int, secrets: Sequence[str]) -> None:
        """Wait before the next try after so many that failed.

        Raises TransientError, FatalError or Deferred when there is none.
        """
        most = self._settings.max_attempts
        reason = masked(again.reason, secrets, 600)
        seconds = max(again.least, jitter(min(0.5 * 2**tries, LONGEST_BACKOFF)))
        if tries >= most:
            if again.content:
                raise FatalError(
                    f"{self._subject}: unexpected content, {tries} times in a row: {reason}. Check "
                    "the base URL, and whether a proxy or a login page answers in its place."
                ) from again
            raise (again.then or TransientError)(
                f"{self._subject}: {reason}; given up after {tries} failures in a row. What was "
                "stored stays; the next sync resumes from there."
            ) from again
        if not self._has(seconds):
            if again.least:
                raise self._deferred(reason, "the source asks for a pause", seconds)
            raise TransientError(
                f"{self._subject}: {reason}; the time budget for retries is used up "
                f"({self.waited:.0f} s). The next sync resumes from the last stored page."
            ) from again
        log.info("%s: %s; try %d of %d in %.1f s", self._subject, reason, tries + 1, most, seconds)
        self._usage.add(retries=1)
        self._wait(seconds)

    def ask_again(self, tries: int, why: str, *, is_odd: bool = True) -> None:
        """Wait as after so many failures, if there is time for it.

        What is asked for twice only to be sure, and not because it `is_odd`, is no retry, and waits
        a moment.
        """
        seconds = jitter(min(0.5 * 2**tries, LONGEST_BACKOFF) if is_odd else A_MOMENT)
        level = logging.INFO if is_odd else logging.DEBUG
        log.log(level, "%s: %s; asking again in %.1f s", self._subject, why, seconds)
        self._usage.add(retries=int(is_odd))
        if self._has(seconds):
            self._wait(seconds)

    def _has(self, seconds: float) -> bool:
        """Whether the time budget allows for such a wait."""
        return self._waited_after(seconds) <= self._settings.budget_seconds

    def _deferred(self, request: str, reason: str, seconds: float) -> Deferred:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        budget = self._settings.budget_seconds
        return Deferred(
            f"{self._subject}: deferred until {until.isoformat()}: {request}: {reason}; the source "
            f"asks for {seconds:.0f} s, {self.waited:.0f} of at most {budget:.0f} s were waited "
            "already. What was stored stays; the next sync resumes from there.",
            until=until,
        )

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._counting:
            self.waited = self._waited_after(seconds)
            self._waits.append(until)
        try:
            self._sleep(seconds)
        finally:
            with self._counting:
                self._waits.remove(until)

    def _waited_after(self, seconds: float) -> float:
        """Seconds waited in all after such a wait, without what it shares with waits under way."""
        alone = time.monotonic() + seconds - max(self._waits, default=0.0)
        return self.waited + min(seconds, max(alone, 0.0))
