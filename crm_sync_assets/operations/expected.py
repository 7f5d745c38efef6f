"""What a sync will probably take: as much as the last complete one of its kind did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.warehouse.connection import Connection

FULL = ("full", "initial_full")
DELTA = ("incremental",)


@dataclass(frozen=True, slots=True)
class Expected:
    """Records and seconds of an entity's last complete sync of the same strategy."""

    records: int
    seconds: float


def expected(
    connection: Connection, entities: Iterable[Entity], flags: Flags
) -> Mapping[str, Expected]:
    """By the name of the entity; one that has no such sync yet is left out.

    A part of the records (a window of dates, a limit) is like no sync before it.
    """
    if flags.start_date or flags.end_date or flags.max_records:
        return {}
    whole = flags.full or flags.force
    found = {}
    for entity in entities:
        row = connection.execute(
            "SELECT records_processed, extract(epoch FROM end_time - start_time)::float8 "
            "FROM ingestion_sync_history WHERE crm_source = %s AND sync_type = %s "
            "AND kind = 'sync' AND status IN ('success', 'partial') AND end_time IS NOT NULL "
            "AND configuration ->> 'strategy' = ANY(%s) ORDER BY start_time DESC LIMIT 1",
            (
                entity.crm,
                entity.sync_type,
                list(FULL if whole or not entity.tracks_changes else DELTA),
            ),
        ).fetchone()
        if row is not None:
            found[entity.name] = Expected(*row)
    return found
