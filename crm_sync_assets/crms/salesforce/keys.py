"""Records asked for by their Ids, and all of an object in the order of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from crm_sync_assets.crms.salesforce import soql
from crm_sync_assets.crms.salesforce.org import Asking
from crm_sync_assets.crms.salesforce.selecting import select
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations.contract import Page, Tombstone
from crm_sync_assets.declarations.entity import Key, Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import FatalError

AT_ONCE: Final = 200
"""Ids in one query: an address of 6,000 bytes, and its fields."""


def by_key(
    asking: Asking,
    of: str,
    names: Sequence[str],
    modified: str | None,
    keys: Sequence[Key],
    *,
    sees_all: Callable[[], bool],
) -> Iterator[Page]:
    """The records of these keys with these fields; a tombstone for each that is deleted or gone.

    What is not there is gone for who `sees_all`, which is asked after it was looked for; others may
    not see it, so that its row is kept.
    """
    tells = ["Id", modified] if modified else ["Id"]
    for start in range(0, len(keys), AT_ONCE):
        left = [key[0] for key in keys[start : start + AT_ONCE]]
        alive: list[Record] = []
        gone: list[Tombstone] = []
        while left:
            query = Query(tuple(names), of, (soql.among("Id", left),), ("Id",))
            rows = select(asking, query, "queryAll", tells)
            for record in rows.records:
                if record.get("Id") not in left:
                    raise FatalError(f"{asking.subject}: asked for others, {of} had {record!r:.60}")
                left.remove(record["Id"])
                master = record.pop("MasterRecordId", None)
                if record.get("IsDeleted") is True:
                    gone.append(tombstone(record, modified, master))
                else:
                    alive.append(record)
            if rows.done:
                break
        absent = [(key,) for key in left]
        is_gone = bool(absent) and sees_all()
        if is_gone:
            gone += map(Tombstone, absent)
        yield Page(alive, {}, gone, kept=() if is_gone else absent)


def in_order(
    asking: Asking,
    of: str,
    names: Sequence[str],
    modified: str | None,
    size: int,
    *,
    where: tuple[str, ...] = (),
    key: str = "",
) -> Iterator[tuple[list[Record], str | None]]:
    """All records with these fields, by Id and from after `key` on, which no change moves.

    Each with the Id after which the next ones come, None after the last.
    """
    tells = ["Id", modified] if modified else ["Id"]
    while True:
        after = (f"Id > {soql.text(key)}",) if key else ()
        query = Query(tuple(names), of, (*where, *after), ("Id",), size)
        rows = select(asking, query, "queryAll", tells)
        if rows.done and len(rows.records) < size:
            yield rows.records, None
            return
        last = next((one for one in reversed(rows.records) if is_named(one)), None)
        if last is None or last["Id"] == key:
            raise FatalError(f"{asking.subject}: what comes after {key or 'nothing'} has no end")
        key = str(last["Id"])
        yield rows.records, key


def is_named(record: Any) -> bool:
    """Whether it is a record that says which it is."""
    return isinstance(record, dict) and bool(record.get("Id"))


def tombstone(record: Record, modified: str | None, master: Any) -> Tombstone:
    """Of a deleted record, whose moment of change is that of its deletion."""
    at = timestamp(record.get(modified)) if modified else None
    return Tombstone((str(record["Id"]),), at, str(master) if master else None)
