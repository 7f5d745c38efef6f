"""Deliveries on their way into the warehouse: those that arrive together share one transaction.

While one is committed the next ones gather, so a burst costs a commit for many and a quiet hour one
for each. One connection of a process is enough for it, and nothing is answered before its commit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from crm_sync_assets.errors import Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import redact
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import encryption, webhook_events
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.vault import Vault
from crm_sync_assets.warehouse.webhook_events import Received

log = logger(__name__)

TOGETHER: Final = 1_000
"""Events of one statement, unless one delivery has more."""

MOST_WAITING: Final = 2_000
"""Deliveries that wait to be stored; further ones are sent away to come again."""

STATEMENT_SECONDS: Final = 4

Store = Callable[[Sequence[Received]], int]
"""Keeps events, and says how many were new. Raises what the warehouse raises."""


class Keeper:
    """Keeps events in the warehouse that `open_warehouse` gives; from one thread at a time."""

    def __init__(self, open_warehouse: Callable[[], Warehouse]) -> None:
        self._open = open_warehouse
        self._warehouse: Warehouse | None = None
        self._vault: Vault | None = None

    def __call__(self, received: Sequence[Received]) -> int:
        try:
            return self._stored(received)
        except Unavailable:
            # A key may have been retired, or be the first: the next ones look it up again.
            self._warehouse = None
            raise

    def _stored(self, received: Sequence[Received]) -> int:
        if self._warehouse is None:
            warehouse = self._open()
            self._vault = encryption.vault_for_writing(warehouse)
            self._warehouse = warehouse
        with self._warehouse.connection() as connection:
            return self._committed(connection, received)

    def _committed(self, connection: Connection, received: Sequence[Received]) -> int:
        with connection.transaction():
            # A lock that is held for long must not hold the answer back.
            connection.execute(f"SET LOCAL statement_timeout = {1000 * STATEMENT_SECONDS}")
            encryption.hold(connection, self._vault)
            return webhook_events.add(connection, received, self._vault)


class Full(Exception):
    """More deliveries wait than may."""


@dataclass(slots=True)
class _Waiting:
    received: Sequence[Received]
    stored: asyncio.Future[None]


class Writer:
    """Stores what deliveries tell, one group after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.new = 0
        """Events that were not there before."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Once nothing waits any more; who stops it waits for the answers first."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def put(self, received: Sequence[Received]) -> None:
        """Ends when these are committed. Raises Full, or what the warehouse raises."""
        if len(self._waiting) >= MOST_WAITING:
            raise Full
        waiting = _Waiting(received, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        try:
            await waiting.stored
        finally:
            # Nobody waits for it any more: if it was not begun, it need not be.
            if not waiting.stored.done() or waiting.stored.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiting)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            group = self._next_group()
            if not group:
                self._arrived.clear()
                continue
            await self._store_all(group)

    async def _store_all(self, group: Sequence[_Waiting]) -> None:
        events = [event for one in group for event in one.received]
        try:
            self.new += await asyncio.to_thread(self._store, events)
        except psycopg.DataError as error:
            # One delivery must not keep the others out, whatever is in it.
            for one in group if len(group) > 1 else ():
                await self._store_all([one])
            _settle(group, error)
        except Exception as error:  # noqa: BLE001  what waits must hear of it
            log.warning("webhooks: not stored: %s", redact(words(error)))
            _settle(group, error)
        else:
            _settle(group, None)

    def _next_group(self) -> list[_Waiting]:
        group, size = list[_Waiting](), 0
        while self._waiting and (not group or size < TOGETHER):
            one = self._waiting.pop(0)
            group.append(one)
            size += len(one.received)
        return group


def _settle(group: Sequence[_Waiting], error: Exception | None) -> None:
    for one in group:
        if one.stored.done():
            continue
        if error is None:
            one.stored.set_result(None)
        else:
            one.stored.set_exception(error)
