"""Zip codes from a CSV file on GitHub: fetched when it changed, checked, one record per code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

from crm_sync_assets.clients.files import GitHubFile, lines
from crm_sync_assets.clients.http import Session
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import UNREAD, Record
from crm_sync_assets.log import logger

log = logger(__name__)

FIELDS = ("division", "city", "county", "state")
KNOWN_AT_ONCE = 10_000
SURPLUS = (
    "line {} has more values than the file has columns, so they may have moved: put a value that "
    "holds a comma in quotation marks"
)


def zipcodes(read: Read, file: GitHubFile, session: Session, fallback: Session) -> Iterator[Page]:
    """The file's zip codes; one page without records when it is the file of the last sync.

    GitHub is asked whether the file changed only if the warehouse still holds as many codes as
    that file had: rows that went missing here are read again.
    """
    etag = _etag(read, file)
    download = file.fetch(session, fallback, etag)
    if download.content is None:
        log.info("%s: %s has not changed since the last sync", read.entity, file)
        yield Page([], {"sha": read.state.get("sha"), "line": 0}, state=read.state, unchanged=True)
        return
    records = _records(read, download.content)
    state = {
        "file": str(file),
        "etag": download.etag,
        "sha": download.sha,
        "zipcodes": len(records),
    }
    cursor = read.cursor or {}
    done = int(cursor.get("line", 0)) if cursor.get("sha") == download.sha else 0
    size = read.page_size
    if done >= len(records):
        yield Page([], {"sha": download.sha, "line": done}, state=state)
    for start in range(done, len(records), size):
        chunk = records[start : start + size]
        yield Page(
            chunk,
            {"sha": download.sha, "line": start + len(chunk)},
            total=len(records),
            state=state,
        )


def _etag(read: Read, file: GitHubFile) -> str | None:
    """The ETag to ask with; None when the file itself is wanted."""
    if read.strategy.overwrite or read.cursor is not None or read.limit:
        return None
    etag, expected = read.state.get("etag"), read.state.get("zipcodes")
    if not etag or read.state.get("file") != str(file):
        return None
    stored, after = 0, None
    while keys := read.known.keys(
        read.entity.table, column="zipcode", after=after, limit=KNOWN_AT_ONCE
    ):
        stored, after = stored + len(keys), keys[-1]
    if stored != expected:
        log.info("%s: %s of %s zip codes are stored, reading again", read.entity, stored, expected)
        return None
    return str(etag)


def _records(read: Read, content: bytes) -> list[Record]:
    """One record per zip code, the file's last line for it; oddities go to the log."""
    found: dict[str, Record] = {}
    padded, repeated, without = 0, 0, 0
    conflicts: list[str] = []
    for line in lines(BytesIO(content), required=[("zipcode", "zip"), ("division",)]):
        sent = line.values.get("zipcode") or line.values.get("zip") or ""
        code = _zip_code(sent)
        if not code:
            without += 1
            continue
        padded += code != sent
        record = {name: line.values.get(name) or None for name in FIELDS}
        if line.surplus:
            record = {UNREAD: SURPLUS.format(line.number)}
        earlier = found.pop(code, None)
        if earlier is not None:
            repeated += 1
            if earlier.get("division") != record.get("division"):
                conflicts.append(f"{code} ({earlier.get('division')}, {record.get('division')})")
        found[code] = {"zipcode": code, **record}
    if padded:
        log.warning("%s: %d zip codes had lost leading zeros, put back", read.entity, padded)
    if without:
        log.warning("%s: %d lines without a zip code left out", read.entity, without)
    if repeated:
        log.warning("%s: %d zip codes come twice, the last line counts", read.entity, repeated)
    if conflicts:
        log.error(
            "%s: %d zip codes are given to two divisions, the last line counts: %s",
            read.entity,
            len(conflicts),
            ", ".join(conflicts[:10]) + (" …" if len(conflicts) > 10 else ""),
        )
    return list(found.values())


def _zip_code(sent: str) -> str:
    """Three or four digits with the zeros a spreadsheet took away; everything else as it is."""
    return sent.zfill(5) if re.fullmatch(r"\d{3,4}", sent) else sent
