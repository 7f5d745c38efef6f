"""Pages by number that overlap: a list without totals or cursors, whose shifts are noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.paging import Ask, Moved, Position
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.entity import Record

LEAST = 10
"""Records of a first page: smaller ones, each beginning before the last one's end, get nowhere."""


@dataclass(frozen=True, slots=True)
class Overlapping:
    """Pages have numbers from 1 and a size that may be another for each.

    The next page is chosen so that it begins at or before the last record read, by its `key`. Where
    that stands later than it did, something came before it, or the page before left one out: the
    list has Moved. Where it stands earlier, something before it went away, and all after it is new.
    So is what nobody tells: the page that has nothing after that record is the end, a page shorter
    than asked for is not, and an empty one is none. Where there is a place `more` that says whether
    the list goes on, its word is taken for the end, and not for more where nothing is new.

    Where the source perhaps knows no pages, and sends `all_at_once`, the same list again is the end
    too; it is asked for in one page, whatever its size, so that it was shorter than asked for.
    """

    parameter: str
    size: str
    most: int
    key: str = "id"
    more: str | None = None
    all_at_once: bool = False

    def __post_init__(self) -> None:
        if not self.parameter or not self.size or not self.key or self.most < LEAST:
            raise ValueError(
                f"Overlapping: parameters for page and size, and {LEAST} records a page"
            )

    def ask(self, position: Position, size: int) -> Ask:
        if position is None:
            return self._ask(1, self._first(size))
        return self._ask(position["page"], position["size"])

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        keys = [at(record, self.key) for record in records]
        names = [key for key in keys if key not in (None, "")]
        if len(set(names)) < len(names):
            raise Moved("a page has a record twice")
        overlap = position["read"] - _start(position) if position else 0
        if not overlap:
            return records
        if position["last"] not in keys:
            raise Moved(f"record {position['last']} is not where it was")
        found = keys.index(position["last"])
        if found >= overlap and not self._is_all_again(position, found):
            raise Moved(f"record {position['last']} is further back than it was")
        return records[found + 1 :]

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        said = at(answer.json, self.more) if self.more else None
        if not self.new(position, records):
            if said is True and not self.all_at_once:
                raise Moved("a page without anything new, and more to come")
            return None
        if said is False:
            return None
        named = [n for n, record in enumerate(records) if at(record, self.key) not in (None, "")]
        if not named:
            return None
        last = at(records[named[-1]], self.key)
        if position and last == position["last"]:
            return None
        is_full = position is not None and len(records) >= position["size"]
        # Only the first page may tell what the source caps: a shorter one after it is the last.
        most = position["most"] if position else max(len(records), 2)
        read = (_start(position) if position else 0) + named[-1] + 1
        return {**_planned(read, most), "last": last, "is_full": is_full}

    def foreseen(self, position: Position, size: int) -> Iterator[Position]:
        """As many as are wanted, once a page was as full as it was asked to be."""
        if position is None or not (position["is_full"] or position["most"] >= self._first(size)):
            return
        while True:
            position = _planned(position["page"] * position["size"], position["most"])
            yield position

    def total(self, answer: Answer) -> int | None:  # noqa: ARG002
        return None

    def ends_by_emptiness(self, answer: Answer) -> bool:
        return self.more is None or at(answer.json, self.more) is None

    def _first(self, size: int) -> int:
        return self.most if self.all_at_once else max(min(size, self.most), LEAST)

    def _ask(self, page: int, size: int) -> Ask:
        return Ask({self.parameter: str(page), self.size: str(size)})

    def _is_all_again(self, position: Position, found: int) -> bool:
        return self.all_at_once and found == position["read"] - 1 < self.most - 1


def _start(position: Position) -> int:
    """How many records come before the page."""
    return int((position["page"] - 1) * position["size"])


def _planned(read: int, most: int) -> dict[str, int]:
    """The page of `most` records at most that begins before record `read` ends and leads furthest.

    Where each size divides what was read, one that begins right after it.
    """
    pages = (((read - 1) // size + 1, size) for size in range(2, most + 1))
    page, size = max(pages, key=lambda one: one[0] * one[1])
    if page * size <= read:
        page, size = read // most + 1, most
    return {"read": read, "page": page, "size": size, "most": most}
