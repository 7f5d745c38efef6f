"""What a receiver has heard and refused: counted in memory, told to the warehouse now and then.

Whoever sends what is not proven costs an addition, however much of it; what is counted is bounded
by the sorts of events and the reasons there are. What was not told yet is told at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync_assets.log import logger
from crm_sync_assets.receiver.known import Seldom
from crm_sync_assets.redaction import redact
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Received
from crm_sync_assets.warehouse.webhook_tallies import Refusal, Sort, Span

log = logger(__name__)

EVERY_SECONDS: Final = 15.0
UP_SECONDS: Final = 60.0
"""So often it says that it is there."""

STATEMENT_SECONDS: Final = 4

Ready = Callable[[], Collection[str]]
"""The CRMs whose deliveries can be proven now. May raise SyncError."""


class Tally:
    """Counts, and tells the warehouse that `open_warehouse` gives."""

    def __init__(
        self, open_warehouse: Callable[[], Warehouse], ready: Ready, now: Callable[[], datetime]
    ) -> None:
        self._open = open_warehouse
        self._ready = ready
        self._now = now
        self._heard: dict[Sort, Span] = {}
        self._refused: dict[Refusal, Span] = {}
        self._said_up = -UP_SECONDS
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._warn = Seldom(log.warning)

    def hear(self, received: Sequence[Received]) -> None:
        """These were stored, or were known."""
        now = self._now()
        for one in received:
            event = one.event
            _grow(self._heard, Sort(one.source, event.entity or "", event.happened), 1, now, now)

    def refuse(self, source: str, reason: str) -> None:
        """A delivery of this CRM was not proven; `reason` is one of few."""
        now = self._now()
        _grow(self._refused, Refusal(source, reason), 1, now, now)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Once no delivery is under way any more."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._tell()
            try:
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            except TimeoutError:
                continue
        await self._tell()

    async def _tell(self) -> None:
        """What is counted and not told. Never raises: what cannot be told now waits."""
        heard, refused = self._heard, self._refused
        says_up = time.monotonic() - self._said_up >= UP_SECONDS
        if not (heard or refused or says_up):
            return
        self._heard, self._refused = {}, {}
        try:
            await asyncio.to_thread(self._told, heard, refused, says_up)
        except Exception as error:  # noqa: BLE001  deliveries are taken, whatever becomes of this
            self._warn("webhooks: %s: %s", "what was counted waits", redact(words(error)))
            # An answer of the warehouse may have been lost: then these are told twice.
            for sort, span in heard.items():
                _grow(self._heard, sort, span.count, span.first, span.last)
            for refusal, span in refused.items():
                _grow(self._refused, refusal, span.count, span.first, span.last)
        else:
            self._said_up = time.monotonic() if says_up else self._said_up

    def _told(
        self, heard: Mapping[Sort, Span], refused: Mapping[Refusal, Span], says_up: bool
    ) -> None:
        with self._open().connection() as connection, connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {1000 * STATEMENT_SECONDS}")
            if heard:
                webhook_tallies.add_heard(connection, heard)
            if refused:
                webhook_tallies.add_refused(connection, refused)
            if says_up:
                webhook_tallies.is_up(connection, self._ready(), self._now())


def _grow(
    spans: dict[Any, Span], key: Sort | Refusal, count: int, first: datetime, last: datetime
) -> None:
    span = spans.get(key)
    if span is None:
        spans[key] = Span(count, first, last)
    else:
        span.grow(count, first, last)
