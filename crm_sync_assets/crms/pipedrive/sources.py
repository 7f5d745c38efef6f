"""What Pipedrive's lists have in common: paging, deltas, and what each page costs.

v2 wherever it has the list, what is left of v1 for the rest. A page is charged in tokens of the
company's day; the burst limit counts requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from crm_sync_assets.clients.rest.delta import Since
from crm_sync_assets.clients.rest.paging import Cursor, Offset
from crm_sync_assets.clients.rest.source import Many, One, Rest


def tokens(number: int) -> Mapping[str, int]:
    """What a request costs: so much of the day, and one of the burst."""
    return {"daily": number}


BY_ID = {"sort_by": "id", "sort_direction": "asc"}
BY_CURSOR = Cursor("additional_data.next_cursor", "cursor", "limit", 500, says_end=True)
BY_OFFSET = Offset(
    "start",
    "limit",
    500,
    more=(
        "additional_data.pagination.more_items_in_collection",
        "additional_data.more_items_in_collection",
    ),
)
CHANGED = Since("updated_since", "updated_until")
CHANGED_SINCE = Since("updated_since")
PAGE = "https://{PIPEDRIVE_COMPANY}.pipedrive.com/"


def is_deleted(record: Mapping[str, Any]) -> bool:
    """Whether a record says of itself that it is in the bin."""
    return record.get("is_deleted") in (True, 1)


def _alone(path: str, cost: int) -> One:
    # 403: the record may be there, and the token's user may not see it.
    return One(path + "/{id}", record="data", hidden=(403,), cost=tokens(cost))


_data = partial(Rest, records="data", modified="update_time", gone=is_deleted)


def v2(name: str, **declared: Any) -> Rest:
    """A list by cursor, whose records can be asked for by a hundred ids."""
    path = f"/api/v2/{name}"
    given: dict[str, Any] = {
        "paging": BY_CURSOR,
        "params": BY_ID,
        "delta": CHANGED,
        "one": _alone(path, 1),
        "many": Many(path, "ids", 100, cost=tokens(10)),
        "cost": tokens(10),
    }
    return _data(path, **{**given, **declared})


def v1(name: str, **declared: Any) -> Rest:
    """A list by offset."""
    path = f"/api/v1/{name}"
    given: dict[str, Any] = {"paging": BY_OFFSET, "one": _alone(path, 2), "cost": tokens(20)}
    return _data(path, **{**given, **declared})
