"""One reading of one object, and in which order it goes.

- everything: all rows, by queries or, where they are many, by a bulk job;
- a delta: the rows of its window, then those in which a field is new that they did not have, then
  what is deleted for good;
- a window: its rows.

Rows come in the order of their SystemModstamp and Id, and each query begins after the last row: a
row that changes meanwhile moves to the end and is met again. No answer's locator is followed, so
that none can expire, and a reading goes on from any row. Deleted rows are among the others.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from crm_sync_assets.clients import gaining
from crm_sync_assets.crms.salesforce import soql
from crm_sync_assets.crms.salesforce.bulk import Bulk, Unsupported
from crm_sync_assets.crms.salesforce.described import Shown, spelled
from crm_sync_assets.crms.salesforce.dialect import TooMuch
from crm_sync_assets.crms.salesforce.keys import in_order
from crm_sync_assets.crms.salesforce.order import Order
from crm_sync_assets.crms.salesforce.org import Asking, Org
from crm_sync_assets.crms.salesforce.places import Job, Place
from crm_sync_assets.crms.salesforce.removed import removed
from crm_sync_assets.crms.salesforce.seeing import (
    MEMORY,
    refuse_less,
    refuse_lost,
    sees_all,
    sees_more,
)
from crm_sync_assets.crms.salesforce.selecting import select
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

OLDEST: Final = datetime(1999, 3, 8, tzinfo=UTC)
"""When Salesforce was founded: no row is older, but for what was loaded so."""
SHORTEST: Final = timedelta(seconds=1)


class Reading:
    """One reading of one object; `pages` may be asked for once."""

    def __init__(
        self, org: Org, read: Read, asking: Asking, shown: Shown, *, anew: bool = False
    ) -> None:
        """`anew` says that other fields were read before, by the same sync."""
        self._org, self._read, self._asking, self._shown = org, read, asking, shown
        self._subject = read.entity.name
        self._names = shown.names
        self._shape = gaining.shape_of(self._names)
        self._modified = read.entity.source.modified
        self._order = Order(self._subject, self._modified)
        self._size = min(read.page_size, read.limit or read.page_size)
        self._span: timedelta | None = None
        self._told: set[str] = set()
        self._anew = anew

    # The order

    def pages(self) -> Iterator[Page]:
        place = self._begun()
        labels, hidden = self._shown.labels, self._shown.hidden_columns
        # What is read whole has all of it; a window fills no rows but its own.
        later = set() if self._everything else set(self._gained()) - set(place.gained)
        memory = gaining.memory(self._read, self._spelled, without=later, unsure=self._anew)
        # Of all its pages: those that were read before the right was granted lack what was hidden.
        memory[MEMORY] = place.sees
        if kept := self._read.memory.get("gone_until"):
            memory["gone_until"] = kept
        asked = self._spelled if memory.get("lost") else None
        for page in self._phases(place):
            memory |= page.memory or {}
            yield replace(
                page, hidden_columns=hidden, asked=asked, labels=labels, memory=dict(memory)
            )
        if place.sees:
            refuse_lost(self._org, self._read)

    def _begun(self) -> Place:
        if self._is_delta:
            refuse_less(self._org, self._read)
        sees = sees_all(self._org)
        cursor = self._read.cursor
        if cursor:
            place = Place.of(cursor)
            if place.shape != self._shape:
                log.info("%s: the object's fields are others than before: anew", self._subject)
                self._anew = True
            elif place.sees and not sees:
                log.info("%s: its user does not see all records any more: anew", self._subject)
            else:
                return place
        now = self._org.source_time() or datetime.now(UTC)
        known = self._read.known
        bare = self._everything and not known.keys(self._read.entity.table, column="id", limit=1)
        gained = self._gained()[: gaining.MOST_AT_ONCE] if self._is_delta else []
        return Place(
            "rows",
            soql.moment(now),
            self._shape,
            old=0 if self._everything else None,
            bare=bare,
            gained=gained,
            unseen=self._is_delta and sees and sees_more(self._read),
            sees=sees,
        )

    @property
    def _everything(self) -> bool:
        return self._read.strategy.reads_everything

    @property
    def _is_delta(self) -> bool:
        return self._read.strategy.since is not None and self._read.strategy.until is None

    @property
    def _spelled(self) -> list[str]:
        return [spelled(name) for name in self._names]

    def _gained(self) -> list[str]:
        return gaining.gained(self._read, self._spelled)

    def _phases(self, place: Place) -> Iterator[Page]:
        if place.phase == "rows":
            place = yield from self._rows(place)
        if place.phase == "bulk":
            place = yield from self._bulk(place)
        if place.phase == "gained":
            place = yield from self._fill(place)
        if place.phase == "gone":
            end = replace(place, phase="done")
            yield from removed(
                self._asking, self._read, self._shown, place.began, end.cursor(), self._told
            )

    def _after_rows(self, place: Place) -> Place:
        done = replace(place, at=None, key="", job=None)
        if not self._is_delta:
            return replace(done, phase="done")
        return replace(done, phase="gained" if place.gained or place.unseen else "gone")

    # Rows by queries

    def _rows(self, place: Place) -> Generator[Page, None, Place]:
        """Pages up to the last row, or to where a bulk job goes on. Returns the place then."""
        total = None
        if self._everything and not place.is_counted and not self._read.limit:
            total, place = self._counted(place)
        while place.phase == "rows":
            query, high = self._query(place)
            try:
                rows = select(self._asking, query, "queryAll", self._order.fields)
            except TooMuch as error:
                self._halve(place, error)
                continue
            was = place
            is_last = rows.done and len(rows.records) < (query.limit or 0)
            place = self._order.moved(place, rows.records)
            if is_last and high is not None:
                place = replace(place, at=high, key="")
                self._span = self._span * 2 if self._span else None
            following = self._after_rows(place) if is_last and high is None else place
            yield replace(self._page(rows.records, following, place), total=total)
            total, place = None, following
            if place.phase == "rows" and not is_last:
                self._refuse_circles(was, place)
                if not place.is_counted and not self._read.limit:
                    _, place = self._counted(place)
        return place

    def _query(self, place: Place) -> tuple[Query, str | None]:
        """What comes next, and before which moment of the window that ends, if it is cut."""
        where, high = self._after(place), None
        if self._span is not None and self._modified:
            low = _moment(place.at) or self._read.strategy.since or OLDEST
            if low + self._span < (self._read.strategy.until or datetime.now(UTC)):
                high = soql.moment(low + self._span)
                where = (*where, f"{self._modified} < {high}")
        order = self._order.sorted_by
        return Query(tuple(self._names), self._object, where, order, self._size), high

    def _after(self, place: Place) -> tuple[str, ...]:
        strategy = self._read.strategy
        return self._order.after(place, strategy.since, strategy.until)

    @property
    def _object(self) -> str:
        return self._shown.described.name

    def _halve(self, place: Place, error: TooMuch) -> None:
        """The next query is about half of what this one was about."""
        if not self._modified:
            raise error
        until = self._read.strategy.until or datetime.now(UTC)
        low = _moment(place.at) or self._read.strategy.since or OLDEST
        span = (self._span or until - low) / 2
        if span < SHORTEST:
            raise error
        log.info("%s: %s; asking for %s at once", self._subject, error, span)
        self._span = span

    def _counted(self, place: Place) -> tuple[int | None, Place]:
        """How many rows are left, and the place: of very many a bulk job reads them."""
        place = replace(place, is_counted=True)
        count: int | None = None
        query = Query(("Id",), self._object, self._after(place))
        try:
            count = self._asking.count(query, "queryAll")
        except TooMuch:
            log.info("%s: too many rows to count", self._subject)
        most = self._read.bulk_rows
        if not most or (count is not None and count <= most):
            return count, place
        low = place.at or _spelled(self._read.strategy.since)
        job = Job([[low, _spelled(self._read.strategy.until)]])
        log.info("%s: %s rows: by a bulk job", self._subject, count if count else "many")
        return count, replace(place, phase="bulk", job=job)

    def _refuse_circles(self, was: Place, place: Place) -> None:
        if (place.at or "", place.key) == (was.at or "", was.key):
            raise FatalError(
                f"{self._subject}: the query after {was.key or was.at} had the same rows again"
            )

    def _page(self, records: Sequence[Record], following: Place, place: Place) -> Page:
        page = self._order.page(records, following, bare=place.bare)
        if self._is_delta:
            self._told.update(one.key[0] for one in page.tombstones)
        return page

    # Rows by a bulk job

    def _bulk(self, place: Place) -> Generator[Page, None, Place]:
        assert place.job is not None
        bulk = Bulk(self._asking, self._object, self._names, self._modified, self._subject)
        try:
            for lines, job in bulk.read(place.job, self._shown, self._read.page_size):
                # The count of what queries read is of use again, should they have to go on.
                following = replace(place, job=job) if job else self._after_bulk(place)
                yield self._page(lines, following, place)
        except Unsupported as error:
            log.info("%s: %s: by queries", self._subject, error)
            place = replace(place, phase="rows", job=None, is_counted=True)
            return (yield from self._rows(place))
        return self._after_bulk(place)

    def _after_bulk(self, place: Place) -> Place:
        """Its own count is the proof that it had all."""
        return replace(self._after_rows(place), old=None)

    # What is new in rows that did not change

    def _fill(self, place: Place) -> Generator[Page, None, Place]:
        """Rows that have a value in a field that was not read before, whole.

        All rows for a field that comes back: what they hold of it may be empty by now. All, too,
        where there may be some that were not shown before.
        """
        new = [*place.gained, *(["records that were not shown"] if place.unseen else [])]
        log.info("%s: new, and filled: %s", self._subject, ", ".join(new))
        where = self._shown.alive
        back = set(gaining.returned(self._read, self._spelled))
        if not place.unseen and all(
            self._shown.filterable(n) and n not in back for n in place.gained
        ):
            some = " OR ".join(f"{name} != null" for name in place.gained)
            where = (*where, f"({some})")
        if self._modified and self._read.strategy.since:
            where = (*where, *soql.within(self._modified, None, self._read.strategy.since))
        pages = in_order(
            self._asking,
            self._object,
            self._names,
            self._modified,
            self._size,
            where=where,
            key=place.key,
        )
        for records, key in pages:
            place = replace(place, key=key or "")
            following = place if key else replace(place, phase="gone")
            yield self._page(records, following, place)
        return replace(place, phase="gone")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else timestamp(text)


def _spelled(at: datetime | None) -> str | None:
    return None if at is None else soql.moment(at)
