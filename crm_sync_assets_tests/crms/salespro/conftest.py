"""Tests of SalesPro: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.salespro.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.salespro.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("salespro")
ENTITIES = registry.entities("salespro")
PAGES, STATES = "GetQueryResults", "GetQueryExecution"
ORDERS, STOPS = "StartQueryExecution", "StopQueryExecution"


class Bench(benches.Bench[World]):
    crm = "salespro"
    options: ClassVar = {"salespro_rows": 40, "salespro_users": 15}

    def wrong(self, name: str) -> list[str]:
        return differences(self.world, self.warehouse, self.entity(name))

    def turn(self, **knobs: object) -> None:
        """Turn knobs of SalesPro's."""
        self.sandbox.knobs.turn({f"salespro_{name}": value for name, value in knobs.items()})

    def calls(self, operation: str) -> int:
        """How often an operation was asked for since the ledger was reset."""
        return sum(entry.action.endswith(operation) for entry in self.sandbox.ledger.entries)


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
