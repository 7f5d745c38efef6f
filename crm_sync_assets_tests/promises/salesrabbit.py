"""SalesRabbit's leads, asked for what changed by a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from crm_sync_assets.declarations.columns import camel
from crm_sync_assets_tests.crms.salesrabbit.truth import differences
from crm_sync_assets_tests.promises.driver import Key, Reading
from crm_sync_assets_tests.promises.http import HttpSubject

NOTHING_MERGES = "SalesRabbit merges nothing that its API tells of"
NO_LATE = "lists show what was written at once, as far as anybody knows"


class Leads(HttpSubject):
    crm = "salesrabbit"
    entity = "leads"
    token, base_url = "SALESRABBIT_TOKEN", "SALESRABBIT_BASE_URL"
    column = "notes"
    values: ClassVar = {
        "first_name": "Ann",
        "campaign_id": 12,
        "custom_fields": {"roofAge": "9"},
        "date_of_birth": "1980-02-29",
    }
    count = 60
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"GET /salesrabbit/leads\?")
    lacks: ClassVar = {
        "compare": "a delta hears of deletions only where deleted leads are listed at all",
        "merge": NOTHING_MERGES,
        "late": NO_LATE,
    }
    restores = ("put back",)

    overlap_seconds = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {
            "salesrabbit_leads": cls.count,
            "salesrabbit_shows_deleted": True,
            "salesrabbit_inclusive": True,
        }

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        world = self.sandbox.salesrabbit
        return differences(world, self.warehouse, self.declared, deletions=everything)

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids("leads")]

    def create(self, count: int = 1) -> list[Key]:
        create = self.world.create
        # Their status is older: else they would be in both lists of a delta.
        new = {"firstName": "New", "_statuses": [("Not Home", "2024-04-12T13:12:44+00:00")]}
        return [(create("leads", new),) for _ in range(count)]

    def read_by(self, pages: int, reading: Reading) -> int:
        """Each page begins before the one before it ends."""
        return (0, 10, 18, 24, 30, 36, 42)[pages]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        given = {camel(name): value for name, value in changes.items()}
        self.world.edit("leads", key[0], given)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch("leads", ids, properties={camel(self.column): value})

    def restore(self, key: Key, how: str) -> None:
        self.world.restore("leads", key[0])

    def delete(self, key: Key) -> None:
        self.world.archive("leads", key[0])

    def vanish(self, key: Key) -> None:
        self.world.purge("leads", key[0])
