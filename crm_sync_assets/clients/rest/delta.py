"""How a list is asked for what changed: the kinds there are, and nothing else.

A window is [since, until), aware UTC, None for an open end. A kind cuts it into slices, each of
which is paged by itself. `began` is when the reading began, in its first attempt, so that a resumed
one has the same slices; `now` is later where it was resumed.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

Written = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a window: `name` tells it from the others in the checkpoint.

    One that `overlaps` may have records that the slice before it had.
    Where its `headers` are refused, `otherwise` has the same in another form.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    overlaps: bool = False
    otherwise: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    since: datetime | None
    until: datetime | None
    began: datetime
    now: datetime | None = None


class Delta(Protocol):
    """One way to ask. One that is not `windowed` is read whole every time."""

    @property
    def windowed(self) -> bool: ...

    def slices(self, window: Window) -> Iterator[Slice]: ...


def to_the_second(moment: datetime) -> str:
    """2026-11-20T08:01:12Z, rounded down."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_the_day(moment: datetime) -> str:
    """2026-11-20"""
    return moment.astimezone(UTC).date().isoformat()


def with_a_blank(moment: datetime) -> str:
    """2026-11-20 08:01:12, rounded down."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def with_an_offset(moment: datetime) -> str:
    """2026-11-20T08:01:12+00:00, rounded down."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def as_http_date(moment: datetime) -> str:
    """Fri, 20 Nov 2026 08:01:12 GMT, rounded down."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


@dataclass(frozen=True, slots=True)
class Months:
    """So many calendar months; a day that a month does not have is its last."""

    number: int

    def after(self, day: date) -> date:
        months = day.year * 12 + day.month - 1 + self.number
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))

    def before(self, day: date) -> date:
        return Months(-self.number).after(day)


@dataclass(frozen=True, slots=True)
class Everything:
    """The list cannot be asked for what changed."""

    windowed: bool = field(default=False, init=False)

    def slices(self, window: Window) -> Iterator[Slice]:  # noqa: ARG002
        yield Slice("all")


@dataclass(frozen=True, slots=True)
class Since:
    """Parameters with the beginning, inclusive, and the end, exclusive, if there is one for it.

    Where there is none, a window's end is not asked for: what is read beyond it is stored too.
    """

    since: str
    until: str | None = None
    written: Written = to_the_second
    windowed: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if not self.since:
            raise ValueError("Since without a parameter")

    def slices(self, window: Window) -> Iterator[Slice]:
        params = {}
        if window.since is not None:
            params[self.since] = self.written(window.since)
        if window.until is not None and self.until:
            # Rounded up: what changed in that second belongs to the window.
            params[self.until] = self.written(_ceiling(window.until))
        yield Slice("window" if params else "all", params)


@dataclass(frozen=True, slots=True)
class SinceHeader:
    """A header with the beginning, inclusive, on each page; 304 says that nothing changed.

    Where the API refuses how it is `written`, it is asked anew as `otherwise` writes it. One that
    is a look `beside` another sweep asks for nothing where everything is read.
    """

    name: str = "If-Modified-Since"
    written: Written = as_http_date
    otherwise: Written | None = None
    beside: bool = False
    windowed: bool = field(default=True, init=False)

    def slices(self, window: Window) -> Iterator[Slice]:
        if window.since is None:
            if not self.beside:
                yield Slice("all")
            return
        headers = {self.name: self.written(window.since)}
        otherwise = {self.name: self.otherwise(window.since)} if self.otherwise else {}
        yield Slice("window", headers=headers, otherwise=otherwise)


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter with a condition in the API's own language (SOQL, OData).

    `write` makes it of since and until; None asks for no condition.
    """

    parameter: str
    write: Callable[[datetime | None, datetime | None], str | None]
    windowed: bool = field(default=True, init=False)

    def slices(self, window: Window) -> Iterator[Slice]:
        condition = self.write(window.since, window.until)
        params = {self.parameter: condition} if condition else {}
        yield Slice("window" if params else "all", params)


@dataclass(frozen=True, slots=True)
class Span:
    """Days of another field than a modified one, both ends inclusive: a window over what happened.

    A read of everything goes `back` so far and cuts it into slices of `each`. The source reads a
    day in a zone that is not ours, so the window is wider by `widened` on both sides. It never asks
    for what is older than `back`, by now: that is refused.
    """

    start: str
    end: str
    each: Months
    back: Months
    widened: timedelta = timedelta(days=1)
    windowed: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if not self.start or not self.end:
            raise ValueError("Span without a parameter for both of its ends")
        if self.each.number < 1 or self.back.number < 1:
            raise ValueError("Span: a slice, and how far it goes back, take a month at least")

    def slices(self, window: Window) -> Iterator[Slice]:
        oldest = self._oldest(window.began)
        allowed = self._oldest(window.now or window.began)
        newest = (window.began + self.widened).date()
        first = max((window.since - self.widened).date(), oldest) if window.since else oldest
        last = min((window.until + self.widened).date(), newest) if window.until else newest
        while first <= last:
            following = self.each.after(first)
            end = min(following - timedelta(days=1), last)
            start = max(first, allowed)
            if start <= end:
                params = {self.start: start.isoformat(), self.end: end.isoformat()}
                yield Slice(first.isoformat(), params)
            first = following

    def _oldest(self, moment: datetime) -> date:
        """With a day's margin: the source's own day may have begun later than ours."""
        return self.back.before(moment.date()) + timedelta(days=1)


def _ceiling(moment: datetime) -> datetime:
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)
