"""Google's sheets, what people do to them, and how Google fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.gsheet.truth import problems_of, true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SettlingMachine,
    script,
    statuses,
)
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOKS = st.sampled_from(["2024", "2025", "spends"])
KINDS = st.sampled_from(["marketing_leads", "marketing_spends"])

SCRIPT = script(
    ["/gsheet/", "/values/", r"/v4/spreadsheets/\w+\?", "/drive/"],
    SLOW_DOWN,
    statuses(400, 401, 403, 404, 500, 503),
    statuses(403, body="drive limit"),
    statuses(403, 404, 502, body="html"),
)


class GSheetMachine(SettlingMachine):
    crm_name = "gsheet"
    began_at = NOON
    names = ("marketing_leads", "marketing_spends")

    def changes(self) -> int:
        return sum(book.version for book in self.world.books.values())

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

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        known = set()
        for key, values in true_rows(self.world, entity):
            known.add(key)
            if "/".join(key) not in aside:
                yield from problems_of(key, values, stored.get(key))
        for key, row in stored.items():
            if row["deleted_at"] is None and key not in known:
                yield f"{key} is live here, and nowhere else"
