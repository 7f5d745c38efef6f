"""Salesforce's records, what happens to them, and how Salesforce fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.salesforce.truth import OBJECTS, differences
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SandboxMachine

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
NAMES = ("contacts", "leads", "tasks", "users")
"""Contacts are so many that a job reads all of them."""
TEXTS = {"contacts": "Title", "leads": "Company", "tasks": "Description", "users": "Title"}
VALUES = st.sampled_from(["one", "two", "ünï ☃", 'a "quote",\nand lines', None])

_moves = st.builds(
    lambda n, seed: {"mutate": {"op": "move", "n": n, "seed": seed}}, st.integers(1, 4), NUMBER
)
_actions = st.one_of(
    st.sampled_from([400, 401, 403, 404, 500, 502, 503]).map(lambda status: {"status": status}),
    st.sampled_from(["concurrent", "limit", "access"]).map(lambda b: {"status": 403, "body": b}),
    st.sampled_from(["timeout", "large"]).map(lambda b: {"status": 400, "body": b}),
    st.just({"status": 401, "body": "html"}),
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from(["html", "empty", "{}", "[]"]).map(lambda body: {"status": 200, "body": body}),
    st.sampled_from(["empty", "short"]).map(lambda lie: {"lie": lie}),
    _moves,
    _moves,
)
SCRIPT = st.fixed_dictionaries(
    {
        "match": st.sampled_from(["/queryAll", "/jobs/query", "/results", "/describe", "/deleted"]),
        "on": st.one_of(st.integers(1, 12), st.sampled_from(["2-", "4-", "3-5", "every 3"])),
        "action": _actions,
    }
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


class SalesforceMachine(SandboxMachine):
    crm_name = "salesforce"
    began_at = NOON
    names = NAMES

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._changed: datetime | None = None
        self._counted = -1

    def look(self) -> None:
        counted = sum(table.changes for table in self.world.tables.values())
        if self._counted != counted:
            self._changed = self.source_now() if self._counted >= 0 else None
            self._counted = counted

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

    @step(line=SCRIPT)
    def go_wrong(self, line: dict[str, Any]) -> None:
        self.script.append(line)

    @step(knobs=KNOBS)
    def be_odd(self, knobs: dict[str, Any]) -> None:
        self.odd |= knobs

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """Once nothing has changed since the watermark, the table has it all."""
        if self._changed is None or self._changed < watermark:
            yield from self._wrong(entity, everything=False)

    def differences(self, *, complete: bool) -> list[str]:
        return [one for entity in self.entities for one in self._wrong(entity, complete)]

    def last_syncs(self) -> None:
        for name in self.names:
            self.settle(name, full=True)

    def _wrong(self, entity: Entity, everything: bool) -> Iterator[str]:
        aside = self.set_aside(entity)
        found = differences(self.sandbox, self.warehouse, entity, purges_seen=everything)
        for problem in found:
            if not any(f"('{one}',)" in problem for one in aside):
                yield problem
