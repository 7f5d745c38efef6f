"""Tests of Salesforce: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.salesforce.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.salesforce.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("salesforce")
ENTITIES = registry.entities("salesforce")


class Bench(benches.Bench[World]):
    crm = "salesforce"
    options: ClassVar = {"salesforce_contacts": 60}

    def wrong(self, name: str, *, purges_seen: bool = True) -> list[str]:
        entity = self.entity(name)
        found = differences(self.sandbox, self.warehouse, entity, purges_seen=purges_seen)
        return list(found)

    def queries(self) -> list[str]:
        """The queries that were asked since the ledger was reset."""
        return [one.query for one in self.asked("/queryAll")]


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
