"""Salesforce's records, what happens to them, and how Salesforce fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.salesforce.truth import OBJECTS, differences
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SettlingMachine,
    disturbing,
    script,
    statuses,
)

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
NAMES = ("contacts", "leads", "tasks", "users")
"""Contacts are so many that a job reads all of them."""
TEXTS = {"contacts": "Title", "leads": "Company", "tasks": "Description", "users": "Title"}
VALUES = st.sampled_from(["one", "two", "ünï ☃", 'a "quote",\nand lines', None])

SCRIPT = script(
    ["/queryAll", "/jobs/query", "/results", "/describe", "/deleted"],
    statuses(400, 401, 403, 404, 500, 502, 503),
    st.sampled_from(["concurrent", "limit", "access"]).map(lambda b: {"status": 403, "body": b}),
    st.sampled_from(["timeout", "large"]).map(lambda b: {"status": 400, "body": b}),
    statuses(401, body="html"),
    st.sampled_from(["empty", "short"]).map(lambda lie: {"lie": lie}),
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"salesforce_job_page": 7},
        {"salesforce_job_polls": 4},
        {"salesforce_jobs_fail": "InternalServerError"},
        {"salesforce_head_bytes": 14_000},
        {"salesforce_log_hours": 1},
        {"salesforce_daily_jobs": 0},
        {"short_total": 2},
    ]
)


class SalesforceMachine(SettlingMachine):
    crm_name = "salesforce"
    began_at = NOON
    names = NAMES

    # Steps

    @step(name=st.sampled_from(NAMES), value=VALUES)
    def create(self, name: str, value: str | None) -> None:
        self.world.create(OBJECTS[name], {TEXTS[name]: value})

    @step(name=st.sampled_from(NAMES), number=NUMBER, value=VALUES)
    def edit(self, name: str, number: int, value: str | None) -> None:
        if one := pick(self.world.ids(OBJECTS[name]), number):
            self.world.edit(OBJECTS[name], one, {TEXTS[name]: value})

    @step(name=st.sampled_from(NAMES), value=VALUES)
    def touch_all(self, name: str, value: str | None) -> None:
        """All in one moment, more than a page has."""
        ids = self.world.ids(OBJECTS[name])
        self.world.bulk_touch(OBJECTS[name], ids, properties={TEXTS[name]: value})

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        """Edited, deleted, back, merged, converted."""
        self.sandbox.crms["salesforce"].move(n, seed)

    @step(number=NUMBER)
    def end_sessions(self, number: int) -> None:
        self.sandbox.crms["salesforce"].operations()["end_sessions"]()

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        found = differences(self.sandbox, self.warehouse, entity, purges_seen=complete)
        return self.not_aside(entity, found)
