"""Tests of CallRail: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.callrail.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("callrail")
ENTITIES = registry.entities("callrail")


class Bench(benches.Bench[World]):
    crm = "callrail"
    options: ClassVar = {"callrail_calls": 90}

    def wrong(self, name: str) -> list[str]:
        return differences(self.world, self.warehouse, self.entity(name))


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
