"""Drains a sync into the warehouse, and gives an entity's rows back as a DataFrame."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
from psycopg import sql

from crm_sync_assets.engine import progress
from crm_sync_assets.engine.run import drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.columns import described
from crm_sync_assets.orchestration.failing import failing_plainly
from crm_sync_assets.orchestration.findings import findings
from crm_sync_assets.orchestration.lineage import completed
from crm_sync_assets.orchestration.partitions import Definition, filled, still_empty
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse.connection import Warehouse, message_of
from crm_sync_assets.warehouse.encryption import open_vault

if TYPE_CHECKING:
    import pandas as pd
from crm_sync_assets.warehouse.querying import (
    COLUMNS,
    KEY,
    TABLE,
    read,
    read_encrypted,
    sensitive_columns,
)


class UpsertIOManager(dg.ConfigurableIOManager):
    """Bulk-upserts what an asset returns: a `Sync`, read and stored batch by batch.

    Downstream assets get a pandas DataFrame of the live rows. The input's metadata narrows it:
    `columns` (a list of names), `where` (column → value or list of values), `deleted` (true to
    include rows deleted at the source). Encrypted columns come opened, without their blind
    indexes; `where` finds their values by them.
    """

    warehouse: dg.ResourceDependency[WarehouseResource]

    def handle_output(self, context: dg.OutputContext, obj: Sync) -> None:
        with failing_plainly(obj.entity):
            told = store(obj, self.warehouse.open())
            context.add_output_metadata({**told, **described(obj)})
            for news in completed(obj):
                context.log_event(news)
            if not obj.entity.tracks_changes:
                return
            definition = context.asset_partitions_def
            assert isinstance(definition, Definition)
            keys = context.asset_partition_keys if context.has_asset_partitions else ()
            instance = context.step_context.instance
            # Before the run's own, so that the newest of the asset is the run's.
            for event in also_filled(
                instance, context.asset_key, definition, obj, told, besides=keys
            ):
                context.log_event(event)

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The upstream entity's rows. Raises UsageError for columns its table does not have."""
        import pandas as pd

        assert context.upstream_output is not None
        upstream = context.upstream_output.definition_metadata or {}
        table = upstream.get(TABLE)
        if not table:
            raise UsageError(f"{context.asset_key.to_user_string()} is kept in no table")
        wanted = context.definition_metadata
        warehouse = self.warehouse.open()
        with TellingSafely(), warehouse.connection() as connection:
            vault = open_vault(connection, warehouse.encryption_keys)
            try:
                names, rows = (
                    read(connection, str(table), wanted)
                    if vault is None
                    else read_encrypted(
                        connection,
                        str(table),
                        wanted,
                        vault,
                        key=str(upstream[KEY]).split(", "),
                        sensitive=list(sensitive_columns(upstream[COLUMNS])),
                    )
                )
            except psycopg.ProgrammingError as error:
                raise UsageError(
                    f"{table} cannot be read as the input's metadata asks: {message_of(error)}"
                ) from error
            return pd.DataFrame(rows, columns=names)


def store(sync: Sync, warehouse: Warehouse) -> dict[str, Any]:
    """Read and store all of it; what Dagster is told of it."""
    drain(sync, progress.report)
    with warehouse.connection() as connection:
        found = connection.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE deleted_at IS NULL").format(
                sql.Identifier(sync.plan.stored.table)
            )
        ).fetchone()
    return {"dagster/row_count": int(found[0]) if found else 0, **findings(sync)}


def also_filled(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    definition: Definition,
    sync: Sync,
    told: dict[str, Any],
    *,
    besides: Iterable[str] = (),
) -> list[dg.AssetMaterialization]:
    """What fills the partitions that this sync proved, the run is not for, and are empty."""
    proved = filled(definition, sync.plan)
    empty = still_empty(instance, key, definition, proved, besides=besides)
    return [dg.AssetMaterialization(key, partition=one, metadata=told) for one in empty]
