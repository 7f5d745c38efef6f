"""Reading CRM objects: what a reading consists of, in which order, and where it goes on.

A reading goes through phases, and its cursor says which one it is in:

- everything: `live` (the list), then `archived` (the recycle bin);
- a delta: `search` (changed since), then `archived`, then `restored`, then `gained`;
- a window: `search` alone.

The parts: `listing` has the two lists, `changes` what a delta searches and asks for, `records` is
asked by id, `hidden` says what the account does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crm_sync_assets.clients import gaining
from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.changes import Changes
from crm_sync_assets.crms.hubspot.hidden import hidden_columns, of_columns
from crm_sync_assets.crms.hubspot.listing import LIST_PAGE, Listing, beginning
from crm_sync_assets.crms.hubspot.objecttype import ObjectType
from crm_sync_assets.crms.hubspot.records import Records, at_once
from crm_sync_assets.crms.hubspot.searching import SEARCH_PAGE, Filters, Place, Unsearchable
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.crms.hubspot.tally import Tally
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

DEFAULT_PAGE = 100

SHAPE = "shape"
"""In a cursor: of the properties that the records before it were read with."""


class ObjectReading:
    """One reading of one object type.

    `page_size` is clamped to what an endpoint takes: 100 in the list, 200 in the search. A search
    page costs the same whatever its size, so the default page size of 100 means 200 there.
    """

    def __init__(self, hub: Account, read: Read, session: Session, source: Objects) -> None:
        self._objects = ObjectType(hub, session, source)
        self._read = read
        self._subject = read.entity.name
        most = read.limit or SEARCH_PAGE
        size = read.page_size
        self._list_size = min(size, LIST_PAGE, most)
        self._search_size = min(SEARCH_PAGE if size == DEFAULT_PAGE else size, SEARCH_PAGE, most)
        if size > LIST_PAGE and self._phases[0] == "live":
            log.info("%s: page size %d, a list gives %d at most", self._subject, size, LIST_PAGE)

    @property
    def _phases(self) -> tuple[str, ...]:
        strategy = self._read.strategy
        if strategy.reads_everything:
            return ("live", "archived")
        if strategy.until:
            return ("search",)
        return ("search", "archived", "restored", "gained")

    def pages(self) -> Iterator[Page]:
        """The records of every phase, from the cursor on."""
        names = self._objects.names()
        shape = gaining.shape_of(names)
        anew = self._read.cursor is not None and self._read.cursor.get(SHAPE) != shape
        if anew:
            log.info("%s: other properties are shown than before: anew", self._subject)
            self._read = replace(self._read, cursor=None)
        hidden = hidden_columns(self._objects, self._read.entity, names)
        gained = gaining.gained(self._read, names) if "gained" in self._phases else []
        # Records that are read for one that comes back bring all others, too.
        back = bool(gaining.returned(self._read, gained))
        most = None if back else gaining.MOST_AT_ONCE
        # A reading that is resumed while it fills some properties goes on with those.
        chosen = (self._read.cursor or {}).get("gained", gained[:most])
        later = set(gained) - set(chosen)
        memory = gaining.memory(self._read, names, without=later, unsure=anew)
        asked = names if memory.get("lost") else None
        labels = self._objects.labels(of_columns(self._read.entity))
        for page in self._phase_by_phase(names, chosen, back=back):
            yield replace(
                page,
                cursor={**page.cursor, SHAPE: shape},
                hidden_columns=hidden,
                asked=asked,
                memory=memory,
                labels=labels,
            )

    def _phase_by_phase(
        self, names: Sequence[str], gained: Sequence[str], *, back: bool
    ) -> Iterator[Page]:
        phases = self._phases
        listing = self._listing(names, self._tally())
        changes = Changes(self._objects, self._read, names, size=self._search_size)
        cursor = dict(self._read.cursor or {})
        begin = cursor.get("phase", phases[0])
        if begin == "done":
            return
        if begin not in phases:
            raise FatalError(
                f"{self._subject}: the checkpoint is in phase '{begin}', this reading has "
                f"{', '.join(phases)}. Run it with --full to start afresh."
            )
        for number in range(phases.index(begin), len(phases)):
            phase, following = phases[number], (*phases, "done")[number + 1]
            after = cursor.get("after") if phase == begin else None
            if phase == "search":
                yield from changes.changed(after)
            elif phase == "restored":
                yield from changes.restored(listing.archived_ids, after)
            elif phase == "gained":
                yield from changes.gained(gained, after, back=back)
            else:
                yield from listing.pages(phase, after, following)

    def _tally(self) -> Tally | None:
        """That of the cursor, or a new one where a list of everything begins."""
        begins = self._read.cursor is None and self._phases[0] == "live" and not self._read.limit
        if begins:
            return beginning(self._objects, self._read.lag)
        return Tally.of(self._read.cursor)

    def _listing(self, names: Sequence[str], tally: Tally | None = None) -> Listing:
        return Listing(self._objects, self._read, names, size=self._list_size, tally=tally)

    def outline(self) -> Iterator[Page]:
        """Every live record with its id and modified date: from the list, which never lags."""
        names = [name for name in self._objects.bare if name != "hs_object_id"]
        yield from self._listing(names, beginning(self._objects, self._read.lag)).pages("live")

    def values_of(self, names: Sequence[str]) -> Iterator[Page]:
        """Every live record with its id, its modified date and these properties, as listed."""
        modified = self._objects.source.modified
        yield from self._listing([modified, *names] if modified else names).pages("live")

    def by_key(self, ids: Sequence[str]) -> Iterator[Page]:
        """These records whole, live or archived; tombstones for the ones that are neither."""
        names = self._objects.names()
        hidden = hidden_columns(self._objects, self._read.entity, names)
        for page in Records(self._objects, names).pages(ids, at_once(self._read)):
            yield replace(page, hidden_columns=hidden, asked=names)

    def overlooked(self) -> Iterator[Page]:
        """Nothing, when the search counts as many records as the list had; else the id of each
        live record.

        The ids come from the search, by id; where it does not know such objects, from the list once
        more, in pages of another size. What the search shows late, and what was created or restored
        while the list was read, is brought by the next delta.
        """
        tally = Tally.of(self._read.cursor)
        filters: Filters = tally.filters if tally is not None else []
        search = self._objects.search([filters], ["hs_object_id"], may_be_refused=True)
        begun = False
        try:
            for found in search.pages(Place()):
                if not begun and tally is not None and tally.proves(found.total):
                    return
                if not begun:
                    log.info(
                        "%s: the list had %s records and the search counts %d: reading all ids",
                        self._subject,
                        tally.listed if tally is not None and tally.is_exact else "some",
                        found.total,
                    )
                begun = True
                yield Page(found.records, {})
                if not found.place.low and not found.place.left:
                    return
        except Unsearchable as error:
            log.info("%s: HubSpot cannot search: %s; listing the ids again", self._subject, error)
            self._list_size = self._list_size - 1 or 2
            yield from self._listing(self._objects.bare).pages("live")
