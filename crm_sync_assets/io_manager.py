"""Drains a sync into the warehouse, and gives an entity's rows back as a DataFrame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
from psycopg import sql

from crm_sync_assets import progress
from crm_sync_assets.errors import UsageError
from crm_sync_assets.resources import WarehouseResource
from crm_sync_assets.sync import Sync
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse import message_of

if TYPE_CHECKING:
    import pandas as pd

TABLE = "dagster/table_name"


class UpsertIOManager(dg.ConfigurableIOManager):
    """Bulk-upserts what an asset returns: a `Sync`, read and stored batch by batch.

    Downstream assets get a pandas DataFrame of the live rows. The input's metadata narrows it:
    `columns` (a list of names), `where` (column → value or list of values), `deleted` (true to
    include rows deleted at the source).
    """

    warehouse: dg.ResourceDependency[WarehouseResource]

    def handle_output(self, context: dg.OutputContext, obj: Sync) -> None:
        with TellingSafely():
            obj.drain(progress.report)
            rows = self._rows(obj.request.stored.table)
            context.add_output_metadata({"dagster/row_count": rows, **findings(obj)})

    def _rows(self, table: str) -> int:
        with self.warehouse.open().connection() as connection:
            found = connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE deleted_at IS NULL").format(
                    sql.Identifier(table)
                )
            ).fetchone()
        return int(found[0]) if found else 0

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The upstream entity's rows. Raises UsageError for columns its table does not have."""
        import pandas as pd

        assert context.upstream_output is not None
        table = (context.upstream_output.definition_metadata or {}).get(TABLE)
        if not table:
            raise UsageError(f"{context.asset_key.to_user_string()} is kept in no table")
        query, values = select(str(table), context.definition_metadata)
        with TellingSafely(), self.warehouse.open().connection() as connection:
            try:
                cursor = connection.execute(query, values)
            except psycopg.ProgrammingError as error:
                raise UsageError(
                    f"{table} cannot be read as the input's metadata asks: {message_of(error)}"
                ) from error
            names = [column.name for column in cursor.description or ()]
            return pd.DataFrame(cursor.fetchall(), columns=names)


def findings(sync: Sync) -> dict[str, Any]:
    """What a finished sync tells Dagster. A run over several partitions tells all of them the
    same, so the names of the counts say whose they are.
    """
    strategy, counts = sync.strategy, sync.counts
    return {
        "sync_id": sync.sync_id,
        "strategy": strategy.name,
        "since": strategy.since.isoformat() if strategy.since else "the beginning",
        "until": strategy.until.isoformat() if strategy.until else "now",
        "dry_run": sync.flags.dry_run,
        "status": sync.status,
        "records_processed_by_this_run": counts.processed,
        "created_by_this_run": counts.created,
        "updated_by_this_run": counts.updated,
        "unchanged_in_this_run": counts.unchanged,
        "deleted_by_this_run": counts.deleted,
        "failed_in_this_run": counts.failed,
        "warnings_in_this_run": counts.warnings,
        "api_calls_of_this_run": sync.usage.api_calls,
        "duration_seconds_of_this_run": round(sync.timing.elapsed, 3),
        "next_delta_starts_at": sync.watermark.isoformat() if sync.watermark else "unchanged",
    }


def select(table: str, wanted: Mapping[str, Any] | None) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for an input's metadata, and its bound values. A value of None means NULL."""
    wanted = wanted or {}
    columns = wanted.get("columns")
    chosen = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
    conditions: list[sql.Composable] = []
    if not wanted.get("deleted"):
        conditions.append(sql.SQL("deleted_at IS NULL"))
    values: dict[str, Any] = {}
    for number, (name, value) in enumerate(dict(wanted.get("where") or {}).items()):
        given = list(value) if isinstance(value, list | tuple | set) else [value]
        column, parameter = sql.Identifier(name), f"v{number}"
        condition = sql.SQL("{} = ANY({})").format(column, sql.Placeholder(parameter))
        if None in given:
            condition = sql.SQL("({} OR {} IS NULL)").format(condition, column)
        values[parameter] = [one for one in given if one is not None]
        conditions.append(condition)
    query = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(table))
    if conditions:
        query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
    return query, values
