"""CallRail's records, what happens to them without a date that moves, and how CallRail fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.callrail.truth import expected, problems_of, true_rows
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
OVERLAP = timedelta(days=30)
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

SCRIPT = script(
    ["/callrail/", r"calls\.json", r"(tags|users)\.json", "text-"],
    SLOW_DOWN,
    statuses(500, 503, 520, 400, 401, 403, 404, 422),
    statuses(403, 404, body="html"),
    LIES,
    most=30,
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"short_total": 3},
        {"page_shrink": 2},
        {"empty_pages": 2},
        {"repeat_page": True},
        {"callrail_no_totals": True},
        {"callrail_utc_offset": 14},
        {"callrail_messages": "sms"},
    ]
)


class CallRailMachine(SandboxMachine):
    crm_name = "callrail"
    began_at = NOON
    names = ("calls", "tags", "text_messages", "users")

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._seen: dict[tuple[str, str], Any] = {}
        self._settled: dict[tuple[str, str], datetime] = {}

    def look(self) -> None:
        for entity in self.entities:
            for key, live, began, record in true_rows(self.world, entity):
                one, now = (entity.name, key), self.source_now()
                values = {c.name: expected(c, record) for c in entity.columns if c.name != "id"}
                told = (live, began, values)
                if self._seen.get(one) != told:
                    self._settled[one] = datetime.min.replace(tzinfo=UTC) if not self.begun else now
                    self._seen[one] = told

    # Steps

    @step(value=VALUES)
    def call(self, value: str | None) -> None:
        self.world.begin_call(note=value, duration=30)

    @step(number=NUMBER, value=VALUES)
    def note(self, number: int, value: str | None) -> None:
        """However old the call is."""
        if one := pick(self.world.ids("calls"), number):
            self.world.edit("calls", one, {"note": value})

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["callrail"].move(n, seed)

    @step(number=NUMBER, content=st.sampled_from(["Hello", "Hello", "Bye"]))
    def text(self, number: int, content: str) -> None:
        if one := pick(self.world.ids("conversations"), number):
            self.world.say(one, content)

    @step(number=NUMBER)
    def spam(self, number: int) -> None:
        if one := pick(self.world.ids("calls"), number):
            self.world.spam(one)

    @step(number=NUMBER, kind=st.sampled_from(["tags", "users"]))
    def delete(self, number: int, kind: str) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.purge(kind, one)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """A day after it began a record is in what each delta reads again, for a month."""
        stored = {key[0]: row for key, row in stored_rows(self.warehouse, entity).items()}
        exact_from = (watermark - OVERLAP).timestamp() * 1_000
        aside = self._aside(entity)
        for key, live, began, record in true_rows(self.world, entity):
            is_aside = aside.intersection((key, key.partition("-")[0]))
            if self._settled[entity.name, key] < watermark and not is_aside:
                exact = not entity.tracks_changes or began >= exact_from
                yield from problems_of(entity, key, live, record, stored.get(key), exact=exact)

    def differences(self, *, complete: bool) -> list[str]:
        found = []
        for entity in self.entities:
            stored = {key[0]: row for key, row in stored_rows(self.warehouse, entity).items()}
            from_ms = (self.source_now() - OVERLAP).timestamp() * 1_000
            known, aside = set(), set() if complete else self._aside(entity)
            for key, live, began, record in true_rows(self.world, entity):
                known.add(key)
                if aside.intersection((key, key.partition("-")[0])):
                    continue
                exact = complete or not entity.tracks_changes or began >= from_ms
                found += problems_of(entity, key, live, record, stored.get(key), exact=exact)
            found += [f"{entity}: {key} is nobody's" for key in stored.keys() - known]
        return found

    def _aside(self, entity: Entity) -> set[str]:
        """What is in quarantine, until a sync that reads as far back brings it.

        Of a conversation that was not told whole one message stands for all that is missing.
        """
        found = self.set_aside(entity)
        if entity.sync_type == "text_messages":
            found |= {one.partition("-")[0] for one in found}
        return found

    def last_syncs(self) -> None:
        for name in ("calls", "text_messages"):
            self.settle(name, full=True)
