"""Google's sheets, what people do to them, and how Google fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.gsheet.truth import problems_of, true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SandboxMachine
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOKS = st.sampled_from(["2024", "2025", "spends"])
KINDS = st.sampled_from(["marketing_leads", "marketing_spends"])

_moves = st.builds(
    lambda n, seed: {"mutate": {"op": "move", "n": n, "seed": seed}}, st.integers(1, 4), NUMBER
)
_actions = st.one_of(
    st.sampled_from(["0.01", "7", "86400", None]).map(
        lambda after: {"status": 429, "retry_after": after}
    ),
    st.sampled_from([400, 401, 403, 404, 500, 503]).map(lambda s: {"status": s}),
    st.just({"status": 403, "body": "drive limit"}),
    st.sampled_from([403, 404, 502]).map(lambda status: {"status": status, "body": "html"}),
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from(["html", "empty", "{}", "[]"]).map(lambda body: {"status": 200, "body": body}),
    _moves,
    _moves,
)
SCRIPT = st.fixed_dictionaries(
    {
        "match": st.sampled_from(["/gsheet/", "/values/", r"/v4/spreadsheets/\w+\?", "/drive/"]),
        "on": st.one_of(st.integers(1, 8), st.sampled_from(["2-", "4-", "3-5", "every 3"])),
        "action": _actions,
    }
)


class GSheetMachine(SandboxMachine):
    crm_name = "gsheet"
    began_at = NOON
    names = ("marketing_leads", "marketing_spends")

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._changed: datetime | None = None
        self._counted = -1

    def look(self) -> None:
        counted = sum(book.version for book in self.world.books.values())
        if self._counted != counted:
            self._changed = self.source_now() if self._counted >= 0 else None
            self._counted = counted

    # Steps

    @step(book=BOOKS, at=st.sampled_from([None, 0, 5]))
    def create(self, book: str, at: int | None) -> None:
        self.world.create(book, at=at)

    @step(kind=KINDS, number=NUMBER, value=st.sampled_from(["one", None, "ünï ☃", "#N/A!"]))
    def edit(self, kind: str, number: int, value: str | None) -> None:
        name = "call_notes" if kind == "marketing_leads" else "Campaign Type"
        if one := pick(self.world.ids(kind), number):
            self.world.edit(one, {name: value})

    @step(kind=KINDS, number=NUMBER)
    def delete(self, kind: str, number: int) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.delete(one)

    @step(kind=KINDS, number=NUMBER)
    def copy(self, kind: str, number: int) -> None:
        if one := pick(self.world.ids(kind), number):
            self.world.copy(one)

    @step(book=BOOKS, number=NUMBER, at=st.integers(0, 9))
    def move_column(self, book: str, number: int, at: int) -> None:
        columns = [column.name for column in self.world.book(book).columns]
        if one := pick(columns, number):
            self.world.move_column(book, one, at)

    @step(book=BOOKS, number=NUMBER)
    def sort(self, book: str, number: int) -> None:
        if one := pick([column.name for column in self.world.book(book).columns], number):
            self.world.sort(book, one)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["gsheet"].move(n, seed)

    @step(line=SCRIPT)
    def go_wrong(self, line: dict[str, Any]) -> None:
        self.script.append(line)

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """Once nothing has changed since the watermark, the table has it all."""
        if self._changed is None or self._changed < watermark:
            yield from self._wrong(entity)

    def differences(self, *, complete: bool) -> list[str]:
        return [one for entity in self.entities for one in self._wrong(entity)]

    def last_syncs(self) -> None:
        for name in self.names:
            self.settle(name, full=True)

    def _wrong(self, entity: Entity) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        known = set()
        for key, values in true_rows(self.world, entity):
            known.add(key)
            if "/".join(key) not in aside:
                yield from problems_of(key, values, stored.get(key))
        for key, row in stored.items():
            if row["deleted_at"] is None and key not in known:
                yield f"{key} is live here, and nowhere else"
