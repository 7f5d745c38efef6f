"""Windows over when something is planned to happen, in the past or to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from crm_sync_assets.clients.rest.delta import Months, Slice, Window

FIRST, LAST = date(1970, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class Planned:
    """Two parameters with moments of UTC; what lies before or after every other slice has its own.

    A read of everything has slices of `each` from `back` on, and one with all before that; a delta
    begins where its window does. Both go `ahead` so far, and have one slice with all beyond. Each
    slice is wider by `widened` on both sides, so that it matters little whether ends are inclusive,
    in which zone they are understood, and whether what spans one belongs to it.
    """

    start: str
    end: str
    each: Months
    back: Months
    ahead: Months
    widened: timedelta = timedelta(days=2)
    windowed: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if not self.start or not self.end:
            raise ValueError("Planned without a parameter for both of its ends")
        if min(self.each.number, self.back.number, self.ahead.number) < 1:
            raise ValueError("Planned: a slice, and how far it goes, take a month at least")

    def slices(self, window: Window) -> Iterator[Slice]:
        began = window.began.date()
        first = self.back.before(began)
        if window.since is None:
            if window.until is not None:
                first = min(first, window.until.date())
            yield self._slice("before", FIRST, first)
        else:
            first = window.since.date()
        last = self.ahead.after(began)
        if window.until is not None:
            last = window.until.date() + timedelta(days=1)
        while first < last:
            following = min(self.each.after(first), last)
            yield self._slice(first.isoformat(), first, following)
            first = following
        if window.until is None:
            yield self._slice("beyond", first, LAST)

    def _slice(self, name: str, first: date, last: date) -> Slice:
        start, end = first - self.widened, last + self.widened
        params = {self.start: f"{start}T00:00:00Z", self.end: f"{end}T00:00:00Z"}
        return Slice(name, params, overlaps=True)
