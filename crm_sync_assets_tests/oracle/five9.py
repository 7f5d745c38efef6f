"""Five9's contacts, what happens to them, and how Five9 fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.five9.truth import differences
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SettlingMachine,
    disturbing,
    script,
    statuses,
)

NOON = datetime(2026, 11, 20, 20, tzinfo=UTC)
MOST = 8
"""Contacts of one answer."""
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "a <b> & c"])

FAULTS = ["session", "unavailable", "limit", "closed", "argument", "field", "missed"]
SCRIPT = script(
    # Of contacts that an answer leaves out not every reading can know; so no page lies.
    ["getContactRecords", "getContactRecords New", "getListsInfo", "getContactFields", "Counters"],
    SLOW_DOWN,
    statuses(400, 401, 403, 404, 500, 502),
    statuses(404, 502, body="html"),
    st.sampled_from(FAULTS).map(lambda body: {"status": 500, "body": body}),
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"five9_id_wildcards": False},
        {"five9_date_wildcards": False},
        {"five9_lists_have_all": True},
        {"five9_counters": False},
        {"five9_queries": 60},
    ]
)


class Five9Machine(SettlingMachine):
    crm_name = "five9"
    began_at = NOON
    names = ("contacts",)

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self.sandbox.knobs.five9_most = MOST

    @contextmanager
    def misbehaving(self, *, moving: bool = True) -> Iterator[None]:
        self.odd |= {"five9_most": MOST}
        try:
            with super().misbehaving(moving=moving):
                yield
        finally:
            self.sandbox.knobs.five9_most = MOST

    # Steps

    @step(value=VALUES, number=st.sampled_from(["6145550142", None, "+442071838750"]))
    def create(self, value: str | None, number: str | None) -> None:
        self.world.create("contacts", {"city": value, "number1": number})

    @step(number=NUMBER, value=VALUES)
    def edit(self, number: int, value: str | None) -> None:
        if one := pick(self.world.ids("contacts"), number):
            self.world.edit("contacts", one, {"company": value})

    @step(value=VALUES)
    def touch_all(self, value: str | None) -> None:
        """All in one moment, more than an answer has."""
        self.world.bulk_touch("contacts", properties={"company": value})

    @step(number=NUMBER)
    def vanish(self, number: int) -> None:
        if one := pick(self.world.ids("contacts"), number):
            self.world.purge("contacts", one)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["five9"].move(n, seed)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        found = differences(self.world, self.warehouse, entity, deletions=complete)
        return self.not_aside(entity, found)
