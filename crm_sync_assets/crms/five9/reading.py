"""One reading of the contacts, and what it goes by.

- everything: by the first of several ways that works;
- what changed: by a report, where one is named, else by the day of the last change, where % works
  there and the domain keeps that moment; else it is everything.

A contact that says in no known way when it changed is set aside, and no delta by that moment would
meet it again: each asks for it by its id. Where there are many, it is the format that is wrong, and
the sync fails.

What can be trusted is tried out on a contact that is stored, before anything is concluded from an
answer that has nobody.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from crm_sync_assets.crms.five9 import axes, days
from crm_sync_assets.crms.five9.axes import Part, Question
from crm_sync_assets.crms.five9.dialect import Unfit
from crm_sync_assets.crms.five9.domain import Asking
from crm_sync_assets.crms.five9.fields import LIST, MODIFIED, Reader, Row, Undated
from crm_sync_assets.crms.five9.places import Place
from crm_sync_assets.crms.five9.report import NotReported, Report
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.crms.five9.ways import Ways
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import UNREAD
from crm_sync_assets.errors import Refused, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.nearest import meant

log = logger(__name__)

TRIED: Final = 10
"""Stored contacts on which a wildcard is tried, if the first ones are gone."""
AROUND: Final = timedelta(days=1)
"""Before and after the change of a contact on which a report is tried: the zone may be wrong."""
MOST_UNDATED: Final = 50
"""Contacts that are set aside for the moment of their change: each costs a request per delta."""
UNDATED: Final = "undated"
"""In a sync's memory: the contacts that it set aside for that."""
PUT_BACK: Final = timedelta(hours=1)
"""An hour that the clock shows twice is read as the first of the two."""


