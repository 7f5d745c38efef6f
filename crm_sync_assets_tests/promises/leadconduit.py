"""LeadConduit's leads, of which each change is an event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.leadconduit.truth import differences
from crm_sync_assets_tests.promises.driver import NOON, PAGE, Key, Reading, Subject
from crm_sync_assets_tests.promises.http import HttpSubject

NEVER_GONE = "no lead is ever deleted: events expire, and what is stored stays"


class Submissions(HttpSubject):
    crm = "leadconduit"
    entity = "leads"
    token, base_url = "LEADCONDUIT_API_KEY", "LEADCONDUIT_BASE_URL"
    column = "note_hge"
    values: ClassVar = {"first_name": "Ann", "city": "Columbus", "country": "US"}
    count = 60
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"/leadconduit/events\?.*type=source")
    lie_at = Subject.lie_at
    version = "event_at"
    appends = True
    lacks: ClassVar = {
        "delete": NEVER_GONE,
        "restore": NEVER_GONE,
        "vanish": NEVER_GONE,
        "compare": NEVER_GONE,
        "merge": "LeadConduit merges nothing: a lead that comes twice is two leads",
        "late": "what is recorded late is found by looking back, and no lag moves the watermark",
        "lie": "a page is an array that says nothing of how many events there are",
    }

    overlap_seconds = 0

    def __init__(self, environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
        super().__init__(environment, sandbox)
        # The engine knows the time of this machine before it knows the sandbox's.
        self.configure(keeps_days=9_999)

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"leadconduit_leads": 0}

    def fill(self) -> None:
        for number in range(self.count):
            at = NOON - timedelta(days=15) + number * timedelta(hours=3)
            self.world.submit({"first_name": "Old"}, at)

    def read_by(self, pages: int, reading: Reading) -> int:
        """A page begins with the last second of the page before, unless that fills the page."""
        return PAGE * pages if reading == "delta" else 1 + (PAGE - 1) * pages

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse)

    def keys(self) -> list[Key]:
        return [(one,) for one in sorted(self.world.ids())]

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.submit(),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.retry(key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        for key in keys:
            self.edit(key, {self.column: value})
