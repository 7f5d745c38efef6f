"""Through a set in order, by what was read last and not by how much was read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.odata.feed import NEXT
from crm_sync_assets.clients.odata.querying import FILTER, literal
from crm_sync_assets.clients.rest.paging import Ask, Moved, Position
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.entity import Record

ANCHORS: Final = 2
LEAST: Final = 2 * ANCHORS
"""Records of a page: each begins with the last ones of the page before."""
MOST_BACK: Final = 1_000
"""Pages that are asked for again; a set that moves more is read anew."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """A set by its `key` or, where there is a `modified` property, in the order of changes.

    Both are spelled as the schema has them. A page is asked for from the second of the last change
    on, and within that second (or, without such a property, within all) after so many records as it
    had. A number of records proves nothing, for records come, go and move meanwhile. So each page
    begins with the last two of the page before, and what comes after them is new. Where neither is
    there, pages before that place are asked for, at last from where the second begins: what is read
    twice does no harm. A second, and not a moment: a database may show a moment rounded, and then
    not find it.

    What is changed meanwhile comes again at the end. Records without a moment come first, as NULL
    does. A page without anything new is the end. A server that cuts pages short, with a link to the
    rest, changes nothing: what follows is asked for all the same.
    """

    key: str
    modified: str | None = None
    most: int = 5_000

    def __post_init__(self) -> None:
        if not self.key or self.most < LEAST:
            raise ValueError(f"InOrder: a key, and {LEAST} records a page at least")

    def ask(self, position: Position, size: int) -> Ask:
        order = [f"{self.modified} asc"] if self.modified else []
        params = {
            "$orderby": ",".join([*order, f"{self.key} asc"]),
            "$top": str(max(min(size, self.most), LEAST)),
        }
        if position is None:
            return Ask(params)
        if position["skip"]:
            params["$skip"] = str(position["skip"])
        second = position["second"]
        if second is None:
            return Ask(params)
        return Ask(
            params, narrowed={FILTER: f"{self.modified} ge {literal(second, 'Edm.DateTime')}"}
        )

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        self._refuse_another_order(position, records)
        if position is None:
            return records
        places = [n for n, one in enumerate(records) if self._mark(one) in position["last"]]
        if places:
            return records[places[-1] + 1 :]
        if position["skip"] == 0:
            # All of them have changed or gone meanwhile: what is here was read, or is new.
            return records
        back = position["back"] + 1
        reason = "the records a page begins with are not where they were"
        if back > MOST_BACK:
            raise Moved(f"{reason}, {back} times")
        skip = max(position["skip"] - max(position["page"] - ANCHORS, 1), 0)
        raise Moved(reason, {**position, "skip": skip, "back": back})

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        if not records:
            if at(answer.json, NEXT):
                raise Moved("an empty page of the set, and more to come")
            return None
        if not self._has_more(position, records):
            if at(answer.json, NEXT):
                raise Moved("a page of the set without anything new, and more to come")
            return None
        second = self._second(records[-1])
        here = [one for one in records if self._second(one) == second]
        before = position["skip"] if position and second == position["second"] else 0
        last = here[-ANCHORS:]
        return {
            "second": second,
            "skip": before + len(here) - len(last),
            "last": [self._mark(one) for one in last],
            "page": len(records),
            # How often it went back: a place may be reached a second time.
            "back": position["back"] if position else 0,
        }

    def total(self, answer: Answer) -> int | None:  # noqa: ARG002
        return None

    def ends_by_emptiness(self, answer: Answer) -> bool:  # noqa: ARG002
        return True

    def foreseen(self, position: Position, size: int) -> Iterator[Position]:  # noqa: ARG002
        yield from ()

    def _has_more(self, position: Position, records: Sequence[Record]) -> bool:
        """Whether anything may come after a page: not if it has but the last ones of the other."""
        if position is None:
            return True
        return not {self._mark(one) for one in records} <= {*position["last"]}

    def _second(self, record: Record) -> str | None:
        """The second of its change, as the server writes it; None without one."""
        found = self._moment(record)
        return found.partition(".")[0] if found else None

    def _moment(self, record: Record) -> str:
        return str(_of(record, self.modified) or "") if self.modified else ""

    def _mark(self, record: Record) -> str:
        """What tells a record, as it is now in the order, from others."""
        name = _of(record, self.key) or f"? {zlib.crc32(repr(record).encode(errors='replace'))}"
        return f"{name} {self._moment(record)}".strip()

    def _refuse_another_order(self, position: Position, records: Sequence[Record]) -> None:
        if not self.modified:
            return
        moments = [self._moment(one) for one in records]
        floor = (position and position["second"]) or ""
        if moments != sorted(moments) or (moments and moments[0] < floor):
            raise Moved(f"the server does not keep to the order of {self.modified}")


def _of(record: Record, name: str) -> Any:
    return record.get(name.lower()) if isinstance(record, dict) else None
