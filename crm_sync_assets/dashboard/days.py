"""What syncs did, summed up by entity and UTC day of their start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL

_METRIC = "coalesce(sum((performance_metrics ->> '{}')::float8){}, 0)"
_OF_SYNCS = f" FILTER (WHERE {REAL})"

# What is asked of each row, in the order of `Day`. API calls and answers 429 count whatever asked.
_SUMS = (
    *(f"count(*) FILTER (WHERE {REAL} AND status = '{s}')" for s in ("success", "partial")),
    f"count(*) FILTER (WHERE {REAL} AND status = 'failed')",
    *(
        f"coalesce(sum(records_{outcome}){_OF_SYNCS}, 0)::bigint"
        for outcome in ("created", "updated")
    ),
    _METRIC.format("deleted", _OF_SYNCS) + "::bigint",
    f"coalesce(sum(records_failed){_OF_SYNCS}, 0)::bigint",
    f"coalesce(sum(extract(epoch FROM end_time - start_time)::float8){_OF_SYNCS}, 0)",
    _METRIC.format("api_calls", "") + "::bigint",
    _METRIC.format("rate_limit_hits", "") + "::bigint",
)


@dataclass(frozen=True, slots=True)
class Day:
    """One entity's syncs of one day that have ended; records as their rows count them.

    `requests` and `rate_limit_hits` are also those of verifications, refreshes and trials.
    """

    day: date
    crm: str
    sync_type: str
    success: int
    partial: int
    failed: int
    created: int
    updated: int
    deleted: int
    records_failed: int
    seconds: float
    requests: int
    rate_limit_hits: int


NUMBERS = tuple(field.name for field in fields(Day))[3:]


def days(
    connection: Connection, since: datetime, crms: Sequence[str], types: Sequence[str]
) -> list[Day]:
    """Of these entities, which the two lists name, from `since` on, the oldest first."""
    rows = connection.execute(
        "SELECT (start_time AT TIME ZONE 'UTC')::date, crm_source, sync_type, "  # noqa: S608
        f"{', '.join(_SUMS)} FROM ingestion_sync_history "
        "WHERE status IN ('success', 'partial', 'failed') AND start_time >= %(since)s "
        "AND (crm_source, sync_type) IN "
        "(SELECT * FROM unnest(%(crms)s::text[], %(types)s::text[])) "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        {"since": since, "crms": list(crms), "types": list(types)},
    ).fetchall()
    return [Day(*row) for row in rows]
