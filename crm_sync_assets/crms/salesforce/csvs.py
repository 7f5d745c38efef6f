"""Lines of a CSV file, one at a time: quoted values may hold commas, quotes and line ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from crm_sync_assets.clients.http import MOST_BYTES
from crm_sync_assets.crms.salesforce.described import Shown
from crm_sync_assets.declarations.entity import Record

# A long text may have 131,072 characters and more, which is where the library stops.
csv.field_size_limit(MOST_BYTES)


class Broken(ValueError):
    """What is no CSV file with these columns, or was cut."""


def lines_of(body: bytes) -> Iterator[list[str]]:
    """Its lines, the header first. Raises Broken.

    NUL bytes occur in such files where the same query has none as JSON.
    """
    text = io.TextIOWrapper(
        io.BytesIO(body.replace(b"\0", b"")), "utf-8", errors="surrogateescape", newline=""
    )
    try:
        yield from csv.reader(text, strict=True)
    except csv.Error as error:
        raise Broken(f"it is no whole CSV file ({error})") from None


def records_in(body: bytes, shown: Shown, *, skip: int, at_once: int) -> Iterator[list[Record]]:
    """The records of a file after `skip` of them, so many at a time. Raises Broken."""
    lines = lines_of(body)
    header = next(lines, None)
    if header is None:
        raise Broken("it has no header")
    missing = set(shown.names) - set(header)
    if missing:
        raise Broken(f"it has no column {', '.join(sorted(missing)[:5])}")
    record_of = shown.of_csv(header)
    for _ in islice(lines, skip):
        pass
    while chunk := list(islice(lines, at_once)):
        if any(len(line) != len(header) for line in chunk):
            raise Broken("a line has another number of values than there are columns")
        yield [record_of(line) for line in chunk]


def count_of(body: bytes) -> int:
    """How many records it has. Raises Broken."""
    return sum(1 for _ in lines_of(body)) - 1
