"""Tests of SalesRabbit: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.salesrabbit.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.salesrabbit.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("salesrabbit")
ENTITIES = registry.entities("salesrabbit")


class Bench(benches.Bench[World]):
    crm = "salesrabbit"
    options: ClassVar = {"salesrabbit_leads": 60}

    def wrong(self, name: str, *, deletions: bool = True) -> list[str]:
        entity = self.entity(name)
        return differences(self.world, self.warehouse, entity, deletions=deletions)


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
