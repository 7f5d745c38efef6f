"""LeadConduit's events, what they make of its leads, and how LeadConduit fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.leadconduit.truth import differences
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SandboxMachine,
    disturbing,
    script,
    statuses,
)

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

SCRIPT = script(
    # Of events that a page leaves out nobody tells; so no page lies.
    ["/events", "type=source", "type=feedback", "after_id"],
    SLOW_DOWN,
    statuses(400, 401, 403, 404, 422, 500, 502),
    statuses(403, body="html"),
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"leadconduit_ignores_type": True}, {"leadconduit_by_date": True}]
)


class LeadConduitMachine(SandboxMachine):
    crm_name = "leadconduit"
    began_at = NOON
    names = ("leads",)

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._changed: dict[str, datetime] = {}
        self._counted = 0

    def look(self) -> None:
        """Note of which leads there are events since the last look."""
        for event in self.world.events[self._counted :]:
            self._changed[event.lead] = self.source_now() if self.begun else NOON.replace(year=1970)
        self._counted = len(self.world.events)

    # Steps

    @step(value=VALUES)
    def submit(self, value: str | None) -> None:
        self.world.submit({"first_name": value, "note_hge": "new"})

    @step(number=NUMBER, value=VALUES)
    def retry(self, number: int, value: str | None) -> None:
        if one := pick(self.world.ids(), number):
            self.world.retry(one, {"last_name": value, "city": None})

    @step(number=NUMBER, outcome=st.sampled_from(["success", "failure"]), is_whole=st.booleans())
    def feedback(self, number: int, outcome: str, is_whole: bool) -> None:
        if one := pick(self.world.ids(), number):
            self.world.feedback(one, outcome, None, is_whole=is_whole)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["leadconduit"].move(n, seed)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """What has had no event since the watermark is as its events say."""
        settled = {lead for lead, at in self._changed.items() if at < watermark}
        for problem in differences(self.world, self.warehouse):
            if any(lead in problem for lead in settled):
                yield problem

    def differences(self, *, complete: bool) -> list[str]:
        return list(differences(self.world, self.warehouse))
