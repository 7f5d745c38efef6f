"""What webhooks told of each entity last, and what deltas found beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL


@dataclass(frozen=True, slots=True)
class Heard:
    """Of one entity: when it was told of last, None for never, and how many records deltas found
    new, and changed, since a moment."""

    at: datetime | None = None
    created: int = 0
    updated: int = 0


def heard(connection: Connection, since: datetime) -> dict[tuple[str, str], Heard]:
    """By CRM and entity; what a delta found counts from the first that began after `since`.

    A read of everything says nothing of when a record changed. Commits.
    """
    told = connection.execute(
        "SELECT source, entity, max(received_at) FROM ingestion_webhook_event "
        "WHERE entity IS NOT NULL GROUP BY 1, 2"
    ).fetchall()
    found = connection.execute(
        "SELECT crm_source, sync_type, sum(records_created)::bigint, sum(records_updated)::bigint "  # noqa: S608
        f"FROM ingestion_sync_history WHERE {REAL} AND status IN ('success', 'partial') "
        "AND configuration ->> 'strategy' = 'incremental' AND start_time > %s GROUP BY 1, 2",
        (since,),
    ).fetchall()
    connection.commit()
    moments = {(crm, entity): at for crm, entity, at in told}
    changes = {(crm, entity): (created, updated) for crm, entity, created, updated in found}
    return {key: Heard(moments.get(key), *changes.get(key, (0, 0))) for key in {*moments, *changes}}
