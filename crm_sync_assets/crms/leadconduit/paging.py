"""Events by their ids, which begin with the second they were made in and are not in order in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.paging import After, Ask, Position
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError

ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class AfterSecond(After):
    """A page holds what comes after an id; each begins with the last second of the page before.

    Lists are in the order of time and pages begin after an id, so what comes after the last id of a
    page passes over events of its second that have a lower one. Where a second fills a page without
    order, it is read in a larger one. Where a page has nothing new, or a second fills it in order,
    the list goes on from the highest id: only an empty page is the end.
    """

    def ask(self, position: Position, size: int) -> Ask:
        if position is None:
            return After.ask(self, None, max(size, 2))
        return After.ask(self, position["after"], max(size, 2, min(position["size"], self.most)))

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        seen = set(position["seen"]) if position else set()
        return [one for one in records if not (isinstance(one, dict) and one.get("id") in seen)]

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        if not records:
            return None
        named = (str(one["id"]) for one in records if isinstance(one, dict) and "id" in one)
        told = [name for name in named if ID.fullmatch(name)]
        if not told:
            raise FatalError(f"{answer.request}: no event has an id to go on from")
        ids, size = sorted(told), 0
        second = ids[-1][:8]
        floor = f"{second}{'0' * 16}"
        if ids[0][:8] == second:
            was_full = position is None or position["size"] <= len(records)
            if told != ids and was_full:
                size = self._larger(answer, len(records))
            else:
                floor = ids[-1]
        elif not self.new(position, records):
            floor = ids[-1]
        known = position["seen"] if position else []
        seen = [one for one in {*known, *ids} if one.startswith(second)]
        return {"after": floor, "seen": sorted(seen), "size": size}

    def _larger(self, answer: Answer, size: int) -> int:
        if size >= self.most:
            raise FatalError(
                f"{answer.request}: a page of {self.most} events of one second, in no order: which "
                "come after it cannot be asked for"
            )
        return 2 * size
