"""One software-defined asset per entity: the whole flow in one short function."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG, SENSOR_NAME_TAG

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine import progress
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain, reach
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import AlreadyRunning, NotAvailable
from crm_sync_assets.log import logger
from crm_sync_assets.orchestration.columns import column_schema, described
from crm_sync_assets.orchestration.config import block, block_name, flags_given, own_config
from crm_sync_assets.orchestration.failing import failing_plainly
from crm_sync_assets.orchestration.findings import findings
from crm_sync_assets.orchestration.hooks import close_history_row, remember
from crm_sync_assets.orchestration.io_manager import (
    UpsertIOManager,
    also_filled,
    store,
)
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.lineage import completed, group_of, upstream_keys
from crm_sync_assets.orchestration.partitions import (
    Definition,
    filled,
    keys_of,
    partitions_of,
    windowed,
)
from crm_sync_assets.orchestration.resources import ClientResource, WarehouseResource
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.kinds import UNAVAILABLE
from crm_sync_assets.warehouse.querying import COLUMNS

IO_MANAGER = "upsert"

log = logger(__name__)


def build_asset(
    crm: Crm, entity: Entity, *, partitioned: Definition | None = None, priority: int = 0
) -> dg.AssetsDefinition:
    """The asset that syncs one entity; a higher `priority` goes first within a run.

    Where the source says what changed it has partitions (default: those the environment sets).
    """
    partitioned = partitioned if entity.tracks_changes and partitioned else partitions_of(entity)
    marked = registry.entity(entity.tombstones_of) if entity.tombstones_of else None

    @dg.asset(
        key=asset_key(entity),
        deps=upstream_keys(crm, entity),
        description=description(entity),
        group_name=group_of(crm, entity),
        kinds={*crm.kinds, "postgres"},
        owners=list(crm.owners),
        code_version=entity.fingerprint,
        metadata=metadata(entity, marked or entity),
        partitions_def=partitioned,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
        io_manager_key=IO_MANAGER,
        output_required=False,
        required_resource_keys={crm.name, block_name(crm), "warehouse"},
        config_schema=own_config(crm),
        hooks={close_history_row},
        op_tags={"dagster/priority": str(priority)},
        pool=crm.name,
    )
    def sync(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with failing_plainly(entity):
            for_all = getattr(context.resources, block_name(crm))
            given = flags_given(crm, entity, for_all, context.op_execution_context.op_config)
            flags = windowed(context, entity, given)
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
            events = _events(context, _begun(context, request), partitioned)
        yield from events

    return sync


def _begun(
    context: dg.AssetExecutionContext, request: Request
) -> Sync | AlreadyRunning | NotAvailable:
    """The sync, with its source reached; or why there is none.

    In a run that a schedule or a sensor started, the sync that is running does what a delta was
    started for, as does the next one. What the account has not is no failure, unless the run has
    nothing else.
    """
    client: ClientResource = getattr(context.resources, request.crm.name)
    warehouse: WarehouseResource = context.resources.warehouse
    try:
        begun = begin(request, client.open(), warehouse.open())
    except AlreadyRunning as busy:
        by_itself = {SCHEDULE_NAME_TAG, SENSOR_NAME_TAG} & context.run.tags.keys()
        is_delta = bool(by_itself) and not is_resweep(context, request.flags)
        if not is_delta:
            raise
        log.warning("skipped: %s", busy)
        return busy
    remember(context.run.run_id, begun)
    try:
        reach(begun, progress.report)
    except NotAvailable as absent:
        if _has_nothing_else(context, warehouse):
            raise
        context.log.info(f"skipped: {absent}")
        return absent
    return begun


def _has_nothing_else(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> bool:
    """Whether this is the last entity of its run, and the account has none of the others either."""
    layer = context.op_execution_context.job_def.asset_layer
    with warehouse.open().connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM ingestion_sync_history WHERE run_id = %s AND kind = %s",
            (context.run.run_id, UNAVAILABLE),
        ).fetchone()
    assert row is not None
    absent: int = row[0]
    return absent == len(set(layer.executable_asset_keys))


def _events(
    context: dg.AssetExecutionContext,
    begun: Sync | AlreadyRunning | NotAvailable,
    partitioned: Definition | None,
) -> Iterable[Any]:
    """What the step yields. A sync whose result fills the run's partitions is left to the IO
    manager to drain; any other is drained here, and what it stored is told of no partition.
    """
    if isinstance(begun, AlreadyRunning | NotAvailable):
        return [dg.AssetObservation(context.asset_key, metadata={"skipped": str(begun)})]
    if begun.flags.dry_run:
        # Nothing was stored, so the asset must not look materialized.
        drain(begun, progress.report)
        return [dg.AssetObservation(context.asset_key, metadata=findings(begun))]
    if partitioned is None or set(keys_of(context)) <= set(filled(partitioned, begun.plan)):
        return [dg.MaterializeResult(value=begun)]
    told = store(begun, context.resources.warehouse.open())
    return [
        dg.AssetMaterialization(context.asset_key, metadata={**told, **described(begun)}),
        *also_filled(context.instance, context.asset_key, partitioned, begun, told),
        *completed(begun),
    ]


def is_resweep(context: dg.AssetExecutionContext, flags: Flags) -> bool:
    """Whether a schedule asked for more than a delta, which no other sync does in its place."""
    return SCHEDULE_NAME_TAG in context.run.tags and bool(flags.full or flags.start_date)


def assets_of(crm: Crm, entities: tuple[Entity, ...]) -> list[dg.AssetsDefinition]:
    """The assets of a CRM; within a run they go in the order of `entities`."""
    given = environment()
    return [
        build_asset(
            crm,
            entity,
            partitioned=partitions_of(entity, given),
            priority=len(entities) - position,
        )
        for position, entity in enumerate(entities)
    ]


def resources_of(crms: tuple[Crm, ...]) -> dict[str, object]:
    """What the assets of these CRMs require, by resource key."""
    warehouse = WarehouseResource()
    return {
        "warehouse": warehouse,
        IO_MANAGER: UpsertIOManager(warehouse=warehouse),
        **{crm.name: ClientResource(crm=crm.name) for crm in crms},
        **{block_name(crm): block(crm) for crm in crms},
    }


WHOLE = "The source cannot say what changed: every run reads all of it."
CLICKS = """
What a run reads, by its partitions:
- Latest, or none: what changed since the last complete sync (the first time, everything).
- All (of “Show all partitions”): everything, and what is gone at the source is marked as deleted.
- Any other, or a range: what changed within it; the first one has everything before, too. The next
  delta begins where it would have.

A partition is filled when nothing that changed within it is left unread."""


def description(entity: Entity) -> str:
    how = CLICKS if entity.tracks_changes else WHOLE
    if entity.tombstones_of:
        how = f"Marks rows of {entity.table} as deleted that the source no longer has."
    if entity.resweeps:
        how += f"\n\nRead again: {', '.join(map(str, entity.resweeps))}."
    return f"{entity.about}\n\n{how.strip()}"


def metadata(entity: Entity, stored: Entity) -> dict[str, Any]:
    """What the asset's page shows; `stored` is the entity whose table is written."""
    return {
        "dagster/table_name": stored.table,
        COLUMNS: column_schema(stored),
        "source": str(entity.source),
        "changes_noticed_by": entity.source.windowed_by or "comparing everything",
        "primary_key": ", ".join(column.name for column in entity.key),
    }
