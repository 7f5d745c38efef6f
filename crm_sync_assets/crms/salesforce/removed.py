"""What is deleted for good: it is in no query any more, and for 15 days in a list of its own.

An addition to the deleted rows that queries have: the list is short-lived and may be cut, so a full
read or a comparison is what proves that nothing else is gone.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from crm_sync_assets.crms.salesforce.described import TELLING, Shown
from crm_sync_assets.crms.salesforce.keys import by_key
from crm_sync_assets.crms.salesforce.org import Asking
from crm_sync_assets.declarations.contract import Cursor, Page, Read
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import BadRequest, Closed
from crm_sync_assets.log import logger

log = logger(__name__)

KEPT: Final = timedelta(days=14, hours=23)
"""How far back it is asked for: 15 days are what there is at most."""
LEAST: Final = timedelta(minutes=2)
"""Its seconds are ignored, and start and end must be more than a minute apart."""


def removed(
    asking: Asking,
    read: Read,
    shown: Shown,
    began: str,
    cursor: Cursor,
    told_before: Collection[str],
) -> Iterator[Page]:
    """Pages of tombstones, the last of which remembers how far the list was read.

    Of what is never deleted, as users, it is not asked for. `told_before` are keys of which this
    reading had tombstones.
    """
    until = timestamp(began)
    assert until is not None
    since = timestamp(read.memory.get("gone_until")) or read.strategy.since
    until = until.replace(second=0, microsecond=0)
    if since is None or until - since < LEAST or not shown.alive:
        yield Page([], cursor)
        return
    since = max(since, until - KEPT)
    path = f"/sobjects/{shown.described.name}/deleted/"
    asked = {"start": _spelled(since), "end": _spelled(until)}
    try:
        body = asking.get(path, asked, check=_problem).json
    except (BadRequest, Closed) as error:
        log.info("%s: no list of what is deleted for good: %s", read.entity, error)
        yield Page([], cursor, memory={"gone_until": until.isoformat()})
        return
    told = {str(one["id"]): timestamp(one.get("deletedDate")) for one in body["deletedRecords"]}
    covered = timestamp(body.get("latestDateCovered"))
    reached = min(until, covered) if covered else until
    names, modified = shown.names, read.entity.source.modified
    telling = [name for name in names if name in ("Id", modified, *TELLING)]
    keys = [(key,) for key in told if key not in told_before]
    tombstones = []
    # What is in the list may be restored by now; if it is not there, it is gone.
    of = shown.described.name
    for page in by_key(asking, of, telling, modified, keys, sees_all=lambda: True):
        tombstones += [
            one if one.deleted_at else replace(one, deleted_at=told[one.key[0]])
            for one in page.tombstones
        ]
    yield Page(
        [], cursor, tombstones=tombstones, memory={"gone_until": max(reached, since).isoformat()}
    )


def _spelled(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}+00:00"


def _problem(body: Any) -> str | None:
    found: Sequence[Any] | None = body.get("deletedRecords") if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(o, dict) and o.get("id") for o in found):
        return "the answer has no list of deleted records"
    return None
