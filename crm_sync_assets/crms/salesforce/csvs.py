"""Records of a bulk job's CSV file, so many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from crm_sync_assets.clients.csvs import Broken, lines_of
from crm_sync_assets.crms.salesforce.described import Shown
from crm_sync_assets.declarations.entity import Record


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
