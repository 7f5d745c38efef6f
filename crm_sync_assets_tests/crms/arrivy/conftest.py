"""Tests of Arrivy: a bench with its entities."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.arrivy.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.arrivy.truth import differences
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("arrivy")
ENTITIES = registry.entities("arrivy")


class Bench(benches.Bench[World]):
    crm = "arrivy"
    options: ClassVar = {"arrivy_tasks": 90}

    def wrong(self, name: str, *, delta: bool = False) -> list[str]:
        """What differs from the truth, or from what a delta now makes of it."""
        since = self.sandbox.clock.now() - timedelta(days=45) if delta else None
        return differences(self.world, self.warehouse, self.entity(name), exact_from=since)


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
