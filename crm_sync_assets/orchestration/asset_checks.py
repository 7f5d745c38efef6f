"""Checks after every sync: is the key sound, did it work, is it fresh, did it go quiet?"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import dagster as dg
from psycopg import sql

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.alert_rules import expected_every
from crm_sync_assets.operations.findings import minute
from crm_sync_assets.operations.health import is_not_suddenly_empty, last_full_reads
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL

MOST_FAILURES = 0.05

Judge = Callable[[Connection, Crm, Entity], "Judgement"]


class Judgement(NamedTuple):
    """What a check found: whether it passes, in words, and in numbers that plot."""

    passed: bool
    finding: str
    numbers: Mapping[str, Any] = {}


def build_checks(crm: Crm, entity: Entity) -> dg.AssetChecksDefinition:
    """The checks of one entity, in one step."""
    key = asset_key(entity)

    @dg.multi_asset_check(
        name=f"{entity.crm}__{entity.sync_type}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=key, description=about)
            for name, (about, _) in CHECKS.items()
        ],
        can_subset=True,
        required_resource_keys={"warehouse"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: WarehouseResource = context.resources.warehouse
        with TellingSafely(), warehouse.open().connection() as connection:
            for selected in context.selected_asset_check_keys:
                _, judge = CHECKS[selected.name]
                passed, finding, numbers = judge(connection, crm, entity)
                yield dg.AssetCheckResult(
                    passed=passed,
                    check_name=selected.name,
                    asset_key=key,
                    description=finding,
                    metadata=numbers,
                    severity=dg.AssetCheckSeverity.ERROR,
                )

    return check


def primary_key(connection: Connection, _: Crm, entity: Entity) -> Judgement:
    """A valid unique index proves it; without one the rows are counted."""
    names = [column.name for column in entity.key]
    exists, proven = one(
        connection,
        "SELECT to_regclass(%(table)s) IS NOT NULL, EXISTS (SELECT FROM pg_index i "
        "WHERE i.indrelid = to_regclass(%(table)s) AND i.indisprimary AND i.indisvalid "
        "AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a "
        "WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)) = %(names)s)",
        {"table": f'"{entity.table}"', "names": sorted(names)},
    ) or (False, False)
    if not exists:
        return Judgement(False, f"there is no table {entity.table} yet")
    if proven:
        finding = f"proven by the primary key ({', '.join(names)}) of {entity.table}"
        return Judgement(True, finding, {"doubled": 0, "without_key": 0})
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    missing = sql.SQL(" OR ").join(
        sql.SQL("{} IS NULL").format(sql.Identifier(name)) for name in names
    )
    doubled, empty = one(
        connection,
        sql.SQL(
            "SELECT coalesce(sum(n - 1), 0), coalesce(sum(n) FILTER (WHERE {missing}), 0) "
            "FROM (SELECT {columns}, count(*) AS n FROM {table} GROUP BY {columns}) AS keys"
        ).format(columns=columns, missing=missing, table=sql.Identifier(entity.table)),
    ) or (0, 0)
    return Judgement(
        not (doubled or empty),
        f"{entity.table} has lost its primary key; "
        f"{doubled} rows repeat another's key, {empty} have none",
        {"doubled": int(doubled), "without_key": int(empty)},
    )


LAST: LiteralString = (
    "SELECT id, status, error_message, records_failed, records_processed, "  # noqa: S608  constants
    "performance_metrics -> 'duration_seconds' "
    "FROM ingestion_sync_history WHERE crm_source = %s AND sync_type = %s "
    f"AND status <> 'running' AND {REAL} ORDER BY end_time DESC, id DESC LIMIT 1"
)
"""What a trial or a verification found, or somebody else reported, is no news of the last sync."""

COMPLETE: LiteralString = (
    "SELECT max(end_time) FROM ingestion_sync_history "  # noqa: S608  constants
    "WHERE crm_source = %s AND sync_type = %s AND status IN ('success', 'partial') "
    f"AND watermark IS NOT NULL AND {REAL}"
)


def last_sync(connection: Connection, _: Crm, entity: Entity) -> Judgement:
    found = one(connection, LAST, (entity.crm, entity.sync_type))
    if found is None:
        return Judgement(False, "it was never synced")
    sync_id, status, error, _failed, _processed, seconds = found
    finding = f"sync {sync_id}: {status}{f' ({error})' if error else ''}"
    numbers = {"sync_id": sync_id} | ({} if seconds is None else {"duration_seconds": seconds})
    return Judgement(status != "failed", finding, numbers)


def failure_rate(connection: Connection, _: Crm, entity: Entity) -> Judgement:
    found = one(connection, LAST, (entity.crm, entity.sync_type))
    failed, processed = found[3:5] if found else (0, 0)
    return Judgement(
        failed <= MOST_FAILURES * processed,
        f"{failed} of {processed} records failed",
        {
            "failed": failed,
            "processed": processed,
            "failed_percent": round(100 * failed / processed, 2) if processed else 0.0,
        },
    )


def fresh(connection: Connection, crm: Crm, entity: Entity) -> Judgement:
    """By the last sync that was complete: a window or a limited run makes nothing fresh."""
    expected = expected_every(entity, settings_for(crm, entity))
    (ended,) = one(connection, COMPLETE, (entity.crm, entity.sync_type)) or (None,)
    if ended is None:
        return Judgement(expected is None, "there was no complete sync yet")
    age = (datetime.now(UTC) - ended) / timedelta(hours=1)
    finding = f"the last complete sync ended at {minute(ended)}"
    if expected is None:
        return Judgement(True, f"{finding}; nobody expects one", {"hours_since": round(age, 2)})
    most = expected / timedelta(hours=1)
    numbers = {"hours_since": round(age, 2), "hours_allowed": most}
    return Judgement(age <= most, f"{finding}, expected every {most:g} hours", numbers)


def not_suddenly_empty(connection: Connection, _: Crm, entity: Entity) -> Judgement:
    newest, before = last_full_reads(connection, entity)
    passed, finding = is_not_suddenly_empty(newest, before)
    return Judgement(passed, finding, {"newest": newest, "before": before})


def one(
    connection: Connection, query: LiteralString | sql.Composed, values: Any = None
) -> tuple[Any, ...] | None:
    return connection.execute(query, values).fetchone()


CHECKS: Mapping[str, tuple[str, Judge]] = {
    "primary_key": ("Every row has its key, and no two rows share one.", primary_key),
    "last_sync": ("The last sync did not fail.", last_sync),
    "failure_rate": (
        f"At most {MOST_FAILURES:.0%} of the last sync's records failed.",
        failure_rate,
    ),
    "fresh": ("The last complete sync is no older than `fresh_hours`.", fresh),
    "not_suddenly_empty": (
        "The last full read found records, if the one before it did.",
        not_suddenly_empty,
    ),
}
