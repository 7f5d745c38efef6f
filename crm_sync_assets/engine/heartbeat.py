"""The sign of life that a sync gives while no batch is due."""

from __future__ import annotations

import time

import psycopg

from crm_sync_assets.engine.session import Session
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import is_lost_connection


class Heartbeat:
    """Tells SyncHistory that a sync is alive. A dry run's open transaction is left alone."""

    def __init__(self, session: Session, sync_id: int, *, dry: bool) -> None:
        self._session = session
        self._sync_id = sync_id
        self._dry = dry
        self._last = time.monotonic()

    def beat(self) -> None:
        self._last = time.monotonic()
        if self._dry:
            with self._session.warehouse.connection() as connection:
                history.beat(connection, self._sync_id)
            return
        try:
            history.beat(self._session.connection, self._sync_id)
        except psycopg.Error as error:
            if not is_lost_connection(error):
                raise
            self._session.reconnect()

    def after_a_batch(self) -> None:
        """A stored batch is a sign of life, but one that a dry run shows to nobody."""
        if self._dry and time.monotonic() - self._last > history.HEARTBEAT_SECONDS:
            self.beat()
