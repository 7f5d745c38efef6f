"""One reading of one declared source: by sweep, by member, by slice, by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.answers import Params
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Window
from crm_sync_assets.clients.rest.lists import Lists, Turn
from crm_sync_assets.clients.rest.places import Name, Place, Step, left_of, steps_of
from crm_sync_assets.clients.rest.repeats import Repeats
from crm_sync_assets.clients.rest.source import Each, One, Rest
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.pace import CONCURRENT_PAGES
from crm_sync_assets.errors import (
    Closed,
    FatalError,
    Forbidden,
    Gone,
    Incomplete,
    TransientError,
    Unknown,
)
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import outline_of
from crm_sync_assets.rows.processor import Processor

log = logger(__name__)

HIDDEN: Record = {}
"""Stands for a record that may be there, and that these credentials may not see."""


def listed_again(read: Read, source: Rest) -> Read:
    """The reading of everything once more, in pages of another size where there are any."""
    size = min(read.page_size, source.max_page_size)
    return replace(whole(read), page_size=max(size - 1, 2))


def whole(read: Read) -> Read:
    """A reading of everything from its beginning, with what this one may do."""
    strategy = replace(read.strategy, name="full", since=None, until=None)
    return replace(read, strategy=strategy, cursor=None, limit=0)


class Reading:
    """One reading of one entity; `pages` may be asked for once.

    Members are read in the order that `addresses` has them. One that is closed to us keeps no other
    from being read, and the reading from being complete. `now` is the source's clock, by which
    windows are cut; where it is not known, this machine's.
    """

    def __init__(
        self,
        read: Read,
        session: Session,
        source: Rest,
        addresses: Addresses,
        now: datetime | None = None,
    ) -> None:
        self._read = read
        self._now = now or datetime.now(UTC)
        self._session = session
        self._source = source
        self._addresses = addresses
        self._members: list[str | None] = [*addresses.members] if source.each else [None]
        # With a limit nothing is asked for that may not be needed.
        at_once = 1 if read.limit else int(read.options.get(CONCURRENT_PAGES.name) or 1)
        self._lists = Lists(session, source, addresses, read.options, at_once)
        self._repeats = Repeats(source.id)
        self._size = min(read.page_size, read.limit) if read.limit else read.page_size

    def pages(self) -> Iterator[Page]:
        """Pages of records, at last what is to be remembered of the members."""
        strategy, subject = self._read.strategy, self._read.entity.name
        place = Place.of(self._read.cursor, self._now)
        if place.members is None:
            place = replace(place, members=tuple(self._members))
        elif set(place.members) - set(self._members):
            raise FatalError(
                f"{subject}: the checkpoint is of members that are not shown any more; the next "
                "sync starts anew"
            )
        else:
            # Who came since is new to the next sync too, which reads it from its beginning.
            self._members = list(place.members)
        window = Window(strategy.since, strategy.until, place.began, self._now)
        known = self._read.memory.get("members")
        new: list[str | None] = [m for m in self._members if known is not None and m not in known]
        if strategy.until is not None:
            # A bounded window reads itself only; who is new is left to the next delta.
            new = []
        if new and strategy.since is not None:
            log.info("%s: new here, read from the beginning: %s", subject, ", ".join(map(str, new)))
        left = left_of(steps_of(self._source, window, self._members, new), place, subject)
        if not left and not place.done:
            log.warning(
                "%s: the source does not go back as far as this window: nothing was asked for",
                subject,
            )
        closed: dict[Name, Closed] = {}
        for number, step in enumerate(left):
            after = left[number + 1].name if number + 1 < len(left) else None
            waiting = [one.name for one in left[number + 1 :] if one.name in place.closed]
            begun = replace(
                place if step.name == place.step else Place(place.began, step.name),
                members=place.members,
                closed=(*closed, *waiting),
            )
            end = replace(begun.anew(), step=after, done=after is None)
            self._repeats.begin(step)
            try:
                for turn in self._lists.walk(step, begun, self._size):
                    yield self._page(step, turn, turn.place or end)
            except Closed as error:
                if len(self._members) < 2:
                    raise
                closed[step.name] = error
        if closed and len(closed) == len(left) and self._read.cursor is None:
            # Of all of it nothing could be read: that is about no member.
            raise next(iter(closed.values()))
        lacking = self._lacking(known, closed)
        self._miss_nobody(known, {n: e for n, e in closed.items() if n[1] not in lacking})
        if lacking:
            left_out(
                subject, ", ".join(sorted(map(str, lacking))), str(next(iter(closed.values())))
            )
            members = [member for member in self._members if member not in lacking]
            yield Page([], Place(place.began, done=True).cursor(), memory={"members": members})

    def _page(self, step: Step, turn: Turn, following: Place) -> Page:
        only = len(self._source.sweeps) == 1 and len(self._members) == 1
        total = turn.total if only and not self._source.explode else None
        page = Page([], following.cursor(), total=total)
        if self._source.each and self._read.strategy.until is None:
            page = replace(page, memory={"members": self._members})
        alive: list[Record] = []
        gone: list[Record] = []
        for listed_record in self._repeats.without(turn.records):
            is_told = isinstance(listed_record, dict)
            record = {**listed_record, **step.sweep.marks} if is_told else listed_record
            says_so = self._source.gone if is_told else None
            is_gone = step.sweep.gone or (says_so is not None and says_so(record))
            (gone if is_gone else alive).append(record)
        return replace(
            page,
            records=list(self._wanted(self._whole(alive, step.member))),
            tombstones=tombstones_of(self._read, gone),
        )

    def _wanted(self, records: Iterator[Record]) -> Iterator[Record]:
        """Those that the flags leave in; what is no record is passed on, to be set aside alone."""
        wanted, options = self._source.wanted, self._read.options
        for one in records:
            if wanted is None or not isinstance(one, dict) or wanted(one, options):
                yield one

    def _whole(self, records: Sequence[Record], member: str | None) -> Iterator[Record]:
        """The records with their details, and made into several where they are."""
        for record in self._detailed(records, member):
            yield from made_of(self._source, record, member)

    def _detailed(self, records: Sequence[Record], member: str | None) -> Iterator[Record]:
        details = self._source.details
        if details is None:
            yield from records
            return

        def detailed(record: Record) -> Record:
            if at(record, self._source.id) in (None, ""):
                return record
            if self._source.detailed and not self._source.detailed(record, self._now):
                return record
            names = {"id": str(at(record, self._source.id))}
            path = self._addresses.path(details.path, member, names)
            found = one_at(self._session, path, details)
            # Deleted between the list and this: what the list has of it is the last there is.
            return record if found is None else {**record, **found}

        yield from in_order(partial(detailed, record) for record in records)

    def _lacking(
        self, known: Sequence[str] | None, closed: Mapping[Name, Closed]
    ) -> set[str | None]:
        """The members that the account has not and never had, among those that are optional."""
        each = self._source.each
        if not closed or each is None or not each.optional or self._addresses.are_named:
            return set()
        missed = {name[1] for name, e in closed.items() if not isinstance(e, Forbidden | Unknown)}
        return {name[1] for name in closed} - missed - {*(known or ()), *self._stored(each)}

    def _stored(self, each: Each) -> Iterator[str]:
        """The members of which the warehouse holds rows."""
        entity, last = self._read.entity, None
        column = next(c.name for c in entity.columns if c.path(entity.source.root) == each.stamp)
        while found := self._read.known.keys(entity.table, column=column, after=last, limit=1):
            last = found[0]
            yield last

    def _miss_nobody(self, known: Sequence[str] | None, closed: Mapping[Name, Closed]) -> None:
        """Fail at the end where a member is closed to us, or one of the last sync not shown.

        Its rows would be missing from this read, which is no proof that they are gone.
        """
        stored = "What else there is was stored, and no row is taken for deleted"
        if closed:
            names = ", ".join(dict.fromkeys(str(member) for _, member, *_ in closed))
            reasons = " ".join(dict.fromkeys(map(str, closed.values())))
            advice = f" {self._source.each.advice}" if self._source.each else ""
            raise Incomplete(
                f"{self._read.entity}: not complete, {names} could not be read. {stored}. "
                f"{reasons}{advice}"
            )
        missing = [name for name in known or () if name not in self._members]
        only = self._source.each.only if self._source.each else None
        also = f", or name it in {only}" if only else ""
        if missing and not self._read.strategy.overwrite:
            raise Incomplete(
                f"{self._read.entity}: not complete: {', '.join(missing)} was read at the last "
                "sync, and is not among what is asked for now. "
                f"{stored}. Give access to it again{also}, or run it once with --force to go on "
                "without: its rows stay as they are."
            )


@cache
def left_out(subject: str, members: str, why: str) -> None:
    """Say it once: a reading may go through its lists several times."""
    log.warning("%s: %s left out: not available (%s)", subject, members, why)


def tombstones_of(read: Read, records: Sequence[Record]) -> list[Tombstone]:
    """A tombstone for each record, dated by its modified moment where the entity has one."""
    if not records:
        return []
    outline = outline_of(read.entity)
    batch = Processor(outline, validate=False).process(records)
    if batch.failures:
        failure = batch.failures[0]
        raise FatalError(
            f"{read.entity}: a deleted record cannot be told by its key: {failure.reason}"
        )
    keys = [place for place, column in enumerate(outline.columns) if column.key]
    moment = outline.columns.index(outline.modified) if outline.modified else None
    return [
        Tombstone(tuple(str(row[i]) for i in keys), None if moment is None else row[moment])
        for row in batch.rows
    ]


def made_of(source: Rest, record: Record, member: str | None) -> list[Record]:
    """What becomes of a listed record; one that is none is passed on, to be set aside alone."""
    if not isinstance(record, dict):
        return [record]
    if source.each and source.each.stamp:
        record = {**record, source.each.stamp: member}
    return list(source.explode(record)) if source.explode else [record]


def one_at(session: Session, path: str, one: One, params: Params | None = None) -> Record | None:
    """The record at this address, None for one that is gone, HIDDEN for what we may not see."""
    try:
        answer = session.get(path, params, accept=(200, 404, 410, *one.hidden), cost=one.cost)
    except Gone:
        return None
    if answer.status in one.hidden:
        return HIDDEN
    if answer.status != 200:
        return None
    record = one.picked(answer.json) if one.picked else at(answer.json, one.record)
    if not isinstance(record, dict):
        raise TransientError(f"{session.subject}: {answer.request} answered without a record")
    return record
