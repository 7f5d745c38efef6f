"""Tests of MarketSharp: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.marketsharp.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.marketsharp.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("marketsharp")
ENTITIES = registry.entities("marketsharp")


class Bench(benches.Bench[World]):
    crm = "marketsharp"
    options: ClassVar = {"marketsharp_contacts": 60}

    def wrong(self, name: str, *, deletions: bool = True) -> list[str]:
        entity = self.entity(name)
        return differences(self.world, self.warehouse, entity, deletions=deletions)


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
