"""Work on an entity beside its syncs: it has the entity's lock, and a row in SyncHistory.

The row is a trial: it never carries a watermark, and no sync resumes from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.engine.closing import close_failed
from crm_sync_assets.engine.meaning import judge
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import Unavailable, UsageError
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Warehouse, message_of
from crm_sync_assets.warehouse.kinds import Kind
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets.warehouse.vault import Vault


@dataclass(frozen=True, slots=True)
class Trial:
    """`watermark` and `memory` are those of the entity's newest complete sync."""

    session: Session
    sync_id: int
    watermark: datetime
    memory: Mapping[str, Any]


@contextmanager
def trial(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    vault: Vault | None,
    *,
    kind: Kind,
    run_id: str | None = None,
    passing: bool = False,
    **configuration: Any,
) -> Iterator[Trial]:
    """Open the row with this configuration; who works closes it, an error closes it as failed.

    Raises UsageError for an entity that was never synced or whose rows were read under another
    meaning, AlreadyRunning when a sync is running. `passing` is as in `Session`.
    """
    session = Session(warehouse, entity, passing=passing)
    connection = session.connection
    sync_id: int | None = None
    try:
        past = history.past(connection, entity)
        watermark = past.watermark
        connection.commit()
        if watermark is None:
            raise UsageError(f"{entity}: it was never synced completely; do that first")
        meaning = judge(connection, entity, client)
        sync_id = history.insert(
            connection,
            entity,
            kind=kind,
            run_id=run_id,
            configuration={
                **configuration,
                **meaning.as_configuration(),
                "trial": True,
                "fingerprint": entity.fingerprint,
                "lock": history.resource(entity),
            },
            endpoint=str(entity.source)[:200],
        )
        if meaning.refusal is not None:
            raise meaning.refusal
        ensure_table(connection, entity, vault)
        connection.commit()
        yield Trial(session, sync_id, watermark, past.memory)
    except BaseException as error:
        if sync_id is not None:
            close_failed(session, sync_id, error)
        if isinstance(error, psycopg.Error):
            raise Unavailable(f"{entity}: the warehouse failed: {message_of(error)}") from error
        raise
    finally:
        session.release()
