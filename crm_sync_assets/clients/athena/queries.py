"""One reading of a table: one query, in the order of changes, its result page by page.

The query's id is in the cursor, so that a reading that is resumed takes up the query that runs, or
the result that is there, at the page where it was. A result that is gone, and a query that fails
for a reason that passes, is ordered again.

What a query scans is what AWS charges for. It is counted, and a query that scans more than a
setting allows is stopped. Its place stays in the cursor: what comes next refuses before it orders
anything, until the setting is raised, and then takes up what was paid for.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from crm_sync_assets.clients.athena.failures import failure_of, passes
from crm_sync_assets.clients.athena.results import records_in
from crm_sync_assets.clients.athena.service import Execution, Service
from crm_sync_assets.clients.athena.source import MOST_ROWS
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.declarations.contract import Cursor
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import Gone, SyncError, TooCostly, TransientError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import SyncSettings

log = logger(__name__)

FIRST_POLL, LONGEST_POLL = 0.5, 5.0
MOST_SECONDS: Final = 300.0
"""For one query, by what was waited. Then it is stopped."""
EARLY_SECONDS: Final = 5.0
"""What is refused is refused by then; from then on the query is worth being found again."""
MEGABYTE: Final = 1_000_000


class _Anew(Exception):
    """The query has to be ordered again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading is: in which query, and before which page of its result.

    `query` is its id, None before it is ordered. `token` leads to the next page, and is None before
    the first; `scanned` are the bytes of the query, once it is over, or was stopped for them.
    `ended` says that the last page was read.
    """

    query: str | None = None
    token: str | None = None
    scanned: int | None = None
    ended: bool = False

    @classmethod
    def of(cls, cursor: Cursor) -> Place:
        names = ("query", "token", "scanned", "ended")
        return cls(**{name: cursor[name] for name in names if name in cursor})

    def cursor(self) -> dict[str, Any]:
        told = {
            "query": self.query,
            "token": self.token,
            "scanned": self.scanned,
            "ended": self.ended or None,
        }
        return {name: value for name, value in told.items() if value is not None}


Rows = tuple[list[Record], Place]
"""A page, and where the next one is."""
Found = TypeVar("Found")
Step = Generator[Rows, None, Found]


@dataclass(frozen=True, slots=True)
class Results:
    """The result of one statement, which has these columns, however often it is ordered."""

    service: Service
    statement: str
    columns: tuple[str, ...]
    settings: SyncSettings
    page_size: int

    def pages(self, place: Place) -> Iterator[Rows]:
        """Rows, each page with where the next one is; without rows while a query takes long.

        Raises TooCostly for a query that scans too much, TransientError for one that takes too
        long or whose failure passes and did not, else what Athena says of the failure.
        """
        tries = 0
        while True:
            try:
                yield from self._pages(place)
                return
            except _Anew as error:
                tries += 1
                if tries >= self.settings.max_attempts:
                    raise TransientError(
                        f"{self._subject}: {error}, {tries} times in a row. The next sync orders "
                        "another query."
                    ) from None
                self.service.session.wait_to_ask_again(tries, f"{error}: ordering the query again")
                place = Place()

    @property
    def _subject(self) -> str:
        return self.service.session.subject

    def _pages(self, place: Place) -> Step[None]:
        if place.ended:
            yield [], place
            return
        if place.scanned is not None and self._is_over(place.scanned):
            # Nothing is ordered; the place is stored again, so that it stays.
            yield [], place
            raise self._too_costly(place.scanned, "Nothing was ordered")
        if place.token is None:
            place = yield from self._ready(place)
        yield from self._fetched(place)

    def _ready(self, place: Place) -> Step[Place]:
        """The place with a query that has succeeded, what it scanned counted once."""
        taken_up, query = place.query is not None, place.query
        if query is None:
            # However often the request is sent, it is one query.
            query = self.service.start(self.statement, token=str(uuid.uuid4()))
            log.info("%s: query %s ordered", self._subject, query)
            place = replace(place, query=query)
        now = yield from self._over(place, query, taken_up=taken_up)
        if place.scanned is None:
            self.service.session.usage.add(bytes_scanned=now.scanned)
            place = replace(place, scanned=now.scanned)
        if self._is_over(now.scanned):
            yield [], place
            raise self._too_costly(now.scanned, f"Query {query} was stopped, or had just ended")
        if now.state == "CANCELLED":
            if taken_up:
                raise _Anew(f"query {query} was stopped")
            raise TransientError(
                f"{self._subject}: query {query} was cancelled by somebody else "
                f"({now.why or 'nobody says why'}). The next sync orders another one."
            )
        if now.state == "FAILED":
            if passes(now):
                raise _Anew(f"query {query} failed ({now.why})")
            raise failure_of(now, f"{self._subject}: query {query}")
        return place

    def _over(self, place: Place, query: str, *, taken_up: bool) -> Step[Execution]:
        """How the query ended, or how far it was when it had to be stopped."""
        waited, pause, told = 0.0, FIRST_POLL, taken_up
        while True:
            try:
                now = self.service.execution(query)
            except Gone as error:
                raise _Anew(f"query {query} is not known any more ({error})") from None
            if now.is_over:
                return now
            if self._is_over(now.scanned):
                self._stop(query)
                return now
            if waited >= MOST_SECONDS:
                self._stop(query)
                raise TransientError(
                    f"{self._subject}: query {query} is {now.state} after {waited:.0f} s, and was "
                    "stopped. The next sync orders another one."
                )
            if waited >= EARLY_SECONDS and not told:
                told = True
                yield [], place
            self.service.session.pause(pause)
            waited += pause
            pause = min(pause * 1.5, LONGEST_POLL)

    def _stop(self, query: str) -> None:
        """End a query. What happens next is known already, whether it could be ended or not."""
        try:
            self.service.stop(query)
        except SyncError as error:
            log.warning("%s: query %s could not be stopped: %s", self._subject, query, error)

    def _is_over(self, scanned: int) -> bool:
        most = self.settings.most_scanned_mb * MEGABYTE
        return bool(most) and scanned > most

    def _too_costly(self, scanned: int, what: str) -> TooCostly:
        return TooCostly(
            f"{self._subject}: the query scanned {scanned / MEGABYTE:,.1f} MB, and the setting "
            f"most_scanned_mb is {self.settings.most_scanned_mb}. {what}; nothing of it is stored. "
            "Raise the setting: the next sync goes on from there."
        )

    def _fetched(self, place: Place) -> Step[None]:
        assert place.query is not None
        guard, columns = CursorGuard(self._subject), self.columns
        while True:
            is_first = place.token is None
            rows = min(self.page_size + is_first, MOST_ROWS)
            try:
                body = self.service.page(place.query, columns, place.token, rows)
            except Gone as error:
                raise _Anew(f"query {place.query} has no result any more ({error})") from None
            records = records_in(body, columns, is_first=is_first)
            token = body.get("NextToken")
            if token is not None:
                token = guard.follow(token, records=len(records))
            place = replace(place, token=token, ended=token is None)
            yield records, place
            if token is None:
                return
