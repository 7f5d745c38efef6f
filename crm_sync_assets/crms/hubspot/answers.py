"""What HubSpot's answers say: records, ids, cursors, totals, and what is wrong with a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_sync_assets.declarations.entity import Record

# Digits of an id that a filter of a search takes.
LONGEST_NUMBER = 18


def has_records(body: Any) -> str | None:
    """What keeps a body from being a page of records.

    A single record without an id is no such thing: it is passed on, to be set aside alone.
    """
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        return "the answer has no results"
    whole = identified(results)
    if len(results) > 1 and not whole:
        return "no record has an id"
    for record in whole:
        record["id"] = str(record["id"])
    next_after(body)
    return None


def identified(results: Sequence[Any]) -> list[Record]:
    """The records that say which they are, by text or a whole number."""
    return [
        record
        for record in results
        if isinstance(record, dict) and record.get("id") and type(record["id"]) in (str, int)
    ]


def numbered(records: Sequence[Any]) -> list[int]:
    """The ids that a search can go on from; a record with another one is passed on all the same."""
    ids = [record["id"] for record in identified(records)]
    return [int(i) for i in ids if i.isascii() and i.isdecimal() and len(i) <= LONGEST_NUMBER]


def has_total(body: Mapping[str, Any]) -> str | None:
    """What keeps a page of a search from saying how many records are left."""
    return None if type(body.get("total")) is int else "the search gave no total"


def missing_ids(body: Mapping[str, Any]) -> set[str]:
    """The ids a batch answer names as not found; being left out of it proves nothing."""
    return {
        str(record_id)
        for error in body.get("errors") or ()
        if error.get("category") == "OBJECT_NOT_FOUND"
        for record_id in (error.get("context") or {}).get("ids") or ()
    }


def unexpected_errors(body: Mapping[str, Any]) -> str | None:
    """Errors of a batch answer other than ids it does not have."""
    for error in body.get("errors") or ():
        if error.get("category") != "OBJECT_NOT_FOUND":
            return f"the batch has an error: {error.get('category')}: {error.get('message')}"
    return None


def next_after(body: Mapping[str, Any]) -> str | None:
    """The cursor of the next page, None on the last."""
    after = ((body.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
