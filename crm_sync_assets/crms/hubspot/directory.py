"""Owners, pipelines and stages: small, without search, read whole every time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.clients.parts import Parts
from crm_sync_assets.crms.hubspot.objects import has_records, next_after
from crm_sync_assets.entity import Cursor, Page, Read, Record

if TYPE_CHECKING:
    from crm_sync_assets.crms.hubspot.client import HubSpot


def owners(hub: HubSpot, read: Read, session: Session) -> Iterator[Page]:
    """Active owners, then archived ones."""
    cursor = dict(read.cursor or {"phase": "active"})
    for phase, following in (("active", "archived"), ("archived", "done")):
        if cursor["phase"] != phase:
            continue
        guard = CursorGuard(read.entity.name)
        after = cursor.get("after")
        while cursor["phase"] == phase:
            params = {
                "limit": str(min(read.page_size, 100)),
                "archived": "true" if phase == "archived" else "false",
                **({"after": after} if after else {}),
            }
            answer = session.get(hub.paths.owners(), params, check=has_records)
            records = answer.json["results"]
            after = next_after(answer.json)
            if after is None:
                cursor = {"phase": following}
            else:
                cursor = {"phase": phase, "after": guard.follow(after, records=len(records))}
            yield Page(records, cursor)


def pipelines(hub: HubSpot, read: Read, session: Session) -> Iterator[Page]:
    """The pipelines of each object type, one page per type."""
    for kind, records, cursor in _per_type(hub, read, session):
        yield Page([{**record, "objectType": kind} for record in records], cursor)


def stages(hub: HubSpot, read: Read, session: Session) -> Iterator[Page]:
    """The stages of each object type's pipelines, one page per type."""
    for kind, records, cursor in _per_type(hub, read, session):
        found = [
            {**stage, "objectType": kind, "pipelineId": record["id"]}
            for record in records
            for stage in record.get("stages") or ()
        ]
        yield Page(found, cursor)


def _per_type(
    hub: HubSpot, read: Read, session: Session
) -> Iterator[tuple[str, list[Record], Cursor]]:
    """The pipelines of the types that are open to us, then Incomplete if one is not."""
    parts = Parts(hub.pipeline_types, read.cursor)
    for kind in parts.left:
        path = hub.paths.pipelines(hub.type_id(kind))
        answer = parts.read(kind, partial(session.get, path, check=has_records))
        if answer is not None:
            yield kind, answer.json["results"], parts.cursor()
    parts.finish(
        read.entity.name,
        "Or leave it out of HUBSPOT_PIPELINE_OBJECTS, which lists the object types whose pipelines "
        "are read; the next sync with --force then marks its stored rows as deleted.",
    )
