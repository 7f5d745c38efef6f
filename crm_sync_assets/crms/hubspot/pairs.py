"""Associations: the pairs of every record the warehouse holds on one side.

HubSpot has no list of links and no date on them, so each sync asks for all of them, up to 1,000
records per call. Every record asked for must be answered for: with pairs, or by name as having
none. A record's pairs may come in pages of their own, and all of them are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.paging import CursorGuard
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import next_after
from crm_sync_assets.crms.hubspot.records import at_once
from crm_sync_assets.crms.hubspot.sources import Associations
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.log import logger

log = logger(__name__)

NONE_FOUND = "crm.associations.NO_ASSOCIATIONS_FOUND"
MOST_INPUTS = 1_000


def pairs(hub: Account, read: Read, session: Session, source: Associations) -> Iterator[Page]:
    """The pairs of one call's records per page; several calls are under way at once."""
    path = hub.paths.associations(hub.type_id(source.of), hub.type_id(source.to))
    after = (read.cursor or {}).get("after")
    size = min(read.page_size, MOST_INPUTS)
    if after is None and not read.known.keys(source.parents, limit=1):
        log.warning(
            "%s: the warehouse holds no %s yet, so there are no pairs; sync hubspot.%s first",
            read.entity,
            source.of,
            source.of,
        )

    def calls() -> Iterator[Callable[[], Page]]:
        last = after
        while ids := read.known.keys(source.parents, after=last, limit=size):
            last = ids[-1]
            yield partial(_page, ids, path, session, source.columns)

    yield from in_order(calls(), at_once(read))


def _page(ids: Sequence[str], path: str, session: Session, columns: tuple[str, str]) -> Page:
    first, second = columns
    found = _of(ids, path, session)
    records = [{first: of, second: to} for of, others in found.items() for to in others]
    return Page(records, {"after": ids[-1]})


def pairs_by_key(
    hub: Account, keys: Sequence[Key], session: Session, source: Associations
) -> Iterator[Page]:
    """Those of these pairs that exist, and tombstones for the others: one call per page."""
    path = hub.paths.associations(hub.type_id(source.of), hub.type_id(source.to))
    first, second = source.columns
    found = _of({of: None for of, _ in keys}, path, session)
    records = [{first: of, second: to} for of, to in keys if to in found[of]]
    gone = [Tombstone((of, to)) for of, to in keys if to not in found[of]]
    yield Page(records, {}, tombstones=gone)


def _of(ids: Iterable[str], path: str, session: Session) -> dict[str, dict[str, None]]:
    """Per record the ids it is linked with, each once and in the order given."""
    found: dict[str, dict[str, None]] = {record_id: {} for record_id in ids}
    guards: dict[str, CursorGuard] = {}
    inputs: list[dict[str, str]] = [{"id": record_id} for record_id in found]
    while inputs:
        asked = {each["id"] for each in inputs}
        answer = session.post(
            path,
            {"inputs": inputs},
            accept=(200, 207),
            check=lambda body, asked=asked: _incomplete(body, asked),
        )
        inputs = []
        for result in answer.json["results"]:
            of = str(result["from"]["id"])
            others = [str(other["toObjectId"]) for other in result.get("to") or ()]
            found[of].update(dict.fromkeys(others))
            after = next_after(result)
            if after is not None:
                guard = guards.setdefault(of, CursorGuard(f"{session.subject}, record {of}"))
                inputs.append({"id": of, "after": guard.follow(after, records=len(others))})
    return found


def _incomplete(body: Any, asked: set[str]) -> str | None:
    """What keeps an answer from being about all records asked for, and only those."""
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        return "the answer has no results"
    answered: set[str] = set()
    for result in results:
        others = result.get("to") if isinstance(result, dict) else None
        of = result.get("from") if isinstance(result, dict) else None
        if not isinstance(of, dict) or not isinstance(others, list):
            return "a result names no records"
        if any(not isinstance(o, dict) or o.get("toObjectId") is None for o in others):
            return "a pair has only one side"
        answered.add(str(of.get("id")))
    for error in body.get("errors") or ():
        if not _means_none(error):
            return f"the batch has an error: {error.get('category')}: {error.get('message')}"
        context = error.get("context") or {}
        answered |= {str(one) for one in context.get("fromObjectId") or context.get("ids") or ()}
    if not answered >= asked:
        return f"short read: {len(asked - answered)} of {len(asked)} records were not answered for"
    if not answered <= asked:
        return "the answer is about records nobody asked for"
    return None


def _means_none(error: Mapping[str, Any]) -> bool:
    """Whether a record has no pairs, or is itself gone since it was stored."""
    return error.get("subCategory") == NONE_FOUND or error.get("category") == "OBJECT_NOT_FOUND"