class Reading:
    """One reading; `pages` may be asked for once."""

    def __init__(self, asking: Asking, read: Read) -> None:
        self._asking, self._read = asking, read
        self._subject = read.entity.name
        self._domain = asking.domain
        self._fields = asking.fields()
        self._reader = Reader(read.entity, self._fields, self._domain.zone)
        self._list = read.options.get("list_name")
        self._most_of_list = read.options.get("max_records_per_list")
        self._taken: Counter[str] = Counter()
        field = self._list_field
        only = [{"field": field, "value": str(self._list)}] if self._list else []
        self.ways = Ways(asking, self._fields, only)

    # -- what it goes by -------------------------------------------------------------------------

    def pages(self) -> Iterator[Page]:
        """Pages of records; the last one's cursor has nothing left."""
        self._check_list()
        place = Place.of(self._read.cursor) if self._read.cursor else self._begun()
        yield from self._owed(place)
        if place.by == "report":
            report = Report(self._asking, self._read.entity, self._fields)
            try:
                for rows in report.answers(place, self._read.page_size):
                    yield self.page(rows, place)
                return
            except NotReported as error:
                place = self._everything_for(str(error))
        yield from self._swept(place)

    def _begun(self) -> Place:
        place = self._beginning()
        strategy = self._read.strategy
        is_delta = strategy.since is not None and strategy.until is None
        if is_delta and not self._list and not self._most_of_list:
            place.owed = [str(key) for key in self._read.memory.get(UNDATED) or ()]
        return place

    def _owed(self, place: Place) -> Iterator[Page]:
        """What the sync before has set aside, whenever it changed: it may be readable by now."""
        while place.owed:
            key = place.owed.pop()
            rows = self._asking.rows([{"field": ID, "value": key}])
            yield self._page([row for row in rows if row[ID] == key], place)

    def _beginning(self) -> Place:
        since, until = self._read.strategy.since, self._read.strategy.until
        if since is None or self._list:
            return self._everything()
        if MODIFIED not in self._fields.mapped:
            why = f"the domain maps no field to {MODIFIED}"
        elif self._domain.report:
            tried = self._stored_contact()
            if tried is not None:
                key, at = tried
                trial = self._window(at - AROUND, at + AROUND)
                return Place("report", windows=[trial, self._window(since, until)], tried=key)
            why = "no stored contact says when it changed, to try the report on"
        else:
            by, why = self._tried()
            if by is not None:
                asked = days.between(self._domain.zone, since, until, self._now())
                questions: list[Question] = [(Part(by, day),) for day in reversed(asked)]
                left = axes.stored(questions)
                return Place(by, left=left, ids_work=by == "day", dates_work=True)
        return self._everything_for(why)

    def _everything_for(self, why: str) -> Place:
        level = logging.WARNING if self._domain.first_time(("everything", why)) else logging.INFO
        log.log(level, "%s: reading everything, for %s", self._subject, why)
        return self._everything()

    def _window(self, since: datetime, until: datetime | None) -> list[str]:
        ends = days.walls(self._domain.zone, since, until, self._now())
        return [wall.isoformat() for wall in ends]

    def _stored_contact(self) -> tuple[str, datetime] | None:
        """A contact that is known and still there, and when it changed last."""
        for key in self._read.known.keys(self._read.entity.table, column=ID, limit=TRIED):
            rows = self._asking.rows([{"field": ID, "value": key}])
            try:
                at = next((self._reader.changed(row) for row in rows if row[ID] == key), None)
            except Undated:
                continue
            if at is not None:
                return key, at
        return None

    def _tried(self) -> tuple[Literal["day", "changed"] | None, str]:
        """What a delta can go by, tried on a contact that is known; else why it cannot."""
        field = self._fields.mapped[MODIFIED]
        for key in self._read.known.keys(self._read.entity.table, column=ID, limit=TRIED):
            rows = self._asking.rows([{"field": ID, "value": key}])
            value = next((row.get(field) for row in rows if row[ID] == key), None)
            if not value or not days.is_moment(value):
                continue
            day = {"field": field, "value": f"{value[:10]}%"}
            if not self._finds(key, [{"field": ID, "value": key}, day]):
                return None, f"a day of {field} finds nobody"
            begun = {"field": ID, "value": f"{key[:-1]}%"}
            return ("day" if self._finds(key, [begun, day]) else "changed"), ""
        return None, f"no stored contact has a readable {field} to try it on"

    def _finds(self, key: str, criteria: list[dict[str, str]]) -> bool:
        try:
            rows = self._asking.rows(criteria)
        except Unfit:
            return False
        return any(row[ID] == key for row in rows) or len(rows) >= self._domain.most

    def _everything(self) -> Place:
        sizes = self._asking.sizes()
        return Place("open", sum(sizes.values()), max(sizes.values(), default=0))

    # -- reading it ------------------------------------------------------------------------------

    def _swept(self, place: Place) -> Iterator[Page]:
        if place.by == "open":
            place, sweep = self.ways.first(place)
        else:
            sweep = self.ways.sweep(place)
        for rows in sweep.answers():
            place.left = axes.stored(sweep.left)
            place.read += len(rows)
            yield self.page(rows, place)
            if self._list and self._is_full(str(self._list)):
                return

    # -- pages -----------------------------------------------------------------------------------

    def page(self, rows: list[Row], place: Place) -> Page:
        """The records of contacts that are wanted; the place is behind them."""
        return self._page([row for row in rows if self._is_wanted(row)], place)

    def _page(self, rows: list[Row], place: Place) -> Page:
        page = self._reader.page(rows, {})
        undated = [str(one[ID]) for one in page.records if UNREAD in one]
        place.undated = list(dict.fromkeys([*place.undated, *undated]))
        if len(place.undated) > MOST_UNDATED:
            raise Refused(
                f"{self._subject}: more than {MOST_UNDATED} contacts say in no known way when they "
                f"changed. {next(one[UNREAD] for one in page.records if UNREAD in one)}"
            )
        return replace(page, cursor=place.cursor(), memory={UNDATED: place.undated})

    def _is_wanted(self, row: Row) -> bool:
        """Whether it falls into the window and into the lists that were asked for.

        One that does not say in a known way when it changed may fall into any window.
        """
        try:
            at = self._reader.changed(row)
        except Undated:
            at = None
        since, until = self._read.strategy.since, self._read.strategy.until
        if at is not None:
            early = since is not None and at < since - PUT_BACK
            if early or (until is not None and at >= until):
                return False
        if not self._list and not self._most_of_list:
            return True
        name = row.get(self._list_field) or ""
        if (self._list and name != self._list) or self._is_full(name):
            return False
        self._taken[name] += 1
        return True

    def _is_full(self, name: str) -> bool:
        most = self._most_of_list
        return most is not None and self._taken[name] >= most

    @property
    def _list_field(self) -> str:
        return self._fields.mapped.get(LIST, "last_list")

    def _check_list(self) -> None:
        if not self._list:
            return
        names = list(self._asking.sizes())
        if self._list not in names:
            raise UsageError(
                f"{self._subject}: list_name is '{self._list}', which is no list of the domain"
                f"{meant(str(self._list), names)}"
            )

    def _now(self) -> datetime:
        return self._domain.source_time() or datetime.now(UTC)
