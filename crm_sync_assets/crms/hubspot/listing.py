"""The list of one object type: live records, or those in the recycle bin.

A page that is empty with more to come is asked for again. Whether the list of live records was
complete, its `tally` says by the search's count. Of the recycle bin nobody counts the records:
pages that may be short, the last one among them, are asked for twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.crms.hubspot.answers import has_records, identified, next_after, numbered
from crm_sync_assets.crms.hubspot.objecttype import ObjectType
from crm_sync_assets.crms.hubspot.portions import Portions, marked
from crm_sync_assets.crms.hubspot.records import Records, at_once
from crm_sync_assets.crms.hubspot.searching import TRIES, Unsearchable
from crm_sync_assets.crms.hubspot.tally import Tally
from crm_sync_assets.declarations.contract import Cursor, Page, Read
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError, Gone, TooLong
from crm_sync_assets.log import logger

log = logger(__name__)

LIST_PAGE = 100
# Longer property lists go into a POST instead, which takes a second request per page. HubSpot does
# not say how much it takes: a shorter address that it answers with 414 is remembered.
MOST_URL = 15_000


class Listing:
    """The pages of one reading's lists, `size` records each, with the properties of these names.

    `tally` counts the live records and is carried along in the cursors of both lists; without one
    nothing is counted. `archived_ids` are those that the recycle bin has shown so far.
    """

    def __init__(
        self,
        objects: ObjectType,
        read: Read,
        names: Sequence[str],
        *,
        size: int,
        tally: Tally | None = None,
    ) -> None:
        self._objects = objects
        self._session = objects.session
        self._subject = objects.subject
        self._is_limited = bool(read.limit)
        self._at_once = at_once(read)
        self._path = objects.hub.paths.objects(objects.kind)
        self._names = ",".join(names)
        self._bare = ",".join(objects.bare)
        self._records = Records(objects, names)
        self._size = size
        self._tally = tally
        self.archived_ids: set[str] = set()

    def pages(
        self, phase: str, after: str | None = None, following: str = "done"
    ) -> Iterator[Page]:
        """The list of a phase, `live` or `archived`, after a cursor; `following` is the phase that
        comes when it is over."""
        hub = self._objects.hub
        length = len(self._path) + len(urlencode({"properties": self._names}))
        if length <= min(MOST_URL, hub.longest_url):
            try:
                for records, _, cursor in self._listed(self._names, phase, after, following):
                    after = cursor.get("after")
                    yield Page(records, cursor)
                return
            except TooLong:
                hub.longest_url = length - 1
        # The next pages are listed while the properties of the ones before are read.
        calls = (
            partial(self._filled, records, here, cursor, phase == "archived")
            for records, here, cursor in self._listed(self._bare, phase, after, following)
        )
        for pages in in_order(calls, self._at_once):
            yield from pages

    def _filled(
        self, listed: Sequence[Record], here: Cursor, cursor: Cursor, archived: bool
    ) -> list[Page]:
        """A listed page with the properties too many for an address; only its last part has the
        next page's `cursor`."""
        *first, last = self._records.filled(listed, archived=archived) or [[]]
        return [*(Page(part, here) for part in first), Page(last, cursor)]

    def _listed(
        self, names: str, phase: str, after: str | None, following: str
    ) -> Iterator[tuple[list[Record], Cursor, Cursor]]:
        """The list's pages, each with its own cursor and that of the next."""
        archived = phase == "archived"
        guard = CursorGuard(self._subject)
        highest: int | None = None
        if after is not None:
            guard.follow(after, records=1)
        began_anew = False
        tally = None if archived else self._tally
        portions = Portions(self._subject, self._size)
        while True:
            try:
                ask = partial(portions.ask, partial(self._answer, names, archived, after))
                listed, following_page = self._page(ask, archived, promised=after is not None)
            except Gone:
                if after is None or began_anew:
                    raise
                log.warning("%s: the cursor %s expired, listing anew", self._subject, after)
                after, began_anew, guard = None, True, CursorGuard(self._subject)
                if tally is not None:
                    tally.begin_anew()
                continue
            broke_off = not listed and following_page is None and after is not None
            if broke_off and not archived and tally is None:
                self._confirm_the_end(highest)
            numbers = numbered(listed)
            highest = max([*numbers, *([] if highest is None else [highest])], default=None)
            if archived:
                self.archived_ids.update(record["id"] for record in identified(listed))
            here = self._cursor(phase, after)
            if tally is not None:
                if after is None and following_page is not None:
                    tally.counted = counted(self._objects, tally)
                tally.add(listed)
            after = following_page
            if after is None:
                yield listed, here, self._cursor(following, None)
                return
            guard.follow(after, records=len(listed))
            self._session.book_ahead()
            yield listed, here, self._cursor(phase, after)

    def _answer(
        self, names: str, archived: bool, after: str | None, size: int, whole: bool
    ) -> Answer:
        asked = {"limit": str(size), "archived": str(archived).lower()}
        if after:
            asked["after"] = after
        asked["properties"] = names if whole else self._bare
        return marked(self._session.get(self._path, asked, check=has_records), whole)

    def _page(
        self, ask: Callable[[], Answer], archived: bool, *, promised: bool
    ) -> tuple[list[Record], str | None]:
        """A page and the cursor after it, asked for again where it may not be whole.

        One was `promised` if the page before it had a cursor.
        """
        for tries in range(1, TRIES + 1):
            answer = ask()
            listed: list[Record] = answer.json["results"]
            following = next_after(answer.json)
            if listed or tries == TRIES or not (following or promised):
                break
            self._session.wait_to_ask_again(tries, "an empty page of the list where more was due")
        ids = {record["id"] for record in identified(listed)}
        is_full = following is not None and len(ids) >= self._size
        if archived and not is_full and not self._is_limited:
            again = ask()
            following = following or next_after(again.json)
            listed += [r for r in identified(again.json["results"]) if r["id"] not in ids]
        return listed, following

    def _confirm_the_end(self, last: int | None) -> None:
        """FatalError unless the list ends after this id, though it had promised another page.

        It may have: what was on that page can be gone by now. Or HubSpot answered with nothing.
        """
        beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(last or 0)}
        left = self._objects.count([beyond])
        if last is None or left:
            raise FatalError(
                f"{self._subject}: short read: the list ended with an empty page where more was "
                f"promised, and {left} records lie beyond it. Run it again."
            )

    def _cursor(self, phase: str, after: str | None) -> Cursor:
        cursor: dict[str, Any] = {"phase": phase}
        if after is not None:
            cursor["after"] = after
        if self._tally is not None:
            cursor["tally"] = self._tally.as_cursor()
        return cursor


def beginning(objects: ObjectType, lag: timedelta) -> Tally | None:
    """A tally for a list that begins now; None where the search cannot count the records."""
    created = objects.source.created
    if objects.type_of(created) != "datetime":
        return None
    now = objects.hub.source_time() or datetime.now(UTC)
    return Tally.beginning(created, now, lag)


def counted(objects: ObjectType, tally: Tally) -> int | None:
    """What the search counts of the records in this tally; None where it cannot."""
    try:
        return objects.count(tally.filters, may_be_refused=True)
    except Unsearchable:
        return None
