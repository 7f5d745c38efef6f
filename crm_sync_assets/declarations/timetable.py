"""When a CRM is synced by itself: as it is declared, or as the environment says.

CRM_SYNC_<CRM>__SCHEDULE is the cron of its delta, CRM_SYNC_<CRM>__FULL_SCHEDULE that of its full
read, both in UTC; `off` means never.
"""

from __future__ import annotations

import re
from typing import Literal

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import PREFIX, variables

Timing = Literal["schedule", "full_schedule"]
TIMINGS: tuple[Timing, ...] = ("schedule", "full_schedule")
"""What stands in the place of a setting's name in the variable of a CRM."""
NEVER = "off"

_PART = r"(?:\*|\w+(?:-\w+)?)(?:/\d+)?"
_CRON = re.compile(rf"{_PART}(?:,{_PART})*(?:\s+{_PART}(?:,{_PART})*){{4}}")
"""The form; whether there is such a day is known to what keeps the schedules."""


def variable_of(crm: Crm, timing: Timing) -> str:
    return f"{PREFIX}{crm.name.upper()}__{timing.upper()}"


def cron_of(crm: Crm, timing: Timing) -> str | None:
    """The cron by which the CRM is synced, None for never.

    Undeclared it is hourly at the CRM's own minute, and on Sunday nights half an hour later.
    Raises UsageError for what has not the form of a cron.
    """
    given = variables().get(variable_of(crm, timing), "").strip()
    if given.lower() == NEVER:
        return None
    if given and not _CRON.fullmatch(given):
        raise UsageError(
            f"{variable_of(crm, timing)} is '{given}', which is no cron schedule: write five "
            f"fields in UTC, like '{crm.minute} * * * *', or {NEVER}"
        )
    hourly = f"{crm.minute} * * * *"
    weekly = f"{(crm.minute + 30) % 60} 2 * * 0"
    return given or (hourly if timing == "schedule" else weekly)
