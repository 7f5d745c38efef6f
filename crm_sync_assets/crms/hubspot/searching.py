"""Searching by id: to the end, whatever length the pages have, and with proof that none was missed.

A search says how many records are left (`total`). Its pages may be shorter than asked for, so it
goes on from what arrived, and it is over when a page comes back empty with a total of 0. What a
page must have contained is proved twice:

- a page with fewer records than it had room for: its range of ids is searched again;
- fewer records left than there should be after a page: one was left out, or some went meanwhile.
  The page's range is searched again too.

In a range of ids as many records must come as are counted there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.answers import has_records, has_total, identified, numbered
from crm_sync_assets.crms.hubspot.portions import Portions, marked
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

SEARCH_PAGE = 200
SEARCH_WINDOWS = ("search", "daily")
TRIES = 3
"""How often an answer that contradicts itself is asked for."""

Filters = Sequence[Mapping[str, str]]


class Unsearchable(Exception):
    """HubSpot does not search for this; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a search has come: all ids up to `last` were read.

    The last page began after `low`, and at least `left` records were to come after it; None where
    that is not known.
    """

    last: int = 0
    low: int = 0
    left: int | None = None

    def as_text(self) -> str:
        return f"{self.last}:{self.low}:{'' if self.left is None else self.left}"

    @classmethod
    def of(cls, text: str | None) -> Place:
        """The place a cursor holds; just an id in those of older versions."""
        last, _, more = (text or "0").partition(":")
        low, _, left = more.partition(":")
        return cls(int(last), int(low or 0), int(left) if left else None)


@dataclass(frozen=True, slots=True)
class Found:
    """Records of one page, `place` after them, and how many were counted before them."""

    records: list[Record]
    place: Place
    total: int


@dataclass(frozen=True, slots=True)
class _Answered:
    records: list[Record]
    total: int
    size: int


class Search:
    """One search of one object type, in `groups` of filters of which one must be met.

    `names` are the properties wanted, `bare` those of a record too large for one answer. With
    `may_be_refused`, a 400 or 404 is raised as Unsearchable.
    """

    def __init__(
        self,
        session: Session,
        path: str,
        groups: Sequence[Filters],
        names: Sequence[str],
        bare: Sequence[str],
        *,
        size: int = SEARCH_PAGE,
        may_be_refused: bool = False,
    ) -> None:
        self._session = session
        self._subject = session.subject
        self._path = path
        self._groups = groups
        self._names = names
        self._bare = bare
        self._size = size
        self._accept = (200, 400, 404) if may_be_refused else (200,)
        self._portions = Portions(self._subject, size)

    def count(self) -> int:
        """How many records there are."""
        total: int = self._fetch(0, None, 1, False).json["total"]
        return total

    def pages(self, place: Place) -> Iterator[Found]:
        """The records after a place, in the order of their ids.

        Raises FatalError where not as many come as are counted, or not in that order.
        """
        known: set[int] = set()
        others = 0
        while True:
            page = self._page(self._portions, place.last)
            if place.left is not None and page.total < place.left:
                missed = self._rest(place.low, place.last, known, others)
                if missed:
                    yield Found(missed, Place(place.last, place.low, page.total), page.total)
            if not page.records:
                return
            if not numbered(page.records):
                # Nothing to go on from; each is set aside, and nothing may come after them.
                if page.total > len(page.records):
                    raise FatalError(
                        f"{self._subject}: a search page without one record id, and more to come "
                        f"after {place.last}. The next sync resumes from there."
                    )
                yield Found(page.records, place, page.total)
                return
            fresh = self._beyond(place.last, page.records)
            known = set(numbered(fresh))
            others = len(fresh) - len(numbered(fresh))
            if len(known) + others < min(page.size, page.total):
                more = self._rest(place.last, max(known), known, others)
                fresh += more
                known.update(numbered(more))
            left = max(page.total - len(known) - others, 0)
            place = Place(max(known), place.last, left)
            self._session.book_ahead(SEARCH_WINDOWS)
            yield Found(fresh, place, page.total)

    def _rest(self, low: int, high: int, known: set[int], others: int) -> list[Record]:
        """What lies between two ids, the second included, and is not known.

        `others` records without a number are known of besides. FatalError unless as many came, in
        all, as are counted there.
        """
        new: dict[int, Record] = {}
        counted = arrived = 0
        for tries in range(1, TRIES + 1):
            counted, nameless = self._read_range(low, high, known, new)
            arrived = len(known | new.keys()) + max(others, nameless)
            if counted <= arrived:
                return [new[number] for number in sorted(new)]
            self._session.wait_to_ask_again(tries, f"{arrived} of {counted} records came")
        raise self._short(low, high, counted, arrived)

    def _read_range(
        self, low: int, high: int, known: set[int], new: dict[int, Record]
    ) -> tuple[int, int]:
        """Put what is not known into `new`; how many are counted, how many have no number."""
        portions = Portions(self._subject, self._size)
        counted: int | None = None
        nameless = 0
        while low < high:
            page = self._page(portions, low, high)
            counted = page.total if counted is None else counted
            if not numbered(page.records):
                nameless += len(page.records)
                break
            fresh = self._beyond(low, page.records)
            for record in fresh:
                number = next(iter(numbered([record])), None)
                if number is None:
                    nameless += 1
                elif number not in known:
                    new[number] = record
            low = max(numbered(fresh))
            if len(set(numbered(fresh))) >= page.total:
                break
        return counted or 0, nameless

    def _page(self, portions: Portions, low: int, high: int | None = None) -> _Answered:
        """A page of what lies after an id. FatalError when it stays empty with more to come."""

        def fetch(size: int, whole: bool) -> _Answered:
            body = self._fetch(low, high, size, whole).json
            return _Answered(body["results"], body["total"], size)

        for tries in range(1, TRIES + 1):
            page = portions.ask(fetch)
            if page.records or page.total <= 0:
                return page
            if tries < TRIES:
                self._session.wait_to_ask_again(tries, f"none of {page.total} records came")
        raise self._short(low, high, page.total, 0)

    def _fetch(self, low: int, high: int | None, size: int, whole: bool) -> Answer:
        bounds = [{"propertyName": "hs_object_id", "operator": "GT", "value": str(low)}]
        if high is not None:
            bounds.append({"propertyName": "hs_object_id", "operator": "LTE", "value": str(high)})
        query = {
            "filterGroups": [{"filters": [*filters, *bounds]} for filters in self._groups],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(self._names if whole else self._bare),
            "limit": size,
        }
        answer = self._session.post(
            self._path, query, windows=SEARCH_WINDOWS, accept=self._accept, check=self._problem
        )
        if answer.status != 200:
            raise Unsearchable(str(answer.json.get("message")))
        return marked(answer, whole)

    def _problem(self, body: Any) -> str | None:
        refused = isinstance(body, dict) and "results" not in body and "message" in body
        if refused and len(self._accept) > 1:
            return None
        return has_records(body) or has_total(body)

    def _short(self, low: int, high: int | None, counted: int, arrived: int) -> FatalError:
        where = f"after {low}" + (f" up to {high}" if high is not None else "")
        return FatalError(
            f"{self._subject}: short read: a search for ids {where} counts {counted} records and "
            f"gives {arrived}, {TRIES} times in a row. Nothing is lost: the next sync resumes from "
            "the last stored page; if it stays so, report it to HubSpot."
        )

    def _beyond(self, last: int, records: list[Record]) -> list[Record]:
        """The records after `last`; FatalError when they are out of order or none is new."""
        ids = numbered(records)
        if any(later < earlier for earlier, later in pairwise(ids)):
            raise FatalError(
                f"{self._subject}: the search did not sort by id ({ids[0]} … {ids[-1]}), so its "
                "pages cannot be trusted. Run it again; report it to HubSpot if it stays."
            )
        if ids[-1] <= last:
            raise FatalError(
                f"{self._subject}: pagination loop: the search repeated ids up to {ids[-1]} when "
                f"asked for those after {last}. The next sync resumes from there."
            )
        if ids[0] <= last:
            log.warning("%s: a search page repeats records, kept once", self._subject)
        seen = {str(known) for known in ids if known <= last}
        return [r for r in records if not (identified([r]) and r["id"] in seen)]
