"""Pipedrive's records, what happens to them, and how Pipedrive fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.pipedrive.truth import wrong
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SettlingMachine,
    disturbing,
    script,
    statuses,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ("deals", "persons", "leads", "notes")
TEXTS = {"deals": "title", "persons": "name", "leads": "title", "notes": "content"}
VALUES = st.sampled_from(["one", "two", None, "ünï ☃", "nul \x00 here"])

SCRIPT = script(
    ["/pipedrive/", r"/api/v1/", r"/archived\?", "cursor=", "ids="],
    SLOW_DOWN,
    st.just({"status": 429, "headers": {"x-daily-ratelimit-token-remaining": "0"}}),
    statuses(500, 503, 400, 401, 402, 403, 404, 410),
    statuses(403, body="html"),
    st.sampled_from(["Request over limit", "Invalid", "Something went wrong"]).map(
        lambda text: {"status": 200, "body": f'{{"success": false, "error": "{text}"}}'}
    ),
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


class PipedriveMachine(SettlingMachine):
    crm_name = "pipedrive"
    began_at = NOON
    names = KINDS

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

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        problems = wrong(self.sandbox, self.warehouse, entity, complete)
        return self.not_aside(entity, problems)
