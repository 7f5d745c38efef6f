"""Arrivy's records, what happens to them, and how Arrivy fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.arrivy.truth import expected, problems_of, true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.faults import LIES
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SandboxMachine,
    disturbing,
    script,
    statuses,
)
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
OVERLAP = timedelta(days=45)
KINDS = ("tasks", "entities", "statuses", "bookings")
TEXTS = {"tasks": "details", "entities": "details", "statuses": "description", "bookings": "name"}
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

SCRIPT = script(
    # Of a task's own list of statuses nobody could tell a lie.
    [r"/api/\w+\?", r"/tasks\?", "unscheduled=true", "page=2"],
    SLOW_DOWN,
    statuses(500, 503, 400, 401, 403, 404),
    statuses(403, body="html"),
    LIES,
    most=30,
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"arrivy_cap": 7},
        {"arrivy_unpaged": False},
        {"arrivy_contained": True},
        {"arrivy_zone_ignored": 14},
        {"arrivy_described": True},
    ]
)


class ArrivyMachine(SandboxMachine):
    crm_name = "arrivy"
    began_at = NOON
    names = KINDS

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._seen: dict[tuple[str, str], Any] = {}
        self._settled: dict[tuple[str, str], datetime] = {}

    def look(self) -> None:
        for entity in self.entities:
            for key, live, begins, record in true_rows(self.world, entity):
                one, now = (entity.name, key), self.source_now()
                told = (live, begins, {c.name: expected(c, record) for c in entity.columns})
                if self._seen.get(one) != told:
                    self._settled[one] = datetime.min.replace(tzinfo=UTC) if not self.begun else now
                    self._seen[one] = told

    # Steps

    @step(value=VALUES, days=st.integers(-20, 400))
    def book(self, value: str | None, days: int) -> None:
        self.world.book(self.source_now() + timedelta(days=days), details=value)

    @step(kind=st.sampled_from(KINDS), number=NUMBER, value=VALUES)
    def edit(self, kind: str, number: int, value: str | None) -> None:
        """However long ago a task took place."""
        if one := pick(self.world.ids(kind), number):
            self.world.edit(kind, one, {TEXTS[kind]: value})

    @step(number=NUMBER, days=st.integers(-40, 200))
    def plan(self, number: int, days: int) -> None:
        """Another day for any task."""
        if one := pick(self.world.ids("tasks"), number):
            self.world.plan(one, self.source_now() + timedelta(days=days))

    @step(number=NUMBER, keep=st.booleans())
    def unplan(self, number: int, keep: bool) -> None:
        if one := pick(self.world.ids("tasks"), number):
            self.world.unplan(one, keep_moment=keep)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["arrivy"].move(n, seed)

    @step(number=NUMBER, kind=st.sampled_from(KINDS))
    def delete(self, number: int, kind: str) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.purge(kind, one)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """What each delta reads is there, once it has not changed since the watermark."""
        stored = {key[0]: row for key, row in stored_rows(self.warehouse, entity).items()}
        aside = self.set_aside(entity)
        for key, live, begins, record in true_rows(self.world, entity):
            if self._settled[entity.name, key] < watermark and key not in aside:
                exact = self._is_read(entity, live, begins, watermark)
                yield from self._problems(entity, key, live, record, stored.get(key), exact)

    def differences(self, *, complete: bool) -> list[str]:
        found = []
        for entity in self.entities:
            stored = {key[0]: row for key, row in stored_rows(self.warehouse, entity).items()}
            known = set()
            for key, live, begins, record in true_rows(self.world, entity):
                known.add(key)
                exact = complete or self._is_read(entity, live, begins, self.source_now())
                found += self._problems(entity, key, live, record, stored.get(key), exact)
            found += [f"{entity}: {key} is nobody's" for key in stored.keys() - known]
        return found

    def _is_read(self, entity: Entity, live: bool, begins: int | None, moment: datetime) -> bool:
        """Whether a delta of that moment read it."""
        if not entity.tracks_changes:
            return True
        since = (moment - OVERLAP).timestamp() * 1_000
        return live and (begins is None or begins >= since)

    def _problems(
        self, entity: Entity, key: str, live: bool, record: Any, row: Any, exact: bool
    ) -> list[str]:
        """Of what no delta reads nothing is known before a full read, not even that it is there."""
        if not exact and row is None:
            return []
        return problems_of(entity, key, live, record, row, exact=exact)
