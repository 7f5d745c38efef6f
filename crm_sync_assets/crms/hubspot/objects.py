"""Reading CRM objects: the list, the search, the recycle bin, and single batches of ids.

A reading goes through phases, and its cursor says which one it is in:

- everything: `live` (the list), then `archived` (the recycle bin);
- a delta: `search` (changed since), then `archived`, then `restored` (rows the warehouse holds as
  deleted that are live again: restoring need not touch the modified date), then `gained` (records
  with a value in a property that could not be read, or was kept elsewhere, until now: that does not
  touch the modified date either);
- a window: `search` alone.

A search is paged by id, never by its own offset: that ends at 10,000 results, and a record edited
between two pages would move the rest. It has no upper bound in a delta, so that a record edited
while we read stays in the set; `searching` proves it complete.

A page of a list that is empty with more to come is asked for again. Whether the list of everything
was complete, `overlooked` says by the search's count. Of the recycle bin nobody counts the records:
pages that may be short, the last one among them, are asked for twice.

What is too large for one answer is asked for in smaller `portions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from crm_sync_assets.clients.ahead import AT_ONCE, in_order
from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.crms.hubspot import gaining
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import (
    epoch_ms,
    has_records,
    identified,
    missing_ids,
    next_after,
    numbered,
    unexpected_errors,
)
from crm_sync_assets.crms.hubspot.batches import in_parts
from crm_sync_assets.crms.hubspot.portions import Portions, marked, unread
from crm_sync_assets.crms.hubspot.searching import (
    SEARCH_PAGE,
    TRIES,
    Filters,
    Place,
    Search,
    Unsearchable,
)
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.crms.hubspot.tally import Tally
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError, Gone, TooLong
from crm_sync_assets.log import logger

log = logger(__name__)

LIST_PAGE = 100
BATCH = 100
DEFAULT_PAGE = 100
# Longer property lists go into a POST instead, which takes a second request per page. HubSpot does
# not say how much it takes: a shorter address that it answers with 414 is remembered.
MOST_URL = 15_000
# A record can be restored for 90 days.
RECYCLE_BIN = timedelta(days=91)
KNOWN_AT_ONCE = 1_000


class ObjectReading:
    """One reading of one object type.

    `page_size` is clamped to what an endpoint takes: 100 in the list, 200 in the search. A search
    page costs the same whatever its size, so the default page size of 100 means 200 there.
    """

    def __init__(self, hub: Account, read: Read, session: Session, source: Objects) -> None:
        self._hub = hub
        self._read = read
        self._session = session
        self._source = source
        self._kind = hub.type_id(source.type)
        self._subject = read.entity.name
        self._archived: set[str] = set()
        self._bare = list(dict.fromkeys([source.modified or "hs_object_id", source.created]))
        self._tally: Tally | None = None
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
        self._names = self._hub.property_names(self._kind, self._session)
        hidden_columns = self._hidden_columns()
        gained = gaining.gained(self._read, self._names) if "gained" in self._phases else []
        # A reading that is resumed while it fills some properties goes on with those.
        chosen = (self._read.cursor or {}).get("gained", gained[: gaining.MOST_AT_ONCE])
        later = set(gained) - set(chosen)
        memory = gaining.memory(self._read, self._names, without=later)
        if self._phases[0] == "live" and not self._read.limit:
            self._tally = self._beginning() if self._read.cursor is None else None
        self._tally = self._tally or Tally.of(self._read.cursor)
        for page in self._phase_by_phase(chosen):
            yield replace(page, hidden_columns=hidden_columns, memory=memory)

    def _phase_by_phase(self, gained: Sequence[str]) -> Iterator[Page]:
        phases = self._phases
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
                yield from self._changed(after)
            elif phase == "restored":
                yield from self._restored(after)
            elif phase == "gained":
                yield from self._gained(gained, after)
            else:
                yield from self._list(phase, after, following)

    def outline(self) -> Iterator[Page]:
        """Every live record with its id and modified date: from the list, which never lags."""
        self._names = [name for name in self._bare if name != "hs_object_id"]
        self._tally = self._beginning()
        yield from self._list("live", None, "done")

    def values_of(self, names: Sequence[str]) -> Iterator[Page]:
        """Every live record with its id, its modified date and these properties, as listed."""
        self._names = [self._source.modified, *names] if self._source.modified else [*names]
        yield from self._list("live", None, "done")

    def by_key(self, ids: Sequence[str]) -> Iterator[Page]:
        """These records whole, live or archived; tombstones for the ones that are neither."""
        self._names = self._hub.property_names(self._kind, self._session)
        hidden_columns = self._hidden_columns()
        calls = (partial(self._asked_for, some) for some in _hundreds(ids))
        for pages in in_order(calls, at_once(self._read)):
            for page in pages:
                yield replace(page, hidden_columns=hidden_columns)

    def _asked_for(self, ids: Sequence[str]) -> list[Page]:
        pages = []
        for some, records, unknown in self._batches(ids, archived=False):
            pages.append(Page([*records.values()], {}))
            rest = [key for key in some if key not in records]
            for others, archived, _ in self._batches(rest, archived=True):
                gone = [key for key in others if key not in archived]
                tombstones = [self._tombstone(key, ask=key in unknown) for key in gone]
                pages.append(Page([*archived.values()], {}, tombstones=tombstones))
        return pages

    def _batches(
        self, ids: Sequence[str], *, archived: bool
    ) -> Iterator[tuple[Sequence[str], dict[str, Record], list[str]]]:
        """Per batch its ids, the records found by id, and the ids HubSpot was silent about."""
        portions, start = Portions(self._subject, BATCH), 0

        def fetch(size: int, whole: bool) -> tuple[Sequence[str], dict[str, Record], list[str]]:
            some, names = ids[start : start + size], self._names if whole else self._bare
            found, unknown = read_batch(self._hub, self._session, self._kind, some, names, archived)
            return some, found if whole else {k: unread(r) for k, r in found.items()}, unknown

        while start < len(ids):
            batch = portions.ask(fetch, left=len(ids) - start)
            start += len(batch[0])
            yield batch

    def _tombstone(self, record_id: str, *, ask: bool) -> Tombstone:
        """Of a record that is gone; one that HubSpot was silent about is asked for by itself."""
        found = read_one(self._hub, self._session, self._kind, record_id) if ask else None
        if found is not None and found["id"] == record_id:
            raise FatalError(
                f"{self._subject}: short read: the batch read left out {record_id}, which exists. "
                "Run it again."
            )
        return Tombstone((record_id,), merged_into=found["id"] if found is not None else None)

    def _list(self, phase: str, after: str | None, following: str) -> Iterator[Page]:
        archived = phase == "archived"
        path = self._hub.paths.objects(self._kind)
        names = ",".join(self._names)
        length = len(path) + len(urlencode({"properties": names}))
        if length <= min(MOST_URL, self._hub.longest_url):
            try:
                for records, _, cursor in self._listed(path, names, phase, after, following):
                    after = cursor.get("after")
                    yield Page(records, cursor)
                return
            except TooLong:
                self._hub.longest_url = length - 1
        # The next pages are listed while the properties of the ones before are read.
        calls = (
            partial(self._filled, records, here, cursor, archived)
            for records, here, cursor in self._listed(path, None, phase, after, following)
        )
        for pages in in_order(calls, at_once(self._read)):
            yield from pages

    def _listed(
        self, path: str, names: str | None, phase: str, after: str | None, following: str
    ) -> Iterator[tuple[list[Record], dict[str, Any], dict[str, Any]]]:
        """The list's pages, each with its own cursor and that of the next; without `names` they
        hold ids and moments only."""
        archived = phase == "archived"
        guard = CursorGuard(self._subject)
        highest: int | None = None
        portions = Portions(self._subject, self._list_size)
        if after is not None:
            guard.follow(after, records=1)
        began_anew = False
        tally = None if archived else self._tally

        def fetch(size: int, whole: bool) -> Answer:
            asked = {"limit": str(size), "archived": str(archived).lower()}
            if after:
                asked["after"] = after
            asked["properties"] = names if whole and names is not None else ",".join(self._bare)
            return marked(self._session.get(path, asked, check=has_records), whole)

        while True:
            try:
                ask = partial(portions.ask, fetch)
                listed, following_page = self._list_page(ask, archived, promised=after is not None)
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
                self._archived.update(record["id"] for record in identified(listed))
            here = self._cursor(phase, after)
            if tally is not None:
                if after is None and following_page is not None:
                    tally.counted = self._count(tally)
                tally.add(listed)
            after = following_page
            if after is None:
                yield listed, here, self._cursor(following, None)
                return
            guard.follow(after, records=len(listed))
            self._session.book_ahead()
            yield listed, here, self._cursor(phase, after)

    def _cursor(self, phase: str, after: str | None) -> dict[str, Any]:
        cursor: dict[str, Any] = {"phase": phase}
        if after is not None:
            cursor["after"] = after
        if self._tally is not None:
            cursor["tally"] = self._tally.as_cursor()
        return cursor

    def _list_page(
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
        is_full = following is not None and len(ids) >= self._list_size
        if archived and not is_full and not self._read.limit:
            again = ask()
            following = following or next_after(again.json)
            listed += [r for r in identified(again.json["results"]) if r["id"] not in ids]
        return listed, following

    def _confirm_the_end(self, last: int | None) -> None:
        """FatalError unless the list ends after this id, though it had promised another page.

        It may have: what was on that page can be gone by now. Or HubSpot answered with nothing.
        """
        beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(last or 0)}
        left = self._search_for([[beyond]], [], size=1).count()
        if last is None or left:
            raise FatalError(
                f"{self._subject}: short read: the list ended with an empty page where more was "
                f"promised, and {left} records lie beyond it. Run it again."
            )

    # What the list did not contain

    def _beginning(self) -> Tally | None:
        """A tally for a list that begins now; None where the search cannot count the records."""
        created = self._source.created
        kinds = self._hub.properties(self._kind, self._session)
        if kinds.get(created, ("",))[0] != "datetime":
            return None
        now = self._hub.source_time() or datetime.now(UTC)
        return Tally.beginning(created, now, self._read.lag)

    def _count(self, tally: Tally) -> int | None:
        try:
            return self._search_for([tally.filters], [], size=1, may_be_refused=True).count()
        except Unsearchable:
            return None

    def overlooked(self) -> Iterator[Page]:
        """Nothing, when the search counts as many records as the list had; else the id of each
        live record.

        The ids come from the search, by id; where it does not know such objects, from the list once
        more, in pages of another size. What the search shows late, and what was created or restored
        while the list was read, is brought by the next delta.
        """
        tally = Tally.of(self._read.cursor)
        filters: Filters = tally.filters if tally is not None else []
        search = self._search_for(
            [filters], ["hs_object_id"], size=SEARCH_PAGE, may_be_refused=True
        )
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
            self._names = self._bare
            self._list_size = self._list_size - 1 or 2
            yield from self._list("live", None, "done")

    # Searches

    def _search_for(
        self,
        groups: Sequence[Filters],
        names: Sequence[str],
        *,
        size: int | None = None,
        may_be_refused: bool = False,
    ) -> Search:
        path = self._hub.paths.search(self._kind)
        return Search(
            self._session,
            path,
            groups,
            names,
            self._bare,
            size=self._search_size if size is None else size,
            may_be_refused=may_be_refused,
        )

    def _changed(self, after: str | None) -> Iterator[Page]:
        """What changed since the watermark, or in a window."""
        self._check_modified()
        strategy, modified = self._read.strategy, self._source.modified or ""
        bounds = [
            {"propertyName": modified, "operator": operator, "value": str(epoch_ms(moment))}
            for operator, moment in (("GTE", strategy.since), ("LT", strategy.until))
            if moment is not None
        ]
        total_of = after is None
        for found in self._search_for([bounds], self._names).pages(Place.of(after)):
            cursor = {"phase": "search", "after": found.place.as_text()}
            yield Page(found.records, cursor, total=found.total if total_of else None)
            total_of = False

    def _restored(self, after: str | None) -> Iterator[Page]:
        """Records the warehouse holds as deleted that are neither archived nor gone."""
        calls = (partial(self._alive, ids) for ids in _hundreds(self._held_as_deleted(after)))
        for pages in in_order(calls, at_once(self._read)):
            yield from (page for page in pages if page.records)

    def _held_as_deleted(self, after: str | None) -> Iterator[str]:
        """Ids the warehouse holds as deleted that are not in the recycle bin."""
        since = (self._hub.source_time() or datetime.now(UTC)) - RECYCLE_BIN
        table = self._read.entity.table
        while keys := self._read.known.keys(
            table, after=after, limit=KNOWN_AT_ONCE, deleted_since=since
        ):
            after = keys[-1]
            yield from (key for key in keys if key not in self._archived)

    def _alive(self, ids: Sequence[str]) -> list[Page]:
        return [
            Page(
                [found[key] for key in some if key in found],
                {"phase": "restored", "after": some[-1]},
            )
            for some, found in self._found(ids, archived=False)
        ]

    def _gained(self, gained: Sequence[str], after: str | None) -> Iterator[Page]:
        """Records with a value in one of these properties, a few properties at a time.

        A cursor is how many properties are done and the place in the search for the next ones.
        """
        done, _, place = (after or "0").partition(":")
        if gained and after is None:
            log.info(
                "%s: reading every record with a value in %s, new since the last sync",
                self._subject,
                ", ".join(gained),
            )
        for start in range(int(done), len(gained), gaining.PER_SEARCH):
            names = gained[start : start + gaining.PER_SEARCH]
            for records, here in self._having(names, Place.of(place)):
                mark = f"{start}:{here.as_text()}"
                cursor = {"phase": "gained", "after": mark, "gained": [*gained]}
                yield Page(records, cursor)
            place = ""

    def _having(self, names: Sequence[str], place: Place) -> Iterator[tuple[list[Record], Place]]:
        """Records by id, after a place, that have a value in one of these properties."""
        groups = [[{"propertyName": name, "operator": "HAS_PROPERTY"}] for name in names]
        search = self._search_for(groups, self._names, may_be_refused=True)
        try:
            for found in search.pages(place):
                yield found.records, found.place
        except Unsearchable as error:
            if len(names) > 1:
                for name in names:
                    yield from self._having([name], place)
                return
            log.warning(
                "%s: HubSpot cannot search by %s, which is new since the last sync (%s); "
                "stored rows get its values with a full sync",
                self._subject,
                names[0],
                error,
            )

    def _filled(
        self,
        listed: Sequence[Record],
        here: Mapping[str, str],
        cursor: Mapping[str, str],
        archived: bool,
    ) -> list[Page]:
        """A page of listed records with their properties, too many for the list's address.

        In several parts, if there is no room for it in one answer; only the last has the next
        page's `cursor`. A record that is gone by now is left out: it is in the recycle bin, which
        comes after the list. One that left the recycle bin is read as the live record it is.
        """
        nameless = [record for record in listed if not identified([record])]
        parts: list[list[Any]] = [nameless] if nameless else []
        named = {record["id"]: record for record in identified(listed)}
        missing: list[str] = []
        for ids, found in self._found([*named], archived=archived):
            parts.append([{**named[key], **found[key]} for key in ids if key in found])
            missing += [key for key in ids if key not in found]
        if missing and archived:
            parts += [[*found.values()] for _, found in self._found(missing, archived=False)]
        elif missing:
            log.info("%s: %d records went while they were listed", self._subject, len(missing))
        *first, last = parts or [[]]
        return [*(Page(part, here) for part in first), Page(last, cursor)]

    def _found(
        self, ids: Sequence[str], *, archived: bool
    ) -> Iterator[tuple[Sequence[str], dict[str, Record]]]:
        """Per batch its ids and the records HubSpot has of them; the others are certainly gone or
        merged."""
        for some, found, silent in self._batches(ids, archived=archived):
            unknown: list[str] = []
            for _, again, still in self._batches(silent, archived=archived):
                found |= again
                unknown += still
            for record_id in [] if archived else unknown:
                record = read_one(self._hub, self._session, self._kind, record_id)
                if record is not None and record["id"] == record_id:
                    raise FatalError(
                        f"{self._subject}: short read: the batch read left out {record_id}, which "
                        "exists. The next sync resumes from the last stored page."
                    )
            yield some, found

    def _check_modified(self) -> None:
        """A filter by a field that is no date finds nothing and says nothing."""
        name = self._source.modified
        known = self._hub.properties(self._kind, self._session)
        if self._kind in ("contacts", "0-1") and name != "lastmodifieddate":
            problem = "contacts are only found by lastmodifieddate"
        elif name not in known:
            problem = "HubSpot has no such property"
        elif known[name][0] != "datetime":
            problem = f"its type is {known[name][0]}, not datetime"
        else:
            return
        raise FatalError(
            f"{self._subject}: changes cannot be found by '{name}': {problem}. Correct `modified` "
            "in the declaration; nothing was read."
        )

    def _hidden_columns(self) -> list[str]:
        """Columns whose property the account does not show; told once.

        A record cannot tell: a property asked for may be left out of it, or be null, all the same.
        """
        root = self._source.root
        of_column = {
            column.name: path.removeprefix(root)
            for column in self._read.entity.columns
            if column.kind != "rest" and (path := column.path(root)).startswith(root)
        }
        known = set(self._names)
        missing = {name: sent for name, sent in of_column.items() if sent not in known}
        if missing and self._hub.first_time(("unknown columns", self._kind, *sorted(missing))):
            names = sorted(missing.values())
            log.warning(
                "%s: the account shows no %s; what is stored there stays as it is",
                self._subject,
                ", ".join(names[:10]) + (f" and {len(names) - 10} more" if names[10:] else ""),
            )
        return sorted(missing)


def at_once(read: Read) -> int:
    """How many independent requests a reading may have under way: a limited one asks for no more
    than it needs."""
    return 1 if read.limit else AT_ONCE


def _hundreds(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, BATCH)):
        yield some


def read_batch(
    hub: Account,
    session: Session,
    kind: str,
    ids: Sequence[str],
    names: Sequence[str],
    archived: bool,
) -> tuple[dict[str, Record], list[str]]:
    """The records found by id, and the ids HubSpot neither gave nor named as missing."""

    def ask(some: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = session.post(
            hub.paths.batch_read(kind),
            {"properties": list(some), "inputs": [{"id": record_id} for record_id in ids]},
            params={"archived": "true"} if archived else None,
            accept=(200, 207),
            check=lambda body: has_records(body) or unexpected_errors(body),
        ).json
        return {**body, "results": identified(body["results"])}

    body, asked = in_parts(hub, names, ask), set(ids)
    found = {r["id"]: r for r in body["results"] if r["id"] in asked}
    gone = missing_ids(body)
    return found, [key for key in ids if key not in found and key not in gone]


def read_one(hub: Account, session: Session, kind: str, record_id: str) -> Record | None:
    """The record that answers to this id, which may have another id; None for a 404."""
    answer = session.get(
        hub.paths.object(kind, record_id),
        accept=(200, 404),
        check=lambda body: (
            None
            if isinstance(body, dict) and ("id" in body or "message" in body or "category" in body)
            else "neither a record nor an error"
        ),
    )
    if answer.status == 404:
        return None
    record: Record = answer.json
    record["id"] = str(record["id"])
    return record
