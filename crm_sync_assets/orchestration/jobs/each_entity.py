"""A job that does one thing to each entity of a CRM, one after the other, and its schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.switches import lacking
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import ClientResource, WarehouseResource
from crm_sync_assets.orchestration.schedules import is_on
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse


class Chosen(dg.Config):
    """Which entities of the CRM."""

    entities: list[str] = Field([], description="Names of entities; none means all.")


@dataclass(frozen=True, slots=True)
class Done:
    """What was found or done about one entity: what its asset's page shows, and what is wrong."""

    metadata: Mapping[str, dg.MetadataValue] = field(default_factory=dict)
    problem: str | None = None


Work = Callable[[Warehouse, Entity, Client, SyncSettings, Any, str], Done | None]
"""Warehouse, entity, client, settings, run configuration, run id → what was done; None for nothing
to do.

What it raises of ours fails this entity, and no other.
"""


@dataclass(frozen=True, slots=True)
class EachEntity:
    """Work that is done to every entity of a CRM, as a job and a schedule of it.

    `cron` is its schedule's day and hour, empty where something else starts it; in `does` and
    `schedule_does` stands {crm} for the CRM. What is `pooled` waits for its turn among the CRM's
    runs.
    """

    verb: str
    work: Work
    config_type: type[Chosen]
    does: str
    schedule: str = ""
    cron: str = ""
    schedule_does: str = ""
    pooled: bool = True

    def job(self, crm: Crm, entities: tuple[Entity, ...]) -> dg.JobDefinition:
        """The job `<crm>_<verb>`; it fails, at its end, with all that went wrong.

        Each entity leaves an observation on its asset.
        """
        verb, work, config_type = self.verb, self.work, self.config_type

        @dg.op(
            name=f"{verb}_{crm.name}",
            required_resource_keys={crm.name, "warehouse"},
            pool=crm.name if self.pooled else None,
            out=dg.Out(dg.Nothing),
        )
        def each(context: dg.OpExecutionContext, config: config_type) -> None:  # type: ignore[valid-type]
            resource: ClientResource = getattr(context.resources, crm.name)
            warehouse: WarehouseResource = context.resources.warehouse
            client = resource.open()
            problems = []
            for entity in wanted(crm, entities, config.entities):  # type: ignore[attr-defined]
                try:
                    settings = settings_for(crm, entity)
                    done = work(warehouse.open(), entity, client, settings, config, context.run_id)
                except SyncError as error:
                    problems.append(str(error))
                    continue
                if done is None:
                    context.log.info(f"{entity}: skipped, there is nothing to {verb}")
                    continue
                context.log_event(dg.AssetObservation(asset_key(entity), metadata=done.metadata))
                if done.problem:
                    problems.append(done.problem)
            if problems:
                raise FatalError("; ".join(problems))

        @dg.job(
            name=f"{crm.name}_{verb}",
            description=self.does.format(crm=crm.title),
            executor_def=dg.in_process_executor,
        )
        def job() -> None:
            each()

        return job

    def schedule_of(self, crm: Crm, job: dg.JobDefinition) -> dg.ScheduleDefinition:
        """Half an hour after the CRM's delta, so that little has changed since."""
        return dg.ScheduleDefinition(
            name=f"{crm.name}_{self.schedule}",
            job=job,
            cron_schedule=f"{(crm.minute + 30) % 60} {self.cron}",
            execution_timezone="UTC",
            default_status=is_on(),
            description=self.schedule_does.format(crm=crm.title),
        )


def wanted(crm: Crm, entities: tuple[Entity, ...], names: list[str]) -> list[Entity]:
    """The entities of these names, for none all that have the variables of their own.

    Raises UsageError with the nearest name.
    """
    chosen = [
        entity
        for entity in entities
        if entity.sync_type in names or not (names or lacking(crm, entity))
    ]
    unknown = set(names) - {entity.sync_type for entity in chosen}
    if unknown:
        registry.entity(f"{crm.name}.{min(unknown)}")
    return chosen
