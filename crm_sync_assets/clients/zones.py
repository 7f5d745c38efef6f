"""Wall-clock time of a declared zone, and what a moment looks like on its clocks.

A database whose columns carry no zone shows the clock on the wall. Twice a year that clock jumps:
an hour is shown twice, another not at all. Reading has to pick one moment; comparing must never
leave one out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from crm_sync_assets.errors import UsageError

_ZERO = timedelta(0)
_HOUR = timedelta(hours=1)
_COMPARED = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
_COMPARED_HOURS = (_COMPARED[1] - _COMPARED[0]) // _HOUR
_LOOK = 26
"""Hours; no zone has ever put its clock back by more than a day."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone by name. Raises UsageError naming `variable` for a name that is none."""

    name: str
    variable: str = "the time zone"
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            found = ZoneInfo(self.name)
        except (KeyError, ValueError, OSError):
            raise UsageError(
                f"{self.variable} is '{self.name}', which is no time zone: give an IANA name, "
                "for example America/New_York, or UTC"
            ) from None
        object.__setattr__(self, "_zone", found)

    def shows_the_same(self, other: str) -> bool:
        """Whether a clock of the zone of this name has shown and will show the same."""
        return _show_the_same(self.name, other)

    def to_utc(self, wall: datetime) -> datetime:
        """The aware UTC moment of a naive wall-clock time.

        An hour shown twice counts as the first of the two; a time that was skipped is moved
        forward by as much as the clock was. A moment after the year 9999 stays at its wall time.
        """
        try:
            return wall.replace(tzinfo=self._zone).astimezone(UTC)
        except OverflowError:
            return wall.replace(tzinfo=UTC)

    def earliest_wall(self, moment: datetime) -> datetime:
        """The earliest time a wall clock shows at or after this moment, to the second, naive.

        Earlier than the moment's own wall time where the clock is about to be put back.
        """
        moment = moment.astimezone(UTC)
        offset = min(self._offsets(moment, +1), default=_ZERO)
        return (moment + offset).replace(microsecond=0, tzinfo=None)

    def latest_wall(self, moment: datetime) -> datetime:
        """The latest time a wall clock has shown up to this moment, a second rounded up, naive."""
        moment = moment.astimezone(UTC)
        shown = moment + max(self._offsets(moment, -1), default=_ZERO)
        up = timedelta(seconds=1 if shown.microsecond else 0)
        return shown.replace(microsecond=0, tzinfo=None) + up

    def _offsets(self, moment: datetime, direction: int) -> list[timedelta]:
        offsets = []
        for hours in range(_LOOK):
            try:
                seen = (moment + direction * hours * _HOUR).astimezone(self._zone)
            except OverflowError:
                break
            offsets.append(seen.utcoffset() or timedelta(0))
        return offsets


@lru_cache(maxsize=8)
def _show_the_same(one: str, other: str) -> bool:
    """Whether two names are of one zone, as US/Pacific and America/Los_Angeles are."""
    try:
        zones = ZoneInfo(one), ZoneInfo(other)
    except (KeyError, ValueError, OSError):
        return False
    moments = (_COMPARED[0] + hours * _HOUR for hours in range(_COMPARED_HOURS))
    return all(len({m.astimezone(zone).utcoffset() for zone in zones}) == 1 for m in moments)
