"""The job `<crm>_webhooks`, and the sensor that starts it: what webhooks told is read.

No run is started that can do nothing: the sensor says itself what waits, and for whom. Where a
burst is left to a delta, or the record is not named, it starts that delta.
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
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.operations.webhook_prospects import Prospect, busy, prospect
from crm_sync_assets.operations.webhooks import Taken, take
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
            prospects = [
                prospect(connection, by_name[name], told)
                for name, told in _synced(connection, by_name)
            ]
            still = webhook_events.waiting(connection)
            waiting = {f"{one.source}.{one.entity}": one for one in still}
            waits = _waits(connection, prospects)
            ready = [one.entity for one in prospects if one.is_due and one.entity.name not in waits]
            requests = [*turns_for(context.instance, ready, waits)]
            requests += deltas_for(connection, prospects, waiting, now=datetime.now(UTC))
        if not requests:
            events = sum(one.events for one in waiting.values())
            yield dg.SkipReason("; ".join([f"{events} events are pending", *waits.values()]))
        yield from requests

    return webhooks


def _synced(
    connection: Connection, by_name: Mapping[str, Entity]
) -> Iterator[tuple[str, Webhooks]]:
    """The entities of which something waits; where none is synced nothing is to be read."""
    for one in webhook_events.waiting(connection):
        name = f"{one.source}.{one.entity}"
        told = registry.crm(one.source).webhooks if name in by_name else None
        if told is not None:
            yield name, told
        else:
            webhook_events.ignore(connection, one.source, one.entity, webhook_events.NOT_SYNCED)


def _waits(connection: Connection, prospects: Sequence[Prospect]) -> dict[str, str]:
    """By entity, why no turn at it could do anything now."""
    found: dict[str, str] = {}
    for one in prospects:
        why = one.why or (busy(connection, one.entity) if one.is_due else None)
        if not why and not one.is_due and one.left:
            why = f"{one.entity}: {one.left} events wait for a delta"
        if why:
            found[one.entity.name] = why
    return found


def turns_for(
    instance: dg.DagsterInstance, ready: Sequence[Entity], waits: dict[str, str]
) -> Iterator[dg.RunRequest]:
    """One run for each CRM of these entities that has none under way; else `waits` says so."""
    by_crm: dict[str, list[Entity]] = {}
    for entity in ready:
        by_crm.setdefault(entity.crm, []).append(entity)
    for crm, entities in by_crm.items():
        job = f"{crm}_webhooks"
        under_way = dg.RunsFilter(job_name=job, statuses=UNDER_WAY)
        if instance.get_run_ids(under_way, limit=1):
            waits[crm] = f"{crm}: a run of {job} is under way"
            continue
        names = [entity.sync_type for entity in entities]
        config: dict[str, Any] = {"ops": {f"webhooks_{crm}": {"config": {"entities": names}}}}
        yield dg.RunRequest(job_name=job, run_config=config)


def deltas_for(
    connection: Connection,
    prospects: Sequence[Prospect],
    waiting: Mapping[str, Waiting],
    *,
    now: datetime,
) -> Iterator[dg.RunRequest]:
    """A delta for each entity that has events left to one, unless one has begun since.

    A source may show late what it tells of at once: then another one is due when that has passed.
    """
    for one in prospects:
        entity = one.entity
        crm = registry.crm(entity.crm)
        if not one.left or entity.name not in waiting or not is_in_all(crm, entity):
            continue
        newest_at = waiting[entity.name].newest_at
        lag = settings_for(crm, entity).lag
        newest = connection.execute(
            "SELECT id, start_time, end_time FROM ingestion_sync_history "  # noqa: S608  constants
            f"WHERE crm_source = %s AND sync_type = %s AND {REAL} "
            "ORDER BY start_time DESC, id DESC LIMIT 1",
            (entity.crm, entity.sync_type),
        ).fetchone()
        connection.commit()
        if newest is None or newest[2] is None or now - newest[2] < DELTA_AFTER:
            continue
        sync_id, began, _ = newest
        settled = newest_at + lag
        if began < newest_at or (began < settled <= now):
            yield dg.RunRequest(
                job_name=f"{entity.crm}_all",
                run_key=f"webhooks: {entity} after sync {sync_id}",
                asset_selection=[asset_key(entity)],
                partition_key=present_of([entity]) if entity.tracks_changes else None,
            )
