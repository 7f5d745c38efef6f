"""Records by their ids: a batch at a time, and one by one where a batch leaves a doubt.

A batch names the ids it does not have. About an id that it neither gives nor names it is silent,
and that proves nothing: the record is asked for by itself.

What is too large for one answer is asked for in smaller `portions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from crm_sync_assets.clients.ahead import AT_ONCE, in_order
from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import (
    has_records,
    identified,
    missing_ids,
    unexpected_errors,
)
from crm_sync_assets.crms.hubspot.batches import in_parts
from crm_sync_assets.crms.hubspot.objecttype import ObjectType
from crm_sync_assets.crms.hubspot.portions import Portions, unread
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import FatalError, TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

BATCH = 100


class Records:
    """Records of one type by their ids, with the properties of these names."""

    def __init__(self, objects: ObjectType, names: Sequence[str]) -> None:
        self._objects = objects
        self._subject = objects.subject
        self._names = names

    def pages(self, ids: Iterable[str], at_once: int) -> Iterator[Page]:
        """These records, live or archived; tombstones for the ones that are neither."""
        calls = (partial(self._pages_of, some) for some in hundreds(ids))
        for pages in in_order(calls, at_once):
            yield from pages

    def found(
        self, ids: Sequence[str], *, archived: bool
    ) -> Iterator[tuple[Sequence[str], dict[str, Record]]]:
        """Per batch its ids and the records HubSpot has of them; the others are certainly gone or
        merged."""
        for some, found, silent in self._batches(ids, archived=archived):
            unknown: list[str] = []
            for _, again, still in self._batches(silent, archived=archived):
                found |= again
                unknown += still
            for record_id in [] if archived else unknown:
                record = self._one(record_id)
                if record is not None and record["id"] == record_id:
                    raise FatalError(
                        f"{self._subject}: short read: the batch read left out {record_id}, which "
                        "exists. The next sync resumes from the last stored page."
                    )
            yield some, found

    def filled(self, listed: Sequence[Record], *, archived: bool) -> list[list[Record]]:
        """Listed records with their properties, in several parts if one answer has no room.

        A record that is gone by now is left out: it is in the recycle bin, which comes after the
        list. One that left the recycle bin is read as the live record it is.
        """
        nameless = [record for record in listed if not identified([record])]
        parts: list[list[Any]] = [nameless] if nameless else []
        named = {record["id"]: record for record in identified(listed)}
        missing: list[str] = []
        for ids, found in self.found([*named], archived=archived):
            parts.append([{**named[key], **found[key]} for key in ids if key in found])
            missing += [key for key in ids if key not in found]
        if missing and archived:
            parts += [[*found.values()] for _, found in self.found(missing, archived=False)]
        elif missing:
            log.info("%s: %d records went while they were listed", self._subject, len(missing))
        return parts

    def _pages_of(self, ids: Sequence[str]) -> list[Page]:
        pages = []
        for some, records, unknown in self._batches(ids, archived=False):
            pages.append(Page([*records.values()], {}))
            rest = [key for key in some if key not in records]
            for others, archived, _ in self._batches(rest, archived=True):
                gone = [key for key in others if key not in archived]
                tombstones = [self._tombstone(key, ask=key in unknown) for key in gone]
                pages.append(Page([*archived.values()], {}, tombstones=tombstones))
        return pages

    def _tombstone(self, record_id: str, *, ask: bool) -> Tombstone:
        """Of a record that is gone; one that HubSpot was silent about is asked for by itself."""
        found = self._one(record_id) if ask else None
        if found is not None and found["id"] == record_id:
            raise FatalError(
                f"{self._subject}: short read: the batch read left out {record_id}, which exists. "
                "Run it again."
            )
        return Tombstone((record_id,), merged_into=found["id"] if found is not None else None)

    def _one(self, record_id: str) -> Record | None:
        objects = self._objects
        return read_one(objects.hub, objects.session, objects.kind, record_id)

    def _batches(
        self, ids: Sequence[str], *, archived: bool
    ) -> Iterator[tuple[Sequence[str], dict[str, Record], list[str]]]:
        """Per batch its ids, the records found by id, and the ids HubSpot was silent about."""
        objects, portions, start = self._objects, Portions(self._subject, BATCH), 0

        def fetch(size: int, whole: bool) -> tuple[Sequence[str], dict[str, Record], list[str]]:
            some, names = ids[start : start + size], self._names if whole else objects.bare
            found, unknown = read_batch(
                objects.hub, objects.session, objects.kind, some, names, archived
            )
            return some, found if whole else {k: unread(r) for k, r in found.items()}, unknown

        while start < len(ids):
            batch = portions.ask(fetch, left=len(ids) - start)
            start += len(batch[0])
            yield batch


def at_once(read: Read) -> int:
    """How many independent requests a reading may have under way: a limited one asks for no more
    than it needs."""
    return 1 if read.limit else AT_ONCE


def hundreds(ids: Iterable[str]) -> Iterator[list[str]]:
    """The ids, as many at a time as one batch takes."""
    rest = iter(ids)
    while some := list(islice(rest, BATCH)):
        yield some


def read_batch(
    hub: Account,
    session: Session,
    kind: str,
    ids: Sequence[str],
    names: Sequence[str],
    archived: bool,
) -> tuple[dict[str, Record], list[str]]:
    """The records found by id, and the ids HubSpot neither gave nor named as missing."""

    def ask(some: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = session.post(
            hub.paths.batch_read(kind),
            {"properties": list(some), "inputs": [{"id": record_id} for record_id in ids]},
            params={"archived": "true"} if archived else None,
            accept=(200, 207),
            check=lambda body: has_records(body) or unexpected_errors(body),
        ).json
        return {**body, "results": identified(body["results"])}

    body, asked = in_parts(hub, names, ask), set(ids)
    found = {r["id"]: r for r in body["results"] if r["id"] in asked}
    gone = missing_ids(body)
    return found, [key for key in ids if key not in found and key not in gone]


def read_one(hub: Account, session: Session, kind: str, record_id: str) -> Record | None:
    """The record that answers to this id, which may have another id; None for a 404.

    Raises TransientError for one that does not say which it is: that proves nothing.
    """
    answer = session.get(
        hub.paths.object(kind, record_id),
        accept=(200, 404),
        check=lambda body: (
            None
            if isinstance(body, dict) and ("id" in body or "message" in body or "category" in body)
            else "neither a record nor an error"
        ),
    )
    if answer.status == 404:
        return None
    record: Record = answer.json
    if not identified([record]):
        raise TransientError(
            f"{session.subject}: {answer.request} answered with a record that does not say which "
            f"it is; what is stored of {record_id} stays. Try again later."
        )
    record["id"] = str(record["id"])
    return record
