"""Tests of Google Sheets: a bench with its sheets."""

from __future__ import annotations

from typing import ClassVar

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.gsheet.world import World
from crm_sync_assets_tests.crms import bench as benches
from crm_sync_assets_tests.crms.bench import DAY, FULL, NOON, bench, encrypting, running, sandbox
from crm_sync_assets_tests.crms.gsheet.truth import differences

__all__ = ["DAY", "FULL", "NOON", "bench", "encrypting", "running", "sandbox"]
CRM = registry.crm("gsheet")
ENTITIES = registry.entities("gsheet")
LEADS, SPENDS = "marketing_leads", "marketing_spends"
VALUES = r"/values/"


class Bench(benches.Bench[World]):
    crm = "gsheet"
    options: ClassVar = {"gsheet_leads": 30, "gsheet_years": 2, "gsheet_spends": 40}

    def wrong(self, name: str) -> list[str]:
        return differences(self.world, self.warehouse, self.entity(name))


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Bench
