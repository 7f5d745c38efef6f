"""One reading of one declared source: by sweep, by member, by slice, by page.

What ends a list is told by its kind of paging, and not believed at once: an empty page that is not
the last is asked for again, a list whose records are fewer than it says is read again, and one that
moved while it was paged starts anew. A list that stays short fails the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.answers import Answer, Params
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Slice, Window
from crm_sync_assets.clients.rest.jobs import Jobs
from crm_sync_assets.clients.rest.paging import Moved, Position
from crm_sync_assets.clients.rest.places import Name, Place, Step, left_of, steps_of
from crm_sync_assets.clients.rest.source import One, Rest
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    FatalError,
    Gone,
    Incomplete,
    TransientError,
)
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import outline_of
from crm_sync_assets.rows.processor import Processor

log = logger(__name__)

HIDDEN: Record = {}
"""Stands for a record that may be there, and that these credentials may not see."""

TRIES = 4
"""How often a page, or a list, that cannot be true is asked for."""


class Lists:
    """Pages of lists, decoded and checked, for one reading."""

    def __init__(
        self,
        session: Session,
        source: Rest,
        addresses: Addresses,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._session = session
        self._source = source
        self._addresses = addresses
        given = options or {}
        self._filters = {
            parameter: str(given[flag])
            for flag, parameter in source.filters.items()
            if given.get(flag)
        }

    def asked_for(self, step: Step) -> dict[str, str]:
        """The parameters that say which records of the source a list has."""
        source = self._source
        return {**source.params, **step.sweep.ask, **self._filters, **step.slice.params}

    def page(
        self, step: Step, position: Position, size: int, job: str | None = None
    ) -> tuple[Answer, list[Record]]:
        """One page of a list, as it came; no records for a 304."""
        source, sweep = self._source, step.sweep
        paging = source.paging_of(sweep)
        ask = paging.ask(position, min(size, paging.most))
        names = {"job": job} if job is not None else None
        path = ask.address or self._addresses.path(sweep.path or source.path, step.member, names)
        params = dict(ask.params)
        if ask.address is None and job is None:
            params |= self.asked_for(step)
        where = sweep.records if sweep.records is not None else source.records
        # Of a later page a 304 would say that the rest has not changed, which nobody asked.
        headers = step.slice.headers if position is None else {}
        conditional = bool(headers)
        check = partial(_no_list, where=where, id_path=source.id)
        answer = self._session.get(
            path,
            params,
            headers=headers,
            accept=(200, 304) if conditional else (200,),
            check=None if conditional else check,
            cost=source.cost if sweep.cost is None else sweep.cost,
        )
        if answer.status == 304:
            return answer, []
        if conditional and (problem := check(answer.json)):
            raise FatalError(f"{self._session.subject}: {answer.request}: {problem}")
        return answer, list(at(answer.json, where) or ())

    def true_page(
        self, step: Step, position: Position, size: int, job: str | None = None
    ) -> tuple[Answer, list[Record], Position]:
        """A page and the position after it; asked for again while it is empty with more to come."""
        paging = self._source.paging_of(step.sweep)
        for tries in range(1, TRIES + 1):
            answer, records = self.page(step, position, size, job)
            following = paging.after(position, answer, records)
            is_end = following is None and answer.status != 304
            if records or (is_end and not (paging.ends_by_emptiness(answer) and tries == 1)):
                break
            if answer.status == 304:
                break
            if tries < TRIES:
                why = "an empty page of the list" + ("" if is_end else ", and more to come")
                self._session.wait_to_ask_again(tries, why)
        return answer, records, following


def listed(session: Session, source: Rest, addresses: Addresses) -> Iterator[Record]:
    """Every record of one small list, page by page, for who needs them beside a reading."""
    lists, position = Lists(session, source, addresses), None
    guard = CursorGuard(session.subject)
    step = Step(source.sweeps[0], None, Slice("all"))
    while True:
        _, records, following = lists.true_page(step, position, source.max_page_size)
        yield from source.paging.new(position, records)
        if following is None:
            return
        guard.follow(repr(following), records=len(records))
        position = following


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
        self._lists = Lists(session, source, addresses, read.options)
        self._jobs = Jobs(session, source.job, addresses) if source.job else None
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
            after = left[number + 1] if number + 1 < len(left) else None
            waiting = [one.name for one in left[number + 1 :] if one.name in place.closed]
            begun = replace(
                place if step.name == place.step else Place(place.began, step.name),
                members=place.members,
                closed=(*closed, *waiting),
            )
            try:
                yield from self._list(step, begun, after)
            except Closed as error:
                if len(self._members) < 2:
                    raise
                closed[step.name] = error
        self._miss_nobody(known, closed)

    def _list(self, step: Step, begun: Place, after: Step | None) -> Iterator[Page]:
        """The pages of one list; read again while it is shorter than it says, or moves."""
        problem: str | None = None
        for tries in range(1, TRIES + 1):
            counted = Tally(begun.seen, begun.total, self._source.id)
            try:
                yield from self._once(step, begun, after, counted)
            except Moved as moved:
                problem = f"the list moved while it was read ({moved})"
            else:
                problem = counted.problem()
                if problem is None:
                    return
            begun = anew(begun)
            if tries < TRIES:
                self._session.wait_to_ask_again(tries, f"{problem}; reading it again")
        raise TransientError(
            f"{self._read.entity}: short read: {problem}, {TRIES} times in a row. The next sync "
            "resumes at the beginning of this list."
        )

    def _once(self, step: Step, begun: Place, after: Step | None, counted: Tally) -> Iterator[Page]:
        paging = self._source.paging_of(step.sweep)
        guard = CursorGuard(self._read.entity.name)
        place = begun
        if self._jobs is not None:
            if place.job is None:
                ordered = self._jobs.ordered(step.member, self._lists.asked_for(step))
                begun = place = replace(begun, job=ordered)
                yield self._page(step, [], place.cursor(), None)
            self._jobs.wait_for(step.member, place.job or "")
        while True:
            size = place.size or self._size
            try:
                answer, records, following = self._lists.true_page(
                    step, place.position, size, place.job
                )
            except (BadRequest, Gone) as error:
                # Kept in a checkpoint, a position may outlive what the source remembers of it.
                if place.position is None or place is not begun:
                    raise
                raise Moved(f"the source does not know the place it had reached: {error}") from None
            try:
                fresh = paging.new(place.position, records)
            except Moved as moved:
                if moved.position is None:
                    raise
                log.info("%s: %s; looking for it", self._read.entity, moved)
                place = replace(place, position=moved.position, size=size)
                continue
            counted.add(fresh, paging.total(answer))
            if following is not None:
                guard.follow(repr(following), records=len(fresh))
                place = replace(
                    begun, position=following, seen=counted.seen, total=counted.total, size=size
                )
            elif counted.problem() is not None:
                # A list that is short is read again from its beginning, also after a crash.
                place = anew(begun)
            else:
                name = after.name if after else None
                place = replace(anew(begun), step=name, done=after is None)
            yield self._page(step, fresh, place.cursor(), paging.total(answer))
            if following is None:
                return

    def _page(
        self, step: Step, records: Sequence[Record], cursor: Mapping[str, Any], total: int | None
    ) -> Page:
        only = len(self._source.sweeps) == 1 and len(self._members) == 1
        page = Page([], cursor, total=total if only and not self._source.explode else None)
        if self._source.each and self._read.strategy.until is None:
            page = replace(page, memory={"members": self._members})
        alive: list[Record] = []
        gone: list[Record] = []
        for listed_record in records:
            is_told = isinstance(listed_record, dict)
            record = {**listed_record, **step.sweep.marks} if is_told else listed_record
            says_so = self._source.gone if is_told else None
            is_gone = step.sweep.gone or (says_so is not None and says_so(record))
            (gone if is_gone else alive).append(record)
        return replace(
            page,
            records=list(self._whole(alive, step.member)),
            tombstones=tombstones_of(self._read, gone),
        )

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
            names = {"id": str(at(record, self._source.id))}
            path = self._addresses.path(details.path, member, names)
            found = one_at(self._session, path, details)
            # Deleted between the list and this: what the list has of it is the last there is.
            return record if found is None else {**record, **found}

        yield from in_order(partial(detailed, record) for record in records)

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


def anew(place: Place) -> Place:
    """The beginning of the same list."""
    return replace(place, position=None, seen=0, total=None, job=None, size=None)


class Tally:
    """How many records of a list came, each counted once, and how many it says there are."""

    def __init__(self, seen: int, total: int | None, id_path: str) -> None:
        self._before = seen
        self._id = id_path
        self._ids: set[str] = set()
        self.total = total

    @property
    def seen(self) -> int:
        return self._before + len(self._ids)

    def add(self, records: Sequence[Record], total: int | None) -> None:
        """Count a page's. Raises Moved where the list has become shorter since the page before.

        What went away may have been on a page that was read, and all after it moved forward: one
        would be passed over, and still as many would come as the list says.
        """
        if total is not None and self.total is not None and total < self.total:
            raise Moved(f"it had {self.total} records, and has {total}")
        for record in records:
            name = at(record, self._id)
            if name in (None, ""):
                # It cannot be told from others like it, and is none of those with a name.
                self._before += 1
            else:
                self._ids.add(str(name))
        # A page that does not say it takes nothing back.
        self.total = self.total if total is None else total

    def problem(self) -> str | None:
        if self.total is None or self.seen >= self.total:
            return None
        return f"the list says that it has {self.total} records, and {self.seen} came"


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
    record = at(answer.json, one.record)
    if not isinstance(record, dict):
        raise TransientError(f"{session.subject}: {answer.request} answered without a record")
    return record


def _no_list(body: Any, where: str | None, id_path: str) -> str | None:
    """What keeps a body from having a list of records; null stands for an empty one.

    One record that says nothing of itself is passed on, to be set aside alone.
    """
    if where and not isinstance(body, dict):
        return "the answer is no object"
    parent, _, name = (where or "").rpartition(".")
    holder = at(body, parent) if parent else body
    if where and (not isinstance(holder, dict) or name not in holder):
        return f"the answer has no {where}"
    found = at(body, where)
    if found is None:
        return None
    if not isinstance(found, list):
        return f"{where or 'the answer'} is no list of records"
    if len(found) > 1 and all(at(record, id_path) in (None, "") for record in found):
        return f"no record of the list has {id_path}"
    return None
