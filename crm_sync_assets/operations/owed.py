"""Reads that failed and that no delta makes good: a full read, a re-sweep, a window.

The next delta begins at the watermark, so it ends well while what the failed one was to find (a
changed call of two months ago, a record deleted for good) is still not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.baselines import named
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import WIDE

# `f` failed, `l` came later. What reaches up to now is as good as another one that reaches as far
# back from its own start: re-sweeps of 90 days, a week apart, speak for one another.
_COVERS = """
    l.since IS NULL AND l.until IS NULL
    OR (l.since IS NULL OR l.since <= f.since) AND (l.until IS NULL OR l.until >= f.until)
    OR f.until IS NULL AND l.until IS NULL
        AND l.start_time - l.since >= f.start_time - f.since - interval '1 day'
"""

_WIDE_READS = f"""
    SELECT id, start_time, end_time, status, reason, coalesce(error_message, '') AS error,
        (configuration ->> 'since')::timestamptz AS since,
        (configuration ->> 'until')::timestamptz AS until
    FROM ingestion_sync_history WHERE crm_source = w.crm AND sync_type = w.type AND {WIDE}
"""  # noqa: S608  constants

_OWED = f"""
SELECT w.crm || '.' || w.type, f.id, f.end_time, f.since, f.until, f.error
FROM unnest(%(crms)s::text[], %(types)s::text[]) AS w(crm, type)
LEFT JOIN LATERAL (
    SELECT start_time FROM ({_WIDE_READS}) AS l
    WHERE status IN ('success', 'partial') AND since IS NULL AND until IS NULL
    ORDER BY start_time DESC LIMIT 1
) AS whole ON true
CROSS JOIN LATERAL (
    SELECT * FROM ({_WIDE_READS}) AS f
    WHERE status = 'failed' AND reason IS DISTINCT FROM 'cancelled'
    AND start_time > coalesce(whole.start_time, '-infinity')
    AND NOT EXISTS (
        SELECT FROM ({_WIDE_READS}) AS l WHERE l.status IN ('success', 'partial')
        AND l.start_time > f.start_time AND ({_COVERS})
    )
    AND EXISTS (
        SELECT FROM ingestion_sync_history AS l
        WHERE crm_source = w.crm AND sync_type = w.type AND kind = 'sync'
        AND l.status IN ('success', 'partial') AND l.start_time > f.start_time
    )
    ORDER BY start_time DESC LIMIT 1
) AS f
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Owed:
    """The newest failed read of an entity that a later sync hides; aware moments, None is open."""

    sync_id: int
    failed_at: datetime
    since: datetime | None
    until: datetime | None
    error: str

    @property
    def span(self) -> str:
        if self.since is None and self.until is None:
            return "everything"
        low = f"{self.since:%Y-%m-%d}" if self.since else "the beginning"
        return f"{low} to {f'{self.until:%Y-%m-%d}' if self.until else 'now'}"

    def command(self, entity: Entity) -> str:
        words = f"crm-sync {entity.crm} {entity.sync_type}"
        if self.since is None and self.until is None:
            return f"{words} --full"
        words += f" --start-date={self.since:%Y-%m-%d}" if self.since else ""
        return words + (f" --end-date={self.until:%Y-%m-%d}" if self.until else "")


def owed(connection: Connection, entities: Sequence[Entity]) -> dict[str, Owed]:
    """By entity's name. While no sync has ended well since, that it failed is told as such."""
    rows = connection.execute(_OWED, named(entities)).fetchall()
    return {name: Owed(*values) for name, *values in rows}
