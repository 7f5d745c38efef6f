"""Which stored records HubSpot no longer has, asked id by id.

A record counts as removed only when HubSpot says so by name: its id among those of an
OBJECT_NOT_FOUND error, or a 404 when asked for alone. A 207 means that something is missing, not
that everything is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.objects import BATCH, read_batch, read_one
from crm_sync_assets.crms.hubspot.sources import Removal
from crm_sync_assets.entity import Page, Read, Tombstone

if TYPE_CHECKING:
    from crm_sync_assets.crms.hubspot.client import HubSpot


def removed(hub: HubSpot, read: Read, session: Session, source: Removal) -> Iterator[Page]:
    """Tombstones, and how many records were found alive, per batch of stored ids."""
    kind = hub.type_id(source.of)
    after = (read.cursor or {}).get("after")
    while True:
        ids = read.known.keys(source.table, after=after, limit=min(read.page_size, BATCH))
        if not ids:
            return
        after = ids[-1]
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
        yield Page([], {"after": after}, tombstones=tombstones, confirmed=confirmed)
