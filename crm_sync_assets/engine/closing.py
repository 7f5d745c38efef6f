"""A row of SyncHistory is closed as failed, whatever has become of the connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import SyncError
from crm_sync_assets.log import logger
from crm_sync_assets.told import failure_message, reason_of
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Connection, message_of
from crm_sync_assets.warehouse.kinds import Kind

log = logger(__name__)


def close_failed(
    session: Session,
    sync_id: int,
    error: BaseException,
    metrics: Mapping[str, Any] | None = None,
    *,
    start_over: bool = False,
    kind: Kind | None = None,
) -> None:
    """Roll back, and close the row with this error, on another connection if need be.

    `start_over` takes its checkpoint from it. Never raises: `error` is what went wrong.
    """

    def close(connection: Connection) -> None:
        history.close_failed(
            connection,
            sync_id,
            failure_message(error),
            metrics,
            reason=reason_of(error),
            start_over=start_over,
            kind=kind,
        )

    try:
        if session.is_usable:
            session.connection.rollback()
            close(session.connection)
            return
    except psycopg.Error as problem:
        log.warning("%s: closing the history row: %s", session.entity, message_of(problem))
    try:
        with session.warehouse.connection() as connection:
            close(connection)
    except (SyncError, psycopg.Error) as problem:
        log.error(
            "%s: sync %d failed and its row could not be closed (%s); the next sync closes it",
            session.entity,
            sync_id,
            problem,
        )
