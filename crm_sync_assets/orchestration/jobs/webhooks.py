"""The job `<crm>_webhooks`, and the sensor that starts it: what webhooks told is read.

Where a burst is left to a delta, or the record is not named, the sensor starts that delta.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.switches import is_in_all
from crm_sync_assets.operations.webhooks import MOST, Taken, take
from crm_sync_assets.orchestration.jobs.each_entity import Chosen, Done, EachEntity
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.partitions import present_of
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.told import TellingSafely
from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.kinds import REAL
from crm_sync_assets.warehouse.webhook_events import Waiting

EVERY_SECONDS = 5
"""Between two looks. What a run takes to start comes on top of it."""

DELTA_AFTER = timedelta(minutes=2)
"""So long after a delta has ended no other is started for what was told since."""

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def taken(
    warehouse: Warehouse,
    entity: Entity,
    client: Client,
    settings: SyncSettings,
    config: Chosen,  # noqa: ARG001  which entities was decided by then
    run_id: str,
) -> Done | None:
    """One turn at an entity; None where nothing was pending, or a sync of it runs."""
    webhooks = registry.crm(entity.crm).webhooks
    assert webhooks is not None
    found = take(warehouse, entity, webhooks, client, settings, run_id=run_id)
    return None if found.sync_id is None else Done(observed(found), _problem(found))


def _problem(found: Taken) -> str | None:
    """What is wrong with a turn that went well for the others."""
    entity, failed = found.entity, found.failed
    listing = f"`crm-sync webhooks list --crm {entity.crm} --entity {entity.sync_type}`"
    return f"{entity}: {failed} events could not be read, see {listing}" if failed else None


def observed(found: Taken) -> dict[str, dg.MetadataValue]:
    """What the asset's page shows of a turn."""
    return {
        "webhooks": dg.MetadataValue.text(found.summary()),
        "status": dg.MetadataValue.text(found.status),
        "sync_id": dg.MetadataValue.int(found.sync_id or 0),
    }


TURN = EachEntity(
    "webhooks",
    taken,
    Chosen,
    does="Reads the records of {crm} that webhooks named. Started by the sensor of that name.",
    # It is short, and syncs of other entities may be long.
    pooled=False,
)


def build_webhook_sensor(
    entities: Sequence[Entity],
    jobs: Sequence[dg.JobDefinition | UnresolvedAssetJobDefinition],
) -> dg.SensorDefinition:
    """The sensor over all entities; on by itself as soon as a secret for any webhook is set.

    `jobs` are those it starts: `<crm>_webhooks` and `<crm>_all` of each CRM that tells of changes.
    """
    by_name = {entity.name: entity for entity in entities}
    expected = any(crm.webhooks.is_expected for crm in registry.crms().values() if crm.webhooks)

    @dg.sensor(
        name="webhooks",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING
        if expected
        else dg.DefaultSensorStatus.STOPPED,
        jobs=jobs,
        description="Starts reading the records that webhooks named, one run per CRM at a time, "
        "and a delta where that is cheaper.",
    )
    def webhooks(
        context: dg.SensorEvaluationContext, warehouse: WarehouseResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        with TellingSafely(), warehouse.open().connection() as connection:
            for one in _synced(connection, by_name):
                _settle(connection, one)
            waiting = [*_synced(connection, by_name)]
            requests = [*turns_for(context.instance, waiting)]
            requests += deltas_for(connection, waiting, by_name, now=datetime.now(UTC))
        if not requests:
            yield dg.SkipReason(f"{sum(one.events for one in waiting)} events are pending")
        yield from requests

    return webhooks


def _synced(connection: Connection, by_name: Mapping[str, Entity]) -> Iterator[Waiting]:
    """What waits of entities that are synced; for the others nothing is to be read."""
    for one in webhook_events.waiting(connection):
        if f"{one.source}.{one.entity}" in by_name:
            yield one
        else:
            webhook_events.ignore(connection, one.source, one.entity, webhook_events.NOT_SYNCED)


def _settle(connection: Connection, one: Waiting) -> None:
    """What names no record gets no turn: it is done here once a sync has read it."""
    webhooks = registry.crm(one.source).webhooks
    if webhooks is not None and one.named < one.events:
        sees = webhooks.deltas_see
        webhook_events.settle(connection, one.source, one.entity, sees, named=False)


def turns_for(instance: dg.DagsterInstance, waiting: Sequence[Waiting]) -> Iterator[dg.RunRequest]:
    """One run for each CRM that has something to read and none under way."""
    named: dict[str, list[str]] = {}
    for one in waiting:
        if one.named:
            named.setdefault(one.source, []).append(one.entity)
    for crm, names in named.items():
        job = f"{crm}_webhooks"
        under_way = dg.RunsFilter(job_name=job, statuses=UNDER_WAY)
        if instance.get_run_ids(under_way, limit=1):
            continue
        config: dict[str, Any] = {"ops": {f"webhooks_{crm}": {"config": {"entities": names}}}}
        yield dg.RunRequest(job_name=job, run_config=config)


def deltas_for(
    connection: Connection,
    waiting: Sequence[Waiting],
    by_name: Mapping[str, Entity],
    *,
    now: datetime,
) -> Iterator[dg.RunRequest]:
    """A delta for each entity that has events left to one, unless one has begun since.

    A source may show late what it tells of at once: then another one is due when that has passed.
    """
    for one in waiting:
        entity = by_name[f"{one.source}.{one.entity}"]
        crm = registry.crm(one.source)
        if not is_in_all(crm, entity) or not _wants_delta(connection, one):
            continue
        lag = settings_for(crm, entity).lag
        newest = connection.execute(
            "SELECT id, start_time, end_time FROM ingestion_sync_history "  # noqa: S608  constants
            f"WHERE crm_source = %s AND sync_type = %s AND {REAL} "
            "ORDER BY start_time DESC, id DESC LIMIT 1",
            (one.source, one.entity),
        ).fetchone()
        connection.commit()
        if newest is None or newest[2] is None or now - newest[2] < DELTA_AFTER:
            continue
        sync_id, began, _ = newest
        settled = one.newest_at + lag
        if began < one.newest_at or (began < settled <= now):
            yield dg.RunRequest(
                job_name=f"{one.source}_all",
                run_key=f"webhooks: {entity} after sync {sync_id}",
                asset_selection=[asset_key(entity)],
                partition_key=present_of([entity]) if entity.tracks_changes else None,
            )


def _wants_delta(connection: Connection, one: Waiting) -> bool:
    """Whether some of its events name no record, or too many of them do."""
    if one.named < one.events:
        return True
    records = webhook_events.records_due(connection, one.source, one.entity, most=MOST + 1)
    return records > MOST
