"""SalesRabbit's leads, what happens to them, and how SalesRabbit fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.compared import problems_of
from crm_sync_assets_tests.crms.salesrabbit.truth import true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.faults import LIES
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SettlingMachine,
    disturbing,
    script,
    statuses,
)
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

SCRIPT = script(
    ["/salesrabbit/", r"/leads\?", r"/leads/\d", "Histories", "users"],
    SLOW_DOWN,
    statuses(304, 400, 401, 403, 404, 422, 500, 502),
    statuses(403, 404, 502, body="html"),
    LIES,
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"salesrabbit_inclusive": True},
        {"salesrabbit_http_dates": True},
        {"salesrabbit_pages_users": True},
        {"salesrabbit_silent": True},
        {"salesrabbit_nested": True},
    ]
)


class SalesRabbitMachine(SettlingMachine):
    crm_name = "salesrabbit"
    began_at = NOON
    names = ("leads", "users", "status_histories")

    # Steps

    @step(kind=st.sampled_from(["leads", "users"]), value=VALUES)
    def create(self, kind: str, value: str | None) -> None:
        self.world.create(kind, {"firstName": value})

    @step(kind=st.sampled_from(["leads", "users"]), number=NUMBER, value=VALUES)
    def edit(self, kind: str, number: int, value: str | None) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.edit(kind, one, {"lastName": value})

    @step(number=NUMBER, status=st.sampled_from(["Sold", "Go Back"]))
    def set_status(self, number: int, status: str) -> None:
        """Which leaves the lead's own date alone."""
        if one := pick(self.world.ids("leads"), number):
            self.world.set_status(one, status)

    @step(number=NUMBER)
    def delete(self, number: int) -> None:
        if one := pick(self.world.ids("leads"), number):
            self.world.archive("leads", one)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["salesrabbit"].move(n, seed)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        for key, state, values in true_rows(self.world, entity):
            if "/".join(key) not in aside:
                row = stored.get(key)
                yield from problems_of(entity, key, state, values, row, deletions=complete)
