"""Rows of a query whatever its length: one that is too long for an address is asked in parts.

An address and its headers may have 16,384 bytes together, and an object may have 800 fields. Then
the same rows are asked for several times, with some of the fields each, and put together by Id. A
row that changed in between is left out, with all after it: it is in the next answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from crm_sync_assets.crms.salesforce.org import Asking, Rows, Scope
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.errors import TransientError

LONGEST: Final = 12_000
"""Bytes of an address; what is left is for headers, of which a token may take 2,000."""


def parts_of(query: Query, keys: Sequence[str], longest: int = LONGEST) -> list[Query]:
    """The query, or several of the same rows with some of its fields each, and with `keys`."""

    def length(fields: Sequence[str]) -> int:
        return len(urlencode({"q": str(query.of_fields(fields))}))

    if length(query.fields) <= longest:
        return [query]
    found: list[list[str]] = [[*keys]]
    room = longest - length(keys)
    left = room
    for name in query.fields:
        if name in keys:
            continue
        taken = len(urlencode({"": f", {name}"})) - 1
        if taken > left and len(found[-1]) > len(keys):
            found.append([*keys])
            left = room
        found[-1].append(name)
        left -= taken
    return [query.of_fields(fields) for fields in found]


def select(asking: Asking, query: Query, scope: Scope, keys: Sequence[str]) -> Rows:
    """The first rows of a query, `keys` of which tell a record and its version.

    There is at least one, unless it is done. Raises what `Asking.rows` raises, and TransientError
    for a row that never stands still.
    """
    parts = parts_of(query, keys)
    tries = 0
    while True:
        rows = asking.rows(parts[0], scope)
        for part in parts[1:]:
            rows = _together(rows, asking.rows(part, scope), keys)
        if rows.records or rows.done:
            return rows
        tries += 1
        if tries >= asking.org.settings.max_attempts:
            raise TransientError(
                f"{asking.subject}: a record of {query.of} changed between the parts of its fields "
                f"{tries} times; the next sync resumes before it"
            )
        asking.session.wait_to_ask_again(tries, "a record changed between its parts")


def _together(rows: Rows, more: Rows, keys: Sequence[str]) -> Rows:
    def version(record: Record) -> tuple[object, ...]:
        return tuple(record.get(name) for name in keys)

    others = {version(one): one for one in more.records}
    found: list[Record] = []
    for record in rows.records:
        other = others.get(version(record))
        if other is None:
            return Rows(found, done=False)
        found.append({**record, **other})
    return Rows(found, rows.done)
