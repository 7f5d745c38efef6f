"""Tests of Five9: a bench with its entities."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.five9.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.five9.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("five9")
ENTITIES = registry.entities("five9")
CONTACTS = registry.entity("five9.contacts")


class Bench(benches.Bench[World]):
    crm = "five9"
    options: ClassVar = {"five9_contacts": 45}

    def wrong(self, name: str = "contacts", *, deletions: bool = True) -> list[str]:
        entity = self.entity(name)
        return differences(self.world, self.warehouse, entity, deletions=deletions)

    def cut_at(self, most: int) -> None:
        """No answer has more than so many, and the client knows."""
        self.sandbox.knobs.five9_most = most
        self.environment.setenv("FIVE9_MOST_RECORDS", str(most))
        self.connect()

    def questions(self) -> list[str]:
        """What was asked for, one line each, since the ledger was reset."""
        return [entry.query for entry in self.sandbox.ledger.entries if entry.crm == "five9"]


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
