"""HubSpot's contacts: a list, a search that lags and is capped, a recycle bin, merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from crm_sync_assets.errors import Unknown
from crm_sync_assets_tests.promises.driver import Fault, Key
from crm_sync_assets_tests.promises.http import HttpSubject
from crm_sync_assets_tests.truth import entity_differences

OTHERS = {"deals": 5, "appointments": 5, "companies": 5, "tickets": 5, "line_items": 5}

NO_TYPE = '{"status": "error", "message": "Unable to infer object type from: 2-1"}'


class Contacts(HttpSubject):
    crm = "hubspot"
    entity = "contacts"
    column = "city"
    values: ClassVar = {"price": "12.50", "lead_id": "7", "lead_sourced_on": "1700000000000"}
    count = 60
    pages: ClassVar = {
        "full": r"GET /hubspot/crm/v3/objects/contacts\?.*archived=false",
        "delta": r"POST /hubspot/crm/v3/objects/contacts/search",
    }
    lacks: ClassVar = {
        "compare": "what was purged is in no feed: a full read finds it, or a removal",
    }
    absences: ClassVar = {
        **HttpSubject.absences,
        "400 of the type": Fault({"status": 400, "body": NO_TYPE}, Unknown, retried=False),
        "404 of the type": Fault({"status": 404, "body": NO_TYPE}, Unknown, retried=False),
    }
    token, base_url = "HUBSPOT_TOKEN", "HUBSPOT_BASE_URL"
    merges = ("a new id", "the primary's id")
    restores = ("silent", "bumped")

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"contacts": cls.count, "counts": OTHERS, "zipcodes": 10}

    def wrong(self) -> list[str]:
        # A delta is told nothing of a purge.
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        return list(entity_differences(self.sandbox, self.warehouse, self.declared, everything))

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids("contacts")]

    def create(self, count: int = 1) -> list[Key]:
        world = self.sandbox.hubspot
        return [(world.create("contacts", {"firstname": "New"}),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit("contacts", key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        self.world.bulk_touch("contacts", [key[0] for key in keys], properties={self.column: value})

    def delete(self, key: Key) -> None:
        self.world.archive("contacts", key[0])

    def restore(self, key: Key, how: str) -> None:
        self.sandbox.knobs.restore_bumps_modified = how == "bumped"
        self.world.restore("contacts", key[0])

    def vanish(self, key: Key) -> None:
        self.world.purge("contacts", key[0])

    def merge(self, kept: Key, lost: Key, how: str) -> Key:
        self.sandbox.knobs.preserve_primary_id = how == "the primary's id"
        return (self.world.merge("contacts", kept[0], lost[0]),)

    def edit_late(self, key: Key, changes: Mapping[str, Any], seconds: float) -> None:
        self.sandbox.knobs.index_lag = seconds
        self.edit(key, changes)
        self.sandbox.knobs.index_lag = 0
