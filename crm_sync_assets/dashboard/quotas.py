"""What an account's longest rate window holds, and what syncs took of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_sync_assets.warehouse.connection import Connection

Window = tuple[str, int, float]

_TAKEN = (
    "SELECT coalesce(sum(coalesce((performance_metrics ->> 'quota_units')::bigint, "
    "(performance_metrics ->> 'api_calls')::bigint)), 0)::bigint FROM ingestion_sync_history "
    "WHERE status IN ('success', 'partial', 'failed') AND crm_source = %s AND start_time > %s"
)


@dataclass(frozen=True, slots=True)
class Quota:
    """What ended syncs that began within the window's `seconds` took of its `limit`.

    In the units the source charges; rows of versions that did not count them say requests.
    """

    crm: str
    window: str
    limit: int
    seconds: float
    used: int

    @property
    def share(self) -> float:
        return self.used / self.limit


def quotas(
    connection: Connection, windows: Mapping[str, Iterable[Window]], now: datetime
) -> list[Quota]:
    """Of each CRM that has windows of an hour or more, by its longest."""
    found = []
    for crm, declared in windows.items():
        long = [window for window in declared if window[2] >= 3600]
        if not long:
            continue
        name, limit, seconds = max(long, key=lambda window: window[2])
        row = connection.execute(_TAKEN, (crm, now - timedelta(seconds=seconds))).fetchone()
        found.append(Quota(crm, name, limit, seconds, row[0] if row else 0))
    return found
