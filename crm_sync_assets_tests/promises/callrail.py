"""CallRail's calls, whose windows are about when they began, and its tags, a list read whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from crm_sync_assets_tests.crms.callrail.truth import differences
from crm_sync_assets_tests.promises.driver import NOON, Fault, Key
from crm_sync_assets_tests.promises.http import HttpSubject

NOTHING_MERGES = "CallRail merges nothing: what is one too many is deleted or disabled"
UNDATED = "no list tells when a record changed, so none can tell it late"
NO_VERSION = "no record tells when it was changed: whatever was read last is the newest"


class CallRailSubject(HttpSubject):
    crm = "callrail"
    count = 60
    token, base_url = "CALLRAIL_API_KEY", "CALLRAIL_BASE_URL"

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"callrail_calls": 0, "callrail_accounts": 1}

    def refuse(self, absence: Fault) -> None:
        self.sandbox.faults.add(rf"/{self.entity}\.json", on="all", **absence.action)

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse, self.declared)

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids(self.entity)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit(self.entity, key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        for key in keys:
            self.edit(key, {self.column: value})


class Calls(CallRailSubject):
    entity = "calls"
    column = "note"
    values: ClassVar = {"value": "$1,250.00", "lead_status": "good_lead", "customer_name": "Ann"}
    # All of them began within one slice, of a full read and of a delta.
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"/calls\.json\?.*start_date=2026-10-2\d")
    lacks: ClassVar = {
        "delete": "nobody deletes a call, and nothing tells of one that is flagged as spam",
        "restore": "a call that is flagged as spam is stored here all the same",
        "vanish": "what is listed no more is kept: CallRail itself shows 25 months",
        "compare": "nothing is taken for gone, so nothing has to be compared",
        "merge": NOTHING_MERGES,
        "late": UNDATED,
        "versions": NO_VERSION,
    }

    def fill(self) -> None:
        for number in range(self.count):
            at = NOON - timedelta(days=15) + number * timedelta(hours=3)
            self.world.begin_call(at)

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.begin_call(),) for _ in range(count)]


class Tags(CallRailSubject):
    entity = "tags"
    column = "color"
    values: ClassVar = {}
    pages: ClassVar = {"full": r"/tags\.json"}
    lacks: ClassVar = {
        "delta": "the list of tags cannot be asked for what changed",
        "restore": "a tag that was deleted does not come back, another gets its name",
        "compare": "every sync of tags is a full read, none is a delta",
        "merge": NOTHING_MERGES,
        "late": UNDATED,
        "versions": NO_VERSION,
    }

    def fill(self) -> None:
        self.create(self.count - len(self.keys()))

    def create(self, count: int = 1) -> list[Key]:
        made = self.world.create
        return [(made("tags", {"name": f"New {n}", "color": "red1"}),) for n in range(count)]

    def delete(self, key: Key) -> None:
        self.world.purge("tags", key[0])

    def vanish(self, key: Key) -> None:
        self.delete(key)
