"""Tests of LeadConduit: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.leadconduit.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("leadconduit")
ENTITIES = registry.entities("leadconduit")


class Bench(benches.Bench[World]):
    crm = "leadconduit"
    options: ClassVar = {"leadconduit_leads": 60}

    def __init__(self, sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
        super().__init__(sandbox, environment)
        # The engine knows the time of this machine before it knows the sandbox's.
        self.configure(keeps_days=9_999)

    def wrong(self, name: str = "leads") -> list[str]:
        return differences(self.world, self.warehouse)


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
