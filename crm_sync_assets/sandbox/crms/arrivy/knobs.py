"""What can be turned about Arrivy alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class ArrivyKnobs:
    """arrivy_per_minute    requests per minute and account
    arrivy_silent           a 429 does not say for how long
    arrivy_cap              most records of a page, whatever is asked for
    arrivy_unpaged          statuses and bookings come all at once, whatever page is asked for
    arrivy_status_lag       seconds until the list of tasks shows a task's new status
    arrivy_contained        a window has only what lies within it wholly
    arrivy_zone_ignored     hours by which windows are off, as if their offset were not heeded
    arrivy_described        refusals say it under `description`
    """

    arrivy_per_minute: int = 120
    arrivy_silent: bool = False
    arrivy_cap: int = 1_000
    arrivy_unpaged: bool = True
    arrivy_status_lag: float = 0
    arrivy_contained: bool = False
    arrivy_zone_ignored: int = 0
    arrivy_described: bool = False
