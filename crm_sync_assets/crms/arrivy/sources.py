"""What Arrivy's lists have in common.

- A list is a bare array without totals or cursors, whose pages may be smaller than asked for;
  parameters that a list does not know are ignored without a word.
- Nothing can be asked for what changed. Deleted records are in no list any more.
- Moments come in UTC without an offset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crm_sync_assets.clients.rest.delta import Months
from crm_sync_assets.clients.rest.overlapping import Overlapping
from crm_sync_assets.clients.rest.planned import Planned
from crm_sync_assets.clients.rest.source import One, Rest
from crm_sync_assets.crms.arrivy.statuses import codes
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.entity import Record

PAGED = Overlapping("page", "items_per_page", 500)
# Nobody says whether these lists know pages.
PERHAPS_PAGED = Overlapping("page", "items_per_page", 500, all_at_once=True)

# What was planned long ago changes seldom, and is one list; what is to come has no end.
SCHEDULE = Planned("from", "to", each=Months(3), back=Months(24), ahead=Months(6))

listed = partial(Rest, paging=PAGED, modified="updated")


def touches(record: Record, now: datetime, back: timedelta) -> bool:
    """Whether a task takes place between so long before now and now."""
    begins, ends = (_moment(record.get(f"{end}_datetime")) for end in ("start", "end"))
    return begins is not None and begins <= now and (ends or begins) >= now - back


def _moment(value: Any) -> datetime | None:
    try:
        return parsing.timestamp(value)
    except ValueError:
        return None


def newest_status(entries: Any) -> Record | None:
    """Of a task's own list of statuses what its record says; nothing, where that has none."""
    if not isinstance(entries, list):
        return None
    told = [one for one in entries if isinstance(one, dict) and one.get("type")]
    if not told:
        return {}
    if str(told[0].get("time")) <= str(told[-1].get("time")):
        # Of several in one second the one that is told last is the newest, unless all are reversed.
        told = told[::-1]
    newest = max(told, key=lambda one: str(one.get("time") or ""))
    return {"status": newest["type"], "status_title": newest.get("title")}


NEWEST_STATUS = One("/tasks/{id}/status", picked=newest_status)


def has_status(flag: str) -> Callable[[Record, Mapping[str, Any]], bool]:
    """Whether a record has the status that this flag gives, if it gives one."""

    def wanted(record: Record, options: Mapping[str, Any]) -> bool:
        given = options.get(flag)
        return not given or record.get("status") in codes(given)

    return wanted
