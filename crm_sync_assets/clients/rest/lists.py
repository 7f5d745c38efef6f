"""One list of a declared source, page by page, and what is not believed of it.

What ends a list is told by its kind of paging, and not believed at once: an empty page that is not
the last is asked for again, a list whose records are fewer than it says is read again, and one that
moved while it was paged starts anew. A list that stays short fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from crm_sync_assets.clients.answers import Answer, Check, Params
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Slice, Window
from crm_sync_assets.clients.rest.jobs import Jobs
from crm_sync_assets.clients.rest.paging import Ask, Moved, Position
from crm_sync_assets.clients.rest.places import Place, Step
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.clients.rest.speculative import Speculative
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import BadRequest, FatalError, Gone, TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

TRIES = 4
"""How often a page, or a list, that cannot be true is asked for."""


@dataclass(frozen=True, slots=True)
class Turn:
    """New records of a page. `place` is where the list goes on, None once it is complete.

    `total` is how many records the list says that it has.
    """

    records: Sequence[Record]
    place: Place | None
    total: int | None = None


class Lists:
    """Pages of lists, decoded and checked, for one reading.

    Up to `at_once` pages of a list are under way, where it can be told what they will be.
    """

    def __init__(
        self,
        session: Session,
        source: Rest,
        addresses: Addresses,
        options: Mapping[str, Any] | None = None,
        at_once: int = 1,
    ) -> None:
        self._ahead: Speculative[tuple[Answer, list[Record]]] = Speculative(at_once)
        self._session = session
        self._source = source
        self._addresses = addresses
        self._jobs = Jobs(session, source.job, addresses) if source.job else None
        given = options or {}
        self._filters = {
            parameter: str(given[flag])
            for flag, parameter in source.filters.items()
            if given.get(flag)
        }
        self._is_refused = False
        """Whether the form in which headers are written first was refused."""

    def asked_for(self, step: Step) -> dict[str, str]:
        """The parameters that say which records of the source a list has."""
        source = self._source
        return {**source.params, **step.sweep.ask, **self._filters, **step.slice.params}

    def page(
        self, step: Step, position: Position, size: int, job: str | None = None
    ) -> tuple[Answer, list[Record]]:
        """One page of a list, as it came; no records for a 304."""
        paging = self._source.paging_of(step.sweep)
        size = min(size, paging.most)
        foreseen = (paging.ask(one, size) for one in paging.foreseen(position, size))
        fetch = partial(self._fetched, step, job, position is None)
        return self._ahead.take(paging.ask(position, size), foreseen, fetch)

    def _fetched(
        self, step: Step, job: str | None, is_first: bool, ask: Ask
    ) -> tuple[Answer, list[Record]]:
        source, sweep = self._source, step.sweep
        names = {"job": job} if job is not None else None
        path = ask.address or self._addresses.path(sweep.path or source.path, step.member, names)
        params = dict(ask.params)
        if ask.address is None and job is None:
            params |= self.asked_for(step)
        for name, condition in ask.narrowed.items():
            asked = params.get(name)
            params[name] = f"({asked}) and {condition}" if asked else condition
        where = sweep.records if sweep.records is not None else source.records
        answer = self._asked(
            step,
            path,
            params,
            check=partial(_no_list, where=where, id_path=source.id, keyed=source.keyed),
        )
        if answer.status == 304:
            if not is_first:
                raise Moved("a later page says that nothing changed, and the first did not")
            return answer, []
        return answer, _records(at(answer.json, where), source.keyed)

    def _asked(self, step: Step, path: str, params: Params, check: Check) -> Answer:
        """The answer, 304 only where a header asked for what changed."""
        source, slice_ = self._source, step.slice
        ask = partial(
            self._session.get,
            path,
            params,
            accept=(200, 304) if slice_.headers else (200,),
            check=partial(_unless_empty, check) if slice_.headers else check,
            cost=source.cost if step.sweep.cost is None else step.sweep.cost,
        )
        headers = slice_.otherwise if self._is_refused else slice_.headers
        try:
            answer = ask(headers=headers)
        except BadRequest as error:
            if self._is_refused or not slice_.otherwise:
                raise
            log.info("%s: %s; asking in another form", self._session.subject, error)
            self._is_refused = True
            answer = ask(headers=slice_.otherwise)
        if answer.status == 200 and (problem := check(answer.json)):
            raise FatalError(f"{self._session.subject}: {answer.request}: {problem}")
        return answer

    def true_page(
        self, step: Step, position: Position, size: int, job: str | None = None
    ) -> tuple[Answer, list[Record], Position]:
        """A page and the position after it; asked for again while it is empty with more to come."""
        paging = self._source.paging_of(step.sweep)
        for tries in range(1, TRIES + 1):
            answer, records = self.page(step, position, size, job)
            following = paging.after(position, answer, records)
            if records or answer.status == 304:
                break
            if following is not None:
                why = "an empty page of the list, and more to come"
            elif paging.ends_by_emptiness(answer) and tries == 1:
                why = "an empty page, which would be the end of the list"
            else:
                break
            if tries < TRIES:
                self._session.wait_to_ask_again(tries, why, is_odd=following is not None)
        return answer, records, following

    def walk(self, step: Step, begun: Place, size: int) -> Iterator[Turn]:
        """The pages of one list from this place on.

        Read again from its beginning while it is shorter than it says, or moves; raises
        TransientError for one that stays so.
        """
        problem: str | None = None
        for tries in range(1, TRIES + 1):
            counted = Tally(begun.seen, begun.total, self._source.id)
            try:
                yield from self._once(step, begun, size, counted)
            except Moved as moved:
                problem = f"the list moved while it was read ({moved})"
            else:
                problem = counted.problem()
                if problem is None:
                    return
            finally:
                self._ahead.drop()
            begun = begun.anew()
            if tries < TRIES:
                self._session.wait_to_ask_again(tries, f"{problem}; reading it again")
        raise TransientError(
            f"{self._session.subject}: short read: {problem}, {TRIES} times in a row. The next "
            "sync resumes at the beginning of this list."
        )

    def _once(self, step: Step, begun: Place, size: int, counted: Tally) -> Iterator[Turn]:
        paging = self._source.paging_of(step.sweep)
        guard = CursorGuard(self._session.subject)
        place = replace(begun, size=begun.size or size)
        given = place.position
        if self._jobs is not None:
            if place.job is None:
                place = replace(place, job=self._jobs.ordered(step.member, self.asked_for(step)))
                yield Turn((), place)
            self._jobs.wait_for(step.member, place.job or "")
        while True:
            try:
                answer, records, following = self.true_page(
                    step, place.position, place.size or size, place.job
                )
            except (BadRequest, Gone) as error:
                # Kept in a checkpoint, a position may outlive what the source remembers of it.
                if place.position is None or place.position is not given:
                    raise
                raise Moved(f"the source does not know the place it had reached: {error}") from None
            try:
                fresh = paging.new(place.position, records)
            except Moved as moved:
                if moved.position is None:
                    raise
                log.info("%s: %s; looking for it", self._session.subject, moved)
                place = replace(place, position=moved.position)
                continue
            total = paging.total(answer)
            counted.add(fresh, total)
            if following is None:
                # One that is short is read again from its beginning, also after a crash.
                yield Turn(fresh, begun.anew() if counted.problem() else None, total)
                return
            guard.follow(repr(following), records=len(fresh))
            place = replace(place, position=following, seen=counted.seen, total=counted.total)
            yield Turn(fresh, place, total)


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


def listed(session: Session, source: Rest, addresses: Addresses) -> Iterator[Record]:
    """Every record of one small list, for who needs them beside a reading; some perhaps twice."""
    lists, step = Lists(session, source, addresses), Step(source.sweeps[0], None, Slice("all"))
    place = Place(datetime.now(UTC), step.name)
    for turn in lists.walk(step, place, source.max_page_size):
        yield from turn.records


def probed(session: Session, source: Rest, addresses: Addresses, now: datetime) -> None:
    """Ask for one record of the newest list that there is of one member; raises what it meets."""
    member = next(iter(addresses.members), None)
    sweep = source.sweeps[0]
    slices = [*source.delta_of(sweep).slices(Window(None, None, now, now))]
    step = Step(sweep, member, slices[-1] if slices else Slice("all"))
    Lists(session, source, addresses).page(step, None, 1)


def _records(found: Any, keyed: str | None) -> list[Record]:
    """The records of a list; of an object each value as `held`, with its name as `keyed`."""
    if keyed is not None and isinstance(found, dict):
        return [{keyed: name, "held": value} for name, value in found.items()]
    return list(found or ())


def _unless_empty(check: Check, body: Any) -> str | None:
    return None if body is None else check(body)


def _no_list(body: Any, where: str | None, id_path: str, keyed: str | None = None) -> str | None:
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
    if found is None or (keyed is not None and isinstance(found, dict)):
        return None
    if not isinstance(found, list) or (keyed is not None and found):
        return f"{where or 'the answer'} is no list of records"
    if len(found) > 1 and all(at(record, id_path) in (None, "") for record in found):
        return f"no record of the list has {id_path}"
    return None
