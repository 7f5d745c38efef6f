"""Owners, pipelines and stages: small, without search, read whole every time.

Nobody counts them, so they are listed a second time, in pages of another size where there are any:
what was left out of one list is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.answers import Answer, Params
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.clients.parts import Parts
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import has_records, next_after
from crm_sync_assets.crms.hubspot.searching import TRIES
from crm_sync_assets.declarations.contract import Cursor, Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Key, Record


def owners(hub: Account, read: Read, session: Session) -> Iterator[Page]:
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
            ask = partial(session.get, hub.paths.owners(), params, check=has_records)
            records, after = _page(ask, session)
            if after is None:
                cursor = {"phase": following}
            else:
                cursor = {"phase": phase, "after": guard.follow(after, records=len(records))}
            yield Page(records, cursor)


def _page(ask: Callable[[], Answer], session: Session) -> tuple[list[Record], str | None]:
    """A page and the cursor after it; asked for again while it is empty with more to come."""
    tries = 1
    answer = ask()
    while not answer.json["results"] and next_after(answer.json) and tries < TRIES:
        session.wait_to_ask_again(tries, "an empty page of the list, and more to come")
        tries += 1
        answer = ask()
    return answer.json["results"], next_after(answer.json)


def owners_again(hub: Account, read: Read, session: Session) -> Iterator[Page]:
    """The same owners, in pages of another size."""
    size = min(read.page_size, 100)
    return owners(hub, replace(read, cursor=None, page_size=size - 1 or 2), session)


def owners_by_key(hub: Account, keys: Sequence[Key], session: Session) -> Iterator[Page]:
    """Each owner by its id, active or archived."""

    def one(key: Key) -> Page:
        for archived in ("false", "true"):
            owner = _one(session, hub.paths.owner(key[0]), {"archived": archived})
            if owner is not None:
                return Page([owner], {})
        return Page([], {}, [Tombstone(key)])

    return in_order(partial(one, key) for key in keys)


def pipelines(hub: Account, read: Read, session: Session) -> Iterator[Page]:
    """The pipelines of each object type, one page per type."""
    for kind, records, cursor in _per_type(hub, read, session):
        yield Page([{**record, "objectType": kind} for record in records], cursor)


def stages(hub: Account, read: Read, session: Session) -> Iterator[Page]:
    """The stages of each object type's pipelines, one page per type."""
    for kind, records, cursor in _per_type(hub, read, session):
        found = [
            {**stage, "objectType": kind, "pipelineId": record["id"]}
            for record in records
            for stage in record.get("stages") or ()
        ]
        yield Page(found, cursor)


def _per_type(
    hub: Account, read: Read, session: Session
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


def pipelines_by_key(hub: Account, keys: Sequence[Key], session: Session) -> Iterator[Page]:
    """Each pipeline by its object type and id; one that is archived is gone."""

    def one(key: Key) -> Page:
        kind, pipeline = key
        if kind not in hub.pipeline_types:
            return Page([], {}, [Tombstone(key)])
        found = _one(session, hub.paths.pipeline(hub.type_id(kind), pipeline))
        if found is None or found.get("archived") is True:
            return Page([], {}, [Tombstone(key)])
        return Page([{**found, "objectType": kind}], {})

    return in_order(partial(one, key) for key in keys)


def stages_by_key(hub: Account, keys: Sequence[Key], session: Session) -> Iterator[Page]:
    """Each stage by its object type, pipeline and id; one that is archived is gone."""

    def one(key: Key) -> Page:
        kind, pipeline, stage = key
        if kind not in hub.pipeline_types:
            return Page([], {}, [Tombstone(key)])
        found = _one(session, hub.paths.stage(hub.type_id(kind), pipeline, stage))
        if found is None or found.get("archived") is True:
            return Page([], {}, [Tombstone(key)])
        return Page([{**found, "objectType": kind, "pipelineId": pipeline}], {})

    return in_order(partial(one, key) for key in keys)


def _one(session: Session, path: str, params: Params | None = None) -> Record | None:
    """What has this address; None for a 404."""
    answer = session.get(path, params, accept=(200, 404), check=_not_one)
    if answer.status == 404:
        return None
    record: Record = answer.json
    record["id"] = str(record["id"])
    return record


def _not_one(body: Any) -> str | None:
    """What keeps a body from being a record or a refusal."""
    if isinstance(body, dict) and ("id" in body or "message" in body or "category" in body):
        return None
    return "neither a record nor an error"
