"""What a delta reads by searching, and what it asks for because no search would show it.

- `changed`: since the watermark, or in a window;
- `restored`: rows the warehouse holds as deleted that are live again: restoring need not touch the
  modified date;
- `gained`: records with a value in a property that could not be read, or was kept elsewhere, until
  now: that does not touch the modified date either. All records for a property that comes back, of
  which rows hold values that are none by now, and for one that nobody can search by.

A search is paged by id, never by its own offset: that ends at 10,000 results, and a record edited
between two pages would move the rest. It has no upper bound in a delta, so that a record edited
while we read stays in the set; `searching` proves it complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from crm_sync_assets.clients import gaining
from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.crms.hubspot.answers import epoch_ms
from crm_sync_assets.crms.hubspot.objecttype import ObjectType
from crm_sync_assets.crms.hubspot.records import Records, at_once, hundreds
from crm_sync_assets.crms.hubspot.searching import Place, Unsearchable
from crm_sync_assets.declarations.contract import Cursor, Page, Read
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

# A record can be restored for 90 days.
RECYCLE_BIN = timedelta(days=91)
KNOWN_AT_ONCE = 1_000
ALL = "all"


class Changes:
    """The searches of one reading, `size` records a page, with the properties of these names."""

    def __init__(self, objects: ObjectType, read: Read, names: Sequence[str], *, size: int) -> None:
        self._objects = objects
        self._subject = objects.subject
        self._read = read
        self._names = names
        self._size = size
        self._records = Records(objects, names)

    def changed(self, after: str | None) -> Iterator[Page]:
        """What changed since the watermark, or in a window, after a place in the search."""
        self._check_modified()
        strategy, modified = self._read.strategy, self._objects.source.modified or ""
        bounds = [
            {"propertyName": modified, "operator": operator, "value": str(epoch_ms(moment))}
            for operator, moment in (("GTE", strategy.since), ("LT", strategy.until))
            if moment is not None
        ]
        total_of = after is None
        search = self._objects.search([bounds], self._names, size=self._size)
        for found in search.pages(Place.of(after)):
            cursor = {"phase": "search", "after": found.place.as_text()}
            yield Page(found.records, cursor, total=found.total if total_of else None)
            total_of = False

    def restored(self, archived: Collection[str], after: str | None) -> Iterator[Page]:
        """Records the warehouse holds as deleted, after an id, that are neither `archived` nor
        gone."""
        held = self._held_as_deleted(archived, after)
        calls = (partial(self._alive, ids) for ids in hundreds(held))
        for pages in in_order(calls, at_once(self._read)):
            yield from (page for page in pages if page.records)

    def gained(self, gained: Sequence[str], after: str | None, *, back: bool) -> Iterator[Page]:
        """Records with a value in one of these properties, a few properties at a time; all where
        one comes `back`.

        A cursor is how many properties are done, or that all records are read, and the place in
        the search.
        """
        if not gained:
            return
        done, _, place = (after or (f"{ALL}:" if back else "0:")).partition(":")
        if after is None:
            log.info(
                "%s: reading every record%s %s, new since the last sync",
                self._subject,
                " for" if back else " with a value in",
                ", ".join(gained),
            )
        if done != ALL:
            try:
                yield from self._filling(gained, int(done), place)
                return
            except Unsearchable as error:
                log.warning(
                    "%s: HubSpot cannot search by all of %s (%s): reading every record",
                    self._subject,
                    ", ".join(gained),
                    error,
                )
                place = ""
        # By id, as all searches: nothing is missed, whatever changes meanwhile.
        search = self._objects.search([[]], self._names, size=self._size)
        for found in search.pages(Place.of(place)):
            yield Page(found.records, self._filled(gained, ALL, found.place))

    def _filling(self, gained: Sequence[str], done: int, place: str) -> Iterator[Page]:
        """Records with a value in one of these properties, from those on of which none is done."""
        for start in range(done, len(gained), gaining.PER_SEARCH):
            names = gained[start : start + gaining.PER_SEARCH]
            groups = [[{"propertyName": name, "operator": "HAS_PROPERTY"}] for name in names]
            search = self._objects.search(groups, self._names, size=self._size, may_be_refused=True)
            for found in search.pages(Place.of(place)):
                yield Page(found.records, self._filled(gained, str(start), found.place))
            place = ""

    def _filled(self, gained: Sequence[str], done: str, place: Place) -> Cursor:
        return {"phase": "gained", "after": f"{done}:{place.as_text()}", "gained": [*gained]}

    def _check_modified(self) -> None:
        """A filter by a field that is no date finds nothing and says nothing."""
        name = self._objects.source.modified
        kind = self._objects.type_of(name or "")
        if self._objects.kind in ("contacts", "0-1") and name != "lastmodifieddate":
            problem = "contacts are only found by lastmodifieddate"
        elif kind is None:
            problem = "HubSpot has no such property"
        elif kind != "datetime":
            problem = f"its type is {kind}, not datetime"
        else:
            return
        raise FatalError(
            f"{self._subject}: changes cannot be found by '{name}': {problem}. Correct `modified` "
            "in the declaration; nothing was read."
        )

    def _held_as_deleted(self, archived: Collection[str], after: str | None) -> Iterator[str]:
        """Ids the warehouse holds as deleted that are not in the recycle bin."""
        since = (self._objects.hub.source_time() or datetime.now(UTC)) - RECYCLE_BIN
        table = self._read.entity.table
        while keys := self._read.known.keys(
            table, after=after, limit=KNOWN_AT_ONCE, deleted_since=since
        ):
            after = keys[-1]
            yield from (key for key in keys if key not in archived)

    def _alive(self, ids: Sequence[str]) -> list[Page]:
        return [
            Page(
                [found[key] for key in some if key in found],
                {"phase": "restored", "after": some[-1]},
            )
            for some, found in self._records.found(ids, archived=False)
        ]
