"""Dagster runs of the scripted CRM, in this process: what the UI would launch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_shared.serdes import serialize_value

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.orchestration.asset_checks import CHECKS, build_checks
from crm_sync_assets.orchestration.assets import IO_MANAGER, build_asset
from crm_sync_assets.orchestration.config import block, block_name
from crm_sync_assets.orchestration.io_manager import UpsertIOManager
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.partitions import partitions
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import PartitionUnit
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS, FakeClient

FIRST_DAY = date(2026, 1, 1)
OWN_LOG = {
    "python_logs": {"managed_python_loggers": ["crm_sync_assets"], "python_log_level": "INFO"},
    "telemetry": {"enabled": False},
    # Two runs at once in one process would wait for each other's capture of standard output.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}
FROM = "dagster/asset_partition_range_start"
TO = "dagster/asset_partition_range_end"


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m-01}"


@contextmanager
def instance_in(folder: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that keeps the project's log lines with the run's events, in memory."""
    with dg.DagsterInstance.ephemeral(str(folder), settings=OWN_LOG) as instance:
        yield instance


@contextmanager
def instance_on_disk(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The same, in SQLite's files: four times as slow for each event."""
    with dg.DagsterInstance.local_temp(str(folder), overrides=OWN_LOG) as instance:
        yield instance


@dataclass
class Source:
    """Stands for a ClientResource. `asked` says whether a run ever wanted a client."""

    client: Client = field(default_factory=FakeClient)
    asked: bool = False

    def open(self) -> Client:
        self.asked = True
        return self.client


@dataclass
class Runs:
    """Runs of the scripted entities in one instance, with the warehouse of the environment."""

    instance: dg.DagsterInstance
    source: Source = field(default_factory=Source)
    entities: Sequence[Entity] = (PEOPLE, THINGS)
    io_manager: object = None
    crm: Crm = CRM
    more_assets: Sequence[dg.AssetsDefinition | dg.AssetSpec] = ()
    unit: PartitionUnit = "month"
    first_day: date = FIRST_DAY

    def definitions(self) -> dg.Definitions:
        warehouse = WarehouseResource()
        return dg.Definitions(
            assets=[
                *(
                    build_asset(self.crm, entity, partitioned=partitions(self.unit, self.first_day))
                    for entity in self.entities
                ),
                *self.more_assets,
            ],
            asset_checks=[build_checks(self.crm, entity) for entity in self.entities],
            jobs=[
                dg.define_asset_job(
                    f"checks_of_{entity.sync_type}",
                    dg.AssetSelection.checks_for_assets(asset_key(entity)),
                )
                for entity in self.entities
            ],
            resources={
                "warehouse": warehouse,
                IO_MANAGER: self.io_manager or UpsertIOManager(warehouse=warehouse),
                CRM.name: self.source,
                block_name(self.crm): block(self.crm),
            },
            executor=dg.in_process_executor,
        )

    def run(
        self,
        *assets: Entity | dg.AssetKey,
        key: str | None = None,
        days: tuple[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        for_all: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """A run of these assets (default: people), with a partition key or a range of them."""
        keys = [asset_key(one) if isinstance(one, Entity) else one for one in assets or (PEOPLE,)]
        ops = {
            f"{one.crm}__{one.sync_type}": {"config": dict(config)}
            for one in assets or (PEOPLE,)
            if config and isinstance(one, Entity)
        }
        return (
            self.definitions()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                run_config={
                    "ops": ops,
                    "resources": {block_name(self.crm): {"config": dict(for_all or {})}},
                },
                instance=self.instance,
                asset_selection=keys,
                partition_key=key,
                tags={**(tags or {}), **({FROM: days[0], TO: days[1]} if days else {})},
                raise_on_error=False,
            )
        )

    def failing_checks(self, entity: Entity = PEOPLE) -> dict[str, str]:
        """What an entity's checks say that do not pass, run on their own."""
        job = self.definitions().resolve_job_def(f"checks_of_{entity.sync_type}")
        result = job.execute_in_process(instance=self.instance)
        evaluations = result.get_asset_check_evaluations()
        assert {one.check_name for one in evaluations} == CHECKS.keys()
        return {one.check_name: str(one.description) for one in evaluations if not one.passed}

    def events(self, result: dg.ExecuteInProcessResult) -> str:
        """Everything the instance keeps of this run."""
        return "\n".join(serialize_value(entry) for entry in self.instance.all_logs(result.run_id))


def told(
    result: dg.ExecuteInProcessResult, entity: Entity = PEOPLE
) -> list[dg.AssetMaterialization]:
    """The materializations of the entity itself, not of its table."""
    events = result.asset_materializations_for_node(f"{entity.crm}__{entity.sync_type}")
    return [event for event in events if event.asset_key == asset_key(entity)]


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed, as its page in the UI says it."""
    texts = []
    for event in result.filter_events(lambda one: one.is_step_failure):
        error = event.step_failure_data.error
        while error is not None:
            texts.append(error.message)
            error = error.cause
    return "\n".join(texts)
