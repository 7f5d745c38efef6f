"""Days of a wall clock, as a criterion takes them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final

from crm_sync_assets.clients.zones import Zone

MOST_DAYS: Final = 62
"""A longer window is asked for by months, and one of as many months by years."""
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,3})?)?)?")


def is_moment(value: str) -> bool:
    """Whether a moment is written in the way in which it can be asked for by its beginning."""
    return _MOMENT.fullmatch(value) is not None


def walls(
    zone: Zone, since: datetime, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """What a clock of this zone shows when a window begins and ends.

    One that is open ends a day after `now`: the zone may be a wrong one.
    """
    ends = until if until is not None else now + timedelta(days=1)
    return zone.earliest_wall(since - timedelta(hours=1)), zone.latest_wall(ends)


def between(zone: Zone, since: datetime, until: datetime | None, now: datetime) -> list[str]:
    """The days, months or years that a window touches in this zone, the oldest first."""
    first, last = (wall.date() for wall in walls(zone, since, until, now))
    found = _spelled(first, last, 10)
    for letters in (7, 4):
        if len(found) > MOST_DAYS:
            found = _spelled(first, last, letters)
    return found


def _spelled(first: date, last: date, letters: int) -> list[str]:
    count = (last - first).days + 1
    each = (first + timedelta(days=number) for number in range(count))
    return list(dict.fromkeys(day.isoformat()[:letters] for day in each))
