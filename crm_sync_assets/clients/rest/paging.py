"""What a list does after a page: the kinds there are, and nothing else.

A position is JSON: where the next page starts, None before the first. It is kept in the checkpoint,
so that a reading resumes at any page. A kind says what to ask for at a position, and which position
a page leads to; None is the end, and a page is taken for the last only where the API says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.values import at, whole
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError

Position = Any


@dataclass(frozen=True, slots=True)
class Ask:
    """What one page is asked for with; `address` is a path and query that the API gave.

    `narrowed` are conditions, by their parameters, beside those that say what the list has.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    narrowed: Mapping[str, str] = field(default_factory=dict)


class Moved(Exception):
    """The list moved under the reader: rows came or went before the place it had reached.

    `position` is where to go on from instead; None is the beginning.
    """

    def __init__(self, reason: str, position: Position = None) -> None:
        super().__init__(reason)
        self.position = position


class Paging(Protocol):
    """One way to page. `most` is how many records a page may hold."""

    @property
    def most(self) -> int: ...

    def ask(self, position: Position, size: int) -> Ask: ...

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        """Those of a page's records that the page before did not have. Raises Moved."""
        ...

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        """The position after this page, None if it was the last."""
        ...

    def total(self, answer: Answer) -> int | None:
        """How many records the list has in all, where the page says so."""
        ...

    def ends_by_emptiness(self, answer: Answer) -> bool:
        """Whether nothing but its being empty says that this page is the last."""
        ...

    def foreseen(self, position: Position, size: int) -> Iterator[Position]:
        """The positions after this one, if its page and theirs are full; they need only be enough
        to `ask`. None where they depend on what the pages say.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """What most kinds do alike."""

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:  # noqa: ARG002
        return records

    def total(self, answer: Answer) -> int | None:  # noqa: ARG002
        return None

    def ends_by_emptiness(self, answer: Answer) -> bool:  # noqa: ARG002
        return False

    def foreseen(self, position: Position, size: int) -> Iterator[Position]:  # noqa: ARG002
        yield from ()


def _sized(kind: object, most: int, **names: str | None) -> None:
    missing = [name for name, value in names.items() if not value]
    if missing:
        raise ValueError(f"{type(kind).__name__} without {', '.join(missing)}")
    if most < 1:
        raise ValueError(f"{type(kind).__name__}: a page of {most} records holds nothing")


@dataclass(frozen=True, slots=True)
class Whole(_Kind):
    """One answer has all there is."""

    most: int = 10_000

    def ask(self, position: Position, size: int) -> Ask:  # noqa: ARG002
        return Ask()

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class Cursor(_Kind):
    """The page names the next one: `at` is where, `parameter` how it is asked for.

    Where the API `says_end`, the last page has null there, and one that has nothing is no page.
    """

    at: str
    parameter: str
    size: str | None
    most: int
    says_end: bool = False

    def __post_init__(self) -> None:
        _sized(self, self.most, at=self.at, parameter=self.parameter)

    def ask(self, position: Position, size: int) -> Ask:
        params = {self.size: str(size)} if self.size else {}
        return Ask({**params, self.parameter: str(position)} if position is not None else params)

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:  # noqa: ARG002
        following = at(answer.json, self.at)
        parent, _, name = self.at.rpartition(".")
        holder = at(answer.json, parent)
        if self.says_end and not (isinstance(holder, Mapping) and name in holder):
            raise Moved(f"a page does not say whether there is a next one, in {self.at}")
        return None if following in (None, "") else str(following)


@dataclass(frozen=True, slots=True)
class Numbered(_Kind):
    """Pages have numbers from `first` on.

    `pages` is where the page says how many there are; a page that does not say so, or an API that
    never does, is read until a page is empty. `total` is where it says how many records there are.
    Where it may answer any number with the same list, it is one that `repeats` its records, by that
    field: a page like the one before is the end then.
    """

    parameter: str
    size: str | None
    most: int
    pages: str | None = None
    count: str | None = None
    first: int = 1
    repeats: str | None = None

    def __post_init__(self) -> None:
        _sized(self, self.most, parameter=self.parameter)

    def ask(self, position: Position, size: int) -> Ask:
        number = self._number(position)
        params = {self.size: str(size)} if self.size else {}
        return Ask({**params, self.parameter: str(number)})

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        number = self._number(position)
        pages = whole(at(answer.json, self.pages)) if self.pages else None
        if pages is not None:
            return number + 1 if number - self.first + 1 < pages else None
        if not self.new(position, records):
            return None
        return number + 1 if self.repeats is None else [number + 1, self._names(records)]

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        is_same = isinstance(position, list) and position[1] == self._names(records)
        return () if is_same else records

    def _number(self, position: Position) -> int:
        if position is None:
            return self.first
        return int(position[0] if isinstance(position, list) else position)

    def _names(self, records: Sequence[Record]) -> list[Any]:
        """What tells a page from others: its first and last record, and how many there are."""
        names = [at(record, self.repeats) for record in records]
        return [len(names), *names[:1], *names[-1:]]

    def total(self, answer: Answer) -> int | None:
        return whole(at(answer.json, self.count)) if self.count else None

    def ends_by_emptiness(self, answer: Answer) -> bool:
        return not self.pages or whole(at(answer.json, self.pages)) is None


@dataclass(frozen=True, slots=True)
class Offset(_Kind):
    """Pages begin after so many records; `more` are places where the page says that it goes on.

    A record that is deleted meanwhile moves all after it forward, and one would be passed over. So
    each page begins with the last record of the page before, by its `key`: where that is another
    one now, the list has Moved, and the record is looked for before that place, page by page. Where
    it is gone itself, the list is read anew.
    """

    parameter: str
    size: str
    most: int
    more: tuple[str, ...]
    key: str = "id"

    def __post_init__(self) -> None:
        _sized(self, self.most, parameter=self.parameter, size=self.size, key=self.key)
        if not self.more:
            raise ValueError("Offset without a place that says whether the list goes on")
        if self.most < 2:
            raise ValueError(
                "Offset: a page begins with a record of the page before, so it needs 2"
            )

    def ask(self, position: Position, size: int) -> Ask:
        return Ask({self.size: str(max(size, 2)), self.parameter: str(self._from(position))})

    def new(self, position: Position, records: Sequence[Record]) -> Sequence[Record]:
        if position is None:
            return records
        last, start = position["last"], self._from(position)
        keys = [at(record, self.key) for record in records]
        if last in keys and (keys[0] == last or "look" in position):
            return records[keys.index(last) + 1 :]
        reason = f"record {last} is not where it was"
        if start == 0:
            raise Moved(reason)
        look = max(start - max(len(records) - 1, 1), 0)
        raise Moved(reason, {**position, "look": look})

    def _from(self, position: Position) -> int:
        """How many records come before what is asked for."""
        if position is None:
            return 0
        return int(position.get("look", position["start"] - 1))

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:
        start = self._from(position)
        said = [value for place in self.more if (value := at(answer.json, place)) is not None]
        # An answer that says nothing is the last one when it has nothing new.
        goes_on = (
            any(value in (True, 1) for value in said) if said else len(records) > bool(position)
        )
        if said and goes_on and not records:
            raise Moved("an empty page of the list, and more to come")
        if not records or not goes_on:
            return None
        return {"start": start + len(records), "last": at(records[-1], self.key)}


@dataclass(frozen=True, slots=True)
class Link(_Kind):
    """The page has the address of the next: at `at` in its body, else in its header `Link`.

    `more` is where the page says whether there is a next; `always` are parameters that the address
    is given if it lacks them.
    """

    size: str | None
    most: int
    at: str | None = None
    more: str | None = None
    always: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _sized(self, self.most)

    def ask(self, position: Position, size: int) -> Ask:
        if position is None:
            return Ask({**self.always, **({self.size: str(size)} if self.size else {})})
        parts = urlsplit(str(position))
        known = dict(parse_qsl(parts.query, keep_blank_values=True))
        missing = {name: value for name, value in self.always.items() if name not in known}
        query = "&".join(filter(None, (parts.query, urlencode(missing))))
        return Ask(address=f"{parts.path}?{query}" if query else parts.path)

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:  # noqa: ARG002
        if self.more is not None and at(answer.json, self.more) is False:
            return None
        address = at(answer.json, self.at) if self.at else _next_link(answer.header("link"))
        if not address and self.more is not None and at(answer.json, self.more) is True:
            raise FatalError(f"{answer.request}: there is a next page, and no address of it")
        return str(address) if address else None


def _next_link(header: str | None) -> str | None:
    for part in (header or "").split(","):
        address, _, rest = part.strip().partition(";")
        if address.startswith("<") and 'rel="next"' in rest.replace("'", '"').lower():
            return address.strip("<>")
    return None


@dataclass(frozen=True, slots=True)
class After(_Kind):
    """A page holds what comes after the last record's `key`; an empty page is the end."""

    parameter: str
    size: str | None
    most: int
    key: str = "id"

    def __post_init__(self) -> None:
        _sized(self, self.most, parameter=self.parameter, key=self.key)

    def ask(self, position: Position, size: int) -> Ask:
        params = {self.size: str(size)} if self.size else {}
        return Ask({**params, self.parameter: str(position)} if position is not None else params)

    def after(self, position: Position, answer: Answer, records: Sequence[Record]) -> Position:  # noqa: ARG002
        last = at(records[-1], self.key) if records else None
        if records and last in (None, ""):
            raise FatalError(f"{answer.request}: the last record has no {self.key} to go on from")
        return last

    def ends_by_emptiness(self, answer: Answer) -> bool:  # noqa: ARG002
        return True
