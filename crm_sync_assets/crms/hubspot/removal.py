"""Which stored records HubSpot no longer has, asked id by id.

A record counts as removed only when HubSpot says so by name: its id among those of an
OBJECT_NOT_FOUND error, or a 404 when asked for alone. A 207 means that something is missing, not
that everything is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.records import BATCH, at_once, read_batch, read_one
from crm_sync_assets.crms.hubspot.sources import Removal
from crm_sync_assets.declarations.contract import Page, Read, Tombstone


def removed(hub: Account, read: Read, session: Session, source: Removal) -> Iterator[Page]:
    """Tombstones, and how many records were found alive, per batch of stored ids.

    Several batches are under way at once.
    """
    kind = hub.type_id(source.of)
    size = min(read.page_size, BATCH)

    def calls() -> Iterator[Callable[[], Page]]:
        last = (read.cursor or {}).get("after")
        while ids := read.known.keys(source.table, after=last, limit=size):
            last = ids[-1]
            yield partial(_page, hub, session, kind, ids)

    return in_order(calls(), at_once(read))


def _page(hub: Account, session: Session, kind: str, ids: Sequence[str]) -> Page:
    found, unknown = read_batch(hub, session, kind, ids, ["hs_object_id"], archived=False)
    confirmed = len(found)
    tombstones = [
        Tombstone((record_id,))
        for record_id in ids
        if record_id not in found and record_id not in unknown
    ]
    for record_id in unknown:
        record = read_one(hub, session, kind, record_id)
        if record is None:
            tombstones.append(Tombstone((record_id,)))
        elif record["id"] != record_id:
            tombstones.append(Tombstone((record_id,), merged_into=record["id"]))
        else:
            confirmed += 1
    return Page([], {"after": ids[-1]}, tombstones=tombstones, confirmed=confirmed)
