"""Reading a CSV file as a whole, line by line; what cannot be trusted is set aside alone.

A line with more or fewer values than there are headers, or whose values are of other kinds than
their headers say, may have moved: nobody knows then which line it is. It is set aside without a
name, and as long as there is one such, no row counts as gone for not being in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crm_sync_assets.clients.csvfiles.places import File
from crm_sync_assets.clients.csvfiles.source import CsvFile
from crm_sync_assets.clients.files import Line, lines
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import UNREAD, Entity, Record
from crm_sync_assets.log import logger

log = logger(__name__)

DELIMITERS = ",;\t|"
MOST_ODD_MOMENTS = 1
"""In one line: a moment that cannot be read is a mistake, two are a line that has moved."""


def pages(read: Read, source: CsvFile, file: File) -> Iterator[Page]:
    """The file's lines as records, by header; a reading of the same file goes on after its line.

    Raises FatalError for a file without a header that is declared, or that is no CSV.
    """
    cursor = read.cursor or {}
    done = int(cursor.get("line", 0)) if cursor.get("file") == file.digest else 0
    headers = headers_of(read.entity, source)
    records: list[Record] = []
    nameless = last = 0
    for line in _lines(file, headers):
        last = line.number
        if not line.values.get(source.key.lower()) and not (line.surplus or line.short):
            nameless += 1
            continue
        if line.number > done:
            records.append(_record(line, headers))
        if len(records) == read.page_size:
            yield Page(records, {"file": file.digest, "line": line.number})
            records = []
    yield Page(records, {"file": file.digest, "line": max(last, done)})
    if nameless:
        log.warning("%s: %d lines have no %s and are left out", read.entity, nameless, source.key)


def probe(entity: Entity, source: CsvFile, file: File) -> None:
    """Whether the file has the headers that are declared. Raises what `pages` raises."""
    next(_lines(file, headers_of(entity, source)), None)


def headers_of(entity: Entity, source: CsvFile) -> Mapping[str, Column | None]:
    """The headers that a file must have, with the column that each fills by itself."""
    columns = {c.path(source.root): c for c in entity.columns if not callable(c.at)}
    return {**dict.fromkeys(source.also), **columns}


def _lines(file: File, headers: Iterable[str]) -> Iterator[Line]:
    required = [(name.lower(),) for name in headers]
    return lines(file.content, required=required, delimiters=DELIMITERS)


def _record(line: Line, headers: Mapping[str, Column | None]) -> Record:
    if line.surplus or line.short:
        more = "more" if line.surplus else "fewer"
        return _set_aside(line, f"it has {more} values than the file has headers")
    record: Record = {name: line.values.get(name.lower()) or None for name in headers}
    if odd := _moved(record, headers):
        return _set_aside(line, odd)
    return record


def _moved(record: Record, headers: Mapping[str, Column | None]) -> str | None:
    """What shows that values are not below their headers; None if nothing does."""
    kinds = {name: column for name, column in headers.items() if column is not None}
    odd = [name for name, column in kinds.items() if not _fits(column, record[name])]
    flags = [name for name in odd if kinds[name].sql == "boolean"]
    if flags:
        return f"its {flags[0]} is neither true nor false"
    if len(odd) > MOST_ODD_MOMENTS:
        return f"its {' and its '.join(odd)} cannot be read as what they are"
    return None


def _fits(column: Column, value: str | None) -> bool:
    if column.sql == "text":
        return True
    try:
        column.parse(value)
    except ValueError:
        return False
    return True


def _set_aside(line: Line, why: str) -> Record:
    return {
        UNREAD: f"line {line.number}: {why}, so its values may have moved: put a value that holds "
        "the delimiter in quotation marks",
        "values": line.values,
    }
