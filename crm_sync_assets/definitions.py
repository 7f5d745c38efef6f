"""What Dagster loads: registry → assets, checks, resources, jobs, schedules, sensor."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.orchestration.asset_checks import build_checks
from crm_sync_assets.orchestration.assets import assets_of, resources_of
from crm_sync_assets.orchestration.jobs import prune
from crm_sync_assets.orchestration.jobs.refresh import REFRESH
from crm_sync_assets.orchestration.jobs.verify import VERIFY
from crm_sync_assets.orchestration.jobs.webhooks import TURN, build_webhook_sensor
from crm_sync_assets.orchestration.lineage import left_behind, surroundings
from crm_sync_assets.orchestration.schedules import build_job, build_resweeps, build_schedules
from crm_sync_assets.orchestration.sensors import build_alert_sensor, build_sensor


def build() -> dg.Definitions:
    """Everything the registry knows and the environment does not switch off."""
    crms = tuple(registry.crms().values())
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    checks: list[dg.AssetChecksDefinition] = []
    jobs: list[UnresolvedAssetJobDefinition | dg.JobDefinition] = []
    schedules: list[dg.ScheduleDefinition] = []
    started_by_webhooks: list[UnresolvedAssetJobDefinition | dg.JobDefinition] = []
    known: list[Entity] = []
    for crm in crms:
        entities = registry.active(crm.name)
        known += entities
        assets += assets_of(crm, entities)
        assets += surroundings(crm, entities)
        checks += [build_checks(crm, entity) for entity in entities]
        job = build_job(crm, entities)
        jobs.append(job)
        schedules += build_schedules(crm, job, entities)
        schedules += build_resweeps(crm, entities)
        for beside in (VERIFY, REFRESH) if crm.calculates else (VERIFY,):
            other = beside.job(crm, entities)
            jobs.append(other)
            schedules.append(beside.schedule_of(crm, other))
        if crm.webhooks is not None:
            turn = TURN.job(crm, entities)
            jobs.append(turn)
            started_by_webhooks += [turn, job]
    assets += left_behind({entity.name: entity for entity in known})
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[*jobs, prune.prune_history],
        schedules=[*schedules, prune.build_schedule()],
        sensors=[
            build_sensor(known),
            build_alert_sensor(known),
            build_webhook_sensor(known, started_by_webhooks),
        ],
        resources=resources_of(crms),
        executor=dg.in_process_executor,
    )


defs = build()
