"""Events by their ids, which begin with the second they were made in and are not in order in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.paging import After, Ask, Position
from crm_sync_assets.declarations.entity import Record


@dataclass(frozen=True, slots=True)
class AfterSecond(After):
    """A page holds what comes after an id; each begins with the last second of the page before.

    Two hosts may make ids within one second in any order, and what comes after the last of them
    would pass over one that was made later. Where that second fills a page, and where a page has
    nothing new, the list goes on from the highest id: only an empty page is the end.
    """

    def ask(self, position: Position, size: int) -> Ask:
        return After.ask(self, position and position["after"], max(size, 2))

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        seen = set(position["seen"]) if position else set()
        return [one for one in records if not (isinstance(one, dict) and one.get("id") in seen)]

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        if not records:
            return None
        After.after(self, None, answer, records)
        ids = sorted(str(one["id"]) for one in records if isinstance(one, dict) and one.get("id"))
        second = ids[-1][:8]
        floor = f"{second}{'0' * 16}"
        is_one_second = ids[0][:8] == second
        if is_one_second or not self.new(position, records):
            floor = ids[-1]
        known = position["seen"] if position else []
        seen = [one for one in {*known, *ids} if one.startswith(second)]
        return {"after": floor, "seen": sorted(seen)}
