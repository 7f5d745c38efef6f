"""SalesRabbit's leads, what happens to them, and how SalesRabbit fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.salesrabbit.truth import problems_of, true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.faults import LIES
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SandboxMachine, disturbing
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

_moves = st.builds(
    lambda n, seed: {"mutate": {"op": "move", "n": n, "seed": seed}}, st.integers(1, 4), NUMBER
)
_actions = st.one_of(
    st.sampled_from(["0.01", "7", "86400", None]).map(
        lambda after: {"status": 429, "retry_after": after}
    ),
    st.sampled_from([304, 400, 401, 403, 404, 422, 500, 502]).map(lambda s: {"status": s}),
    st.sampled_from([403, 404, 502]).map(lambda status: {"status": status, "body": "html"}),
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from(["html", "empty", "{}", "[]"]).map(lambda body: {"status": 200, "body": body}),
    LIES,
    _moves,
    _moves,
)
SCRIPT = st.fixed_dictionaries(
    {
        "match": st.sampled_from(
            ["/salesrabbit/", r"/leads\?", r"/leads/\d", "Histories", "users"]
        ),
        "on": st.one_of(st.integers(1, 12), st.sampled_from(["2-", "4-", "3-5", "every 3"])),
        "action": _actions,
    }
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


class SalesRabbitMachine(SandboxMachine):
    crm_name = "salesrabbit"
    began_at = NOON
    names = ("leads", "users", "status_histories")

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

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """Once nothing has changed since the watermark, the table has it all."""
        if self._changed is None or self._changed < watermark:
            yield from self._wrong(entity, deletions=False)

    def differences(self, *, complete: bool) -> list[str]:
        return [one for entity in self.entities for one in self._wrong(entity, deletions=complete)]

    def last_syncs(self) -> None:
        for name in self.names:
            self.settle(name, full=True)

    def _wrong(self, entity: Entity, *, deletions: bool) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        for key, state, values in true_rows(self.world, entity):
            if "/".join(key) not in aside:
                row = stored.get(key)
                yield from problems_of(entity, key, state, values, row, deletions=deletions)
