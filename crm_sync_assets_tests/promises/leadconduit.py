"""LeadConduit's leads, of which each change is an event of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar, Self

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

    def __init__(self, environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
        super().__init__(environment, sandbox)
        # The promises hold without a second look at what was there already.
        # The engine knows the time of this machine before it knows the sandbox's.
        self.configure(overlap_seconds=0, keeps_days=9_999)

    @classmethod
    @contextmanager
    def opened(
        cls, environment: pytest.MonkeyPatch, _fixture: Callable[[str], Any]
    ) -> Iterator[Self]:
        with Sandbox(seed=11, contacts=1, zipcodes=1, leadconduit_leads=0) as sandbox:
            subject = cls(environment, sandbox)
            for number in range(cls.count):
                at = NOON - timedelta(days=15) + number * timedelta(hours=3)
                sandbox.leadconduit.submit({"first_name": "Old"}, at)
            subject.connect()
            yield subject
            subject.close()

    def read_by(self, pages: int, reading: Reading) -> int:
        """A page begins with the last second of the page before, unless that fills the page."""
        return PAGE * pages if reading == "delta" else 1 + (PAGE - 1) * pages

    @property
    def asking(self) -> list[Any]:
        self.client._sleep = self.waits.append
        return list(self.client._opened)

    def wrong(self) -> list[str]:
        return differences(self.sandbox.leadconduit, self.warehouse)

    def keys(self) -> list[Key]:
        return [(one,) for one in sorted(self.sandbox.leadconduit.ids())]

    def create(self, count: int = 1) -> list[Key]:
        return [(self.sandbox.leadconduit.submit(),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.sandbox.leadconduit.retry(key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        for key in keys:
            self.edit(key, {self.column: value})
