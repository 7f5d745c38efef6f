"""The one database session of a sync: it holds the entity's lock, and survives a lost server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import AlreadyRunning, FatalError, Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import history, locks
from crm_sync_assets.warehouse.connection import (
    Connection,
    Warehouse,
    is_lost_connection,
    is_worth_repeating,
    message_of,
)

log = logger(__name__)

T = TypeVar("T")

_TRIES = 5
RECONNECT_SECONDS = 30.0
PAUSE_SECONDS = 0.2
"""Before the second try of a batch; twice as long before each further one."""
_LOCK_POLL_SECONDS = 0.5
PASSING_SECONDS = 120.0
"""For so long everybody waits for one that is passing: it holds the lock for seconds."""


class Session:
    """A pooled connection with the entity's lock on it.

    Raises AlreadyRunning when another sync still has the lock after `wait_seconds`, FatalError when
    the warehouse cannot be reached. `on_reconnect` runs on every new connection: it makes the
    temporary tables again. One that is `passing` gives the lock back soon: others wait for it, and
    it waits for nobody.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        entity: Entity,
        *,
        wait_seconds: float = 0.0,
        passing: bool = False,
    ) -> None:
        self.warehouse = warehouse
        self.entity = entity
        self.on_reconnect: Callable[[Connection], None] = lambda _: None
        self._released = False
        self._passing = locks.passing(history.resource(entity)) if passing else None
        self._pooled = warehouse.checkout()
        try:
            self._lock(wait_seconds)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            self._pooled.close()
            raise Unavailable(
                "the warehouse has no SyncHistory of this version yet: run `crm-sync migrate` once"
            ) from error
        except BaseException:
            self._pooled.invalidate()
            raise

    def _lock(self, wait_seconds: float) -> None:
        began = time.monotonic()
        said = has_looked = False
        while True:
            try:
                return self._take()
            except AlreadyRunning as busy:
                wait = wait_seconds
                if self._passing is None:
                    if self._meets_one_passing():
                        wait, has_looked = max(wait, PASSING_SECONDS), False
                    elif not has_looked:
                        # One that passed may have gone since.
                        has_looked = True
                        continue
                if time.monotonic() >= began + wait:
                    raise
                if not said:
                    log.info("waiting up to %.0f s: %s", wait, busy)
                    said = True
                time.sleep(_LOCK_POLL_SECONDS)

    def _take(self) -> None:
        if self._passing is not None:
            # First, and given back last: nobody finds the entity's lock taken and this one free.
            locks.try_take(self.connection, self._passing)
        history.lock(self.connection, self.entity)

    def _meets_one_passing(self) -> bool:
        name = locks.passing(history.resource(self.entity))
        return locks.holder(self.connection, name) is not None

    @property
    def connection(self) -> Connection:
        return cast(Connection, self._pooled.driver_connection)

    @property
    def is_usable(self) -> bool:
        if self._released or self._is_lost or self.connection.closed:
            return False
        return self.connection.info.transaction_status != TransactionStatus.ACTIVE

    @property
    def _is_lost(self) -> bool:
        """Whether the connection went and no new one was to be had."""
        return self._pooled.driver_connection is None

    def committed(
        self,
        transaction: Callable[[], T],
        *,
        repeatable: bool = True,
        arrived: Callable[[T], bool] = lambda _: False,
    ) -> T:
        """What `transaction` returns, once it is committed.

        It runs again after a deadlock, and on a new connection after a lost one. When the
        connection was lost at the commit, `arrived` is asked whether that one got through.
        Raises FatalError for what the warehouse refuses for good.
        """
        unacknowledged: list[T] = []
        for attempt in range(1, _TRIES + 1):
            try:
                with self.connection.transaction():
                    if unacknowledged and arrived(unacknowledged[0]):
                        return unacknowledged[0]
                    try:
                        unacknowledged = [transaction()]
                    except BaseException:
                        self._cancel()
                        raise
                    return unacknowledged[0]
            except psycopg.Error as error:
                lost = is_lost_connection(error) or self.connection.closed
                worth_it = repeatable and (lost or is_worth_repeating(error))
                if not worth_it or attempt == _TRIES:
                    raise Unavailable(
                        f"{self.entity}: the warehouse refused a batch: {message_of(error)}. "
                        "Nothing of that batch was stored; the next sync resumes before it"
                    ) from error
                log.warning("%s: %s; trying the batch again", self.entity, message_of(error))
                time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
                if lost:
                    self.reconnect()
        raise AssertionError("unreachable")

    def _cancel(self) -> None:
        """End the statement that an interrupted sync left running: the server would finish it
        first, however long that takes, and keep the lock meanwhile.
        """
        connection = self.connection
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)
            connection.close()

    def reconnect(self) -> None:
        """A new connection with the lock, for one that was lost.

        Raises AlreadyRunning when another sync took the lock meanwhile, FatalError when the
        server stays away.
        """
        self._pooled.invalidate()
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                self._pooled = self.warehouse.checkout()
                if self._passing is not None:
                    locks.try_take(self.connection, self._passing)
                history.relock(self.connection, self.entity)
                self.on_reconnect(self.connection)
                self.connection.commit()
                return
            except (FatalError, psycopg.Error) as error:
                if not self._is_lost:
                    # Back in the pool it would keep the lock.
                    self._pooled.invalidate()
                if isinstance(error, AlreadyRunning) or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def release(self) -> None:
        """Give the lock and the connection back. Safe to call twice."""
        if self._released:
            return
        self._released = True
        if self._is_lost:
            return
        try:
            self._cancel()
            self.connection.rollback()
            self.connection.execute("DISCARD TEMP")
            history.unlock(self.connection, self.entity)
            if self._passing is not None:
                locks.release(self.connection, self._passing)
            self._pooled.close()
        except psycopg.Error:
            # The connection is gone, and the lock with it.
            self._pooled.invalidate()
