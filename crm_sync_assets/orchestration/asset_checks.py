"""Checks after every sync: is the key sound, did it work, did it fail too much, did it go quiet?"""

from collections.abc import Iterator
from typing import Any, LiteralString

import dagster as dg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.operations.health import not_suddenly_empty
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.kinds import REAL

MOST_FAILURES = 0.05

CHECKS = {
    "primary_key": "Every row has its key, and no two rows share one.",
    "last_sync": "The last sync did not fail.",
    "failure_rate": f"At most {MOST_FAILURES:.0%} of the last sync's records failed.",
    "not_suddenly_empty": "The last full read found records, if the one before it did.",
}


def build_checks(entity: Entity) -> dg.AssetChecksDefinition:
    """The four checks of one entity, in one step."""
    key = asset_key(entity)

    @dg.multi_asset_check(
        name=f"{entity.crm}__{entity.sync_type}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=key, description=about) for name, about in CHECKS.items()
        ],
        can_subset=True,
        required_resource_keys={"warehouse"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: WarehouseResource = context.resources.warehouse
        judges = {
            "primary_key": primary_key,
            "last_sync": last_sync,
            "failure_rate": failure_rate,
            "not_suddenly_empty": not_suddenly_empty,
        }
        with TellingSafely(), warehouse.open().connection() as connection:
            for selected in context.selected_asset_check_keys:
                passed, finding = judges[selected.name](connection, entity)
                yield dg.AssetCheckResult(
                    passed=passed,
                    check_name=selected.name,
                    asset_key=key,
                    description=finding,
                    severity=dg.AssetCheckSeverity.ERROR,
                )

    return check


def primary_key(connection: Connection, entity: Entity) -> tuple[bool, str]:
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
        return False, f"there is no table {entity.table} yet"
    if proven:
        return True, f"proven by the primary key ({', '.join(names)}) of {entity.table}"
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
    return not (doubled or empty), (
        f"{entity.table} has lost its primary key; "
        f"{doubled} rows repeat another's key, {empty} have none"
    )


LAST: LiteralString = (
    "SELECT id, status, error_message, records_failed, records_processed "  # noqa: S608  constants
    "FROM ingestion_sync_history WHERE crm_source = %s AND sync_type = %s "
    f"AND status <> 'running' AND {REAL} ORDER BY end_time DESC, id DESC LIMIT 1"
)
"""What a trial or a verification found, or somebody else reported, is no news of the last sync."""


def last_sync(connection: Connection, entity: Entity) -> tuple[bool, str]:
    found = one(connection, LAST, (entity.crm, entity.sync_type))
    if found is None:
        return False, "it was never synced"
    sync_id, status, error, *_ = found
    return status != "failed", f"sync {sync_id}: {status}{f' ({error})' if error else ''}"


def failure_rate(connection: Connection, entity: Entity) -> tuple[bool, str]:
    *_, failed, processed = one(connection, LAST, (entity.crm, entity.sync_type)) or (0, 0)
    return failed <= MOST_FAILURES * processed, f"{failed} of {processed} records failed"


def one(
    connection: Connection, query: LiteralString | sql.Composed, values: Any = None
) -> tuple[Any, ...] | None:
    return connection.execute(query, values).fetchone()
