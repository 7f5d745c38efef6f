"""One software-defined asset per entity: the whole flow in one short function."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, flags_of
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine import progress
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import AlreadyRunning, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.orchestration.config import SyncConfig, config_of, configured_by
from crm_sync_assets.orchestration.hooks import close_history_row, remember
from crm_sync_assets.orchestration.io_manager import UpsertIOManager, findings
from crm_sync_assets.orchestration.resources import ClientResource, WarehouseResource
from crm_sync_assets.settings import environment
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse.querying import SENSITIVE
from crm_sync_assets.warehouse.tables import system_columns

IO_MANAGER = "upsert"

log = logger(__name__)


def partitions(first_day: date) -> dg.DailyPartitionsDefinition:
    """A partition per UTC day of change, today's included."""
    return dg.DailyPartitionsDefinition(
        start_date=first_day.isoformat(), timezone="UTC", end_offset=1
    )


def asset_key(entity: Entity) -> dg.AssetKey:
    return dg.AssetKey([entity.crm, entity.sync_type])


def build_asset(
    crm: Crm, entity: Entity, *, first_day: date | None = None, priority: int = 0
) -> dg.AssetsDefinition:
    """The asset that syncs one entity; a higher `priority` goes first within a run.

    It is partitioned where the source says what changed, from `first_day` on (default: the
    environment's).
    """
    partitioned = (
        partitions(first_day or environment().first_day) if entity.tracks_changes else None
    )
    marked = registry.entity(entity.tombstones_of) if entity.tombstones_of else None

    @dg.asset(
        key=asset_key(entity),
        description=description(entity),
        group_name=crm.name,
        kinds={*crm.kinds, "postgres"},
        owners=list(crm.owners),
        code_version=entity.fingerprint,
        metadata=metadata(entity, marked or entity),
        partitions_def=partitioned,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
        io_manager_key=IO_MANAGER,
        output_required=False,
        required_resource_keys={crm.name, "warehouse"},
        hooks={close_history_row},
        op_tags={"dagster/priority": str(priority)},
        pool=crm.name,
    )
    @configured_by(config_of(crm))
    def sync(context: dg.AssetExecutionContext, config: SyncConfig) -> Iterator[Any]:
        with TellingSafely():
            flags = windowed(context, entity, config.flags(flags_of(crm)))
            flags.check()
            flags.check_for(entity)
            request = Request(
                crm,
                entity,
                flags,
                settings_for(crm, entity),
                run_id=context.run.run_id,
                marked_entity=marked,
                waits=is_resweep(context, flags),
            )
            begun = _begun(context, request)
            if isinstance(begun, Sync) and flags.dry_run:
                drain(begun, progress.report)
        if isinstance(begun, AlreadyRunning):
            yield dg.AssetObservation(context.asset_key, metadata={"skipped": str(begun)})
        elif flags.dry_run:
            # Nothing was stored, so the asset must not look materialized.
            yield dg.AssetObservation(context.asset_key, metadata=findings(begun))
        else:
            yield dg.MaterializeResult(value=begun)

    return sync


def _begun(context: dg.AssetExecutionContext, request: Request) -> Sync | AlreadyRunning:
    """The sync, begun; or, in a scheduled run, why it is skipped.

    The sync that is running does what a delta was scheduled for, as does the next one.
    """
    client: ClientResource = getattr(context.resources, request.crm.name)
    warehouse: WarehouseResource = context.resources.warehouse
    try:
        begun = begin(request, client.open(), warehouse.open())
    except AlreadyRunning as busy:
        is_delta = SCHEDULE_NAME_TAG in context.run.tags and not is_resweep(context, request.flags)
        if not is_delta:
            raise
        log.warning("skipped: %s", busy)
        return busy
    remember(context.run.run_id, begun)
    return begun


def is_resweep(context: dg.AssetExecutionContext, flags: Flags) -> bool:
    """Whether a schedule asked for more than a delta, which no other sync does in its place."""
    return SCHEDULE_NAME_TAG in context.run.tags and bool(flags.full or flags.start_date)


def assets_of(crm: Crm, entities: tuple[Entity, ...]) -> list[dg.AssetsDefinition]:
    """The assets of a CRM; within a run they go in the order of `entities`."""
    first_day = environment().first_day
    return [
        build_asset(crm, entity, first_day=first_day, priority=len(entities) - position)
        for position, entity in enumerate(entities)
    ]


def resources_of(crms: tuple[Crm, ...]) -> dict[str, object]:
    """What the assets of these CRMs require, by resource key."""
    warehouse = WarehouseResource()
    return {
        "warehouse": warehouse,
        IO_MANAGER: UpsertIOManager(warehouse=warehouse),
        **{crm.name: ClientResource(crm=crm.name) for crm in crms},
    }


def windowed(context: dg.AssetExecutionContext, entity: Entity, flags: Flags) -> Flags:
    """The flags with the run's partitions as a window; none, or today's alone, is a delta.

    An entity without partitions may share a run with others that have them; it is read whole.
    """
    # In a run over a range has_partition_key is False, even for a range of one key.
    in_partitions = context.has_partition_key or context.has_partition_key_range
    if not (in_partitions and entity.tracks_changes):
        return flags
    window = context.partition_time_window
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    today = datetime.now(UTC).date()
    if start.date() == today:
        return flags
    if flags.start_date or flags.end_date or flags.full:
        raise UsageError(
            f"this run is for the partitions from {start:%Y-%m-%d} to {end:%Y-%m-%d}; "
            "start_date, end_date and full only go with a run of no partition, or of today's"
        )
    return flags.model_copy(
        update={"start_date": f"{start:%Y-%m-%d}", "end_date": f"{end:%Y-%m-%d}"}
    )


def description(entity: Entity) -> str:
    how = (
        "A run without a partition, or with today's, reads what changed since the last complete "
        "sync; any other day, or a range, is read as a window and leaves the watermark alone."
        if entity.tracks_changes
        else "The source cannot say what changed: every run reads all of it."
    )
    if entity.tombstones_of:
        how = f"Marks rows of {entity.table} as deleted that the source no longer has."
    if entity.resweeps:
        how += f" Read again: {', '.join(map(str, entity.resweeps))}."
    return f"{entity.about}\n\n{how}"


def metadata(entity: Entity, stored: Entity) -> dict[str, Any]:
    """What the asset's page shows; `stored` is the entity whose table is written."""
    return {
        "dagster/table_name": stored.table,
        "dagster/column_schema": column_schema(stored),
        "source": str(entity.source),
        "changes_noticed_by": entity.source.windowed_by or "comparing everything",
        "primary_key": ", ".join(column.name for column in entity.key),
    }


def column_schema(entity: Entity) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            column.name,
            column.sql,
            description=column.described(entity.source.root),
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=column.key and len(entity.key) == 1
            ),
            tags={SENSITIVE: column.kind} if column.sensitive else None,
        )
        for column in entity.columns
    ]
    columns += [
        dg.TableColumn(name, kind, description=about)
        for name, (kind, about) in system_columns(entity).items()
    ]
    return dg.TableSchema(columns)
