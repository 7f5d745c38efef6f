"""Pipedrive's records, what happens to them, and how Pipedrive fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.pipedrive.truth import wrong
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SandboxMachine, disturbing

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ("deals", "persons", "leads", "notes")
TEXTS = {"deals": "title", "persons": "name", "leads": "title", "notes": "content"}
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

_moves = st.builds(
    lambda n, seed: {"mutate": {"op": "move", "n": n, "seed": seed}}, st.integers(1, 4), NUMBER
)
_actions = st.one_of(
    st.sampled_from(["0.01", "7", "86400", None]).map(
        lambda after: {"status": 429, "retry_after": after}
    ),
    st.just({"status": 429, "headers": {"x-daily-ratelimit-token-remaining": "0"}}),
    st.sampled_from([500, 503, 400, 401, 402, 403, 404, 410]).map(lambda s: {"status": s}),
    st.just({"status": 403, "body": "html"}),
    st.sampled_from(["Request over limit", "Invalid", "Something went wrong"]).map(
        lambda text: {"status": 200, "body": f'{{"success": false, "error": "{text}"}}'}
    ),
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from(["html", "empty", "{}", "[]"]).map(lambda body: {"status": 200, "body": body}),
    _moves,
    _moves,
)
SCRIPT = st.fixed_dictionaries(
    {
        "match": st.sampled_from(["/pipedrive/", r"/api/v1/", r"/archived\?", "cursor=", "ids="]),
        "on": st.one_of(st.integers(1, 12), st.sampled_from(["2-", "4-", "3-5", "every 3"])),
        "action": _actions,
    }
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"page_shrink": 2},
        {"empty_pages": 2},
        {"pipedrive_silent_pagination": True},
        {"pipedrive_flat_pagination": False},
        {"pipedrive_null_lists": False},
        {"pipedrive_fields_closed": True},
        {"pipedrive_deleted_status": 410},
    ]
)


class PipedriveMachine(SandboxMachine):
    crm_name = "pipedrive"
    began_at = NOON
    names = KINDS

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

    @step(kind=st.sampled_from(KINDS), value=VALUES)
    def create(self, kind: str, value: str | None) -> None:
        self.world.create(kind, {TEXTS[kind]: value})

    @step(kind=st.sampled_from(KINDS), number=NUMBER, value=VALUES)
    def edit(self, kind: str, number: int, value: str | None) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.edit(kind, one, {TEXTS[kind]: value})

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        """Archived, deleted, back, merged, converted."""
        self.world.move(n, seed)

    @step(number=NUMBER)
    def forget_cursors(self, number: int) -> None:
        self.world.expire_cursors()

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

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
        for problem in wrong(self.sandbox, self.warehouse, entity, everything):
            if not any(f"('{one}',)" in problem for one in aside):
                yield problem
