"""A tab read whole, as it was at one moment, and which version of the file that is."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.gsheet.cells import Manner, is_loading
from crm_sync_assets.crms.gsheet.layout import Unfit, letters
from crm_sync_assets.crms.gsheet.rows import Cells, Merge, is_blank
from crm_sync_assets.crms.gsheet.sources import Sheet
from crm_sync_assets.errors import BadRequest, Closed, Unauthorized

BLOCK: Final = 2_000
"""Rows per request: Google advises answers of two megabytes at most."""
READINGS: Final = 3
"""How often a tab is read that changes while it is read."""
LOADINGS: Final = 4
"""How often one whose formulas are still being calculated."""
_FILE: Final = "id,name,modifiedTime,version,trashed"
_SHEETS: Final = "spreadsheetId,properties(title,timeZone,locale),sheets(properties,merges)"
_FIRST: Final = re.compile(r"\$?[A-Z]+\$?(\d+)(?=:|$)")
_BEYOND: Final = re.compile(r"exceeds grid limits", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab as its spreadsheet tells of it."""

    title: str
    number: int
    rows: int
    columns: int
    merges: tuple[Merge, ...]
    manner: Manner
    zone: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The cells of a tab, packed; `version` says which they are, `modified` when the file changed,
    where Drive tells it. `filled` rows are not blank. One that `is_loading` is not what it will be.
    """

    tab: Tab
    header: Cells
    modified: str | None
    digest: str
    filled: int
    is_loading: bool
    blocks: Sequence[bytes] = field(repr=False)

    @property
    def version(self) -> str:
        return self.modified or self.digest

    def rows(self) -> Iterator[Cells]:
        """Every row below the header, blank ones too, in order."""
        for block in self.blocks:
            yield from json.loads(zlib.decompress(block))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tabs of one account. `drive_may_refuse` is so of an API key: it sees no file there."""

    sheets: Session
    drive: Session
    drive_may_refuse: bool = False

    def modified(self, spreadsheet: str) -> str | None:
        """When the file changed, as Drive says; None where it does not tell us.

        Raises Unfit for one in the trash.
        """
        try:
            file = self.drive.get(
                f"/files/{quote(spreadsheet, safe='')}",
                {"fields": _FILE, "supportsAllDrives": "true"},
                check=lambda body: None if isinstance(body["id"], str) else "it has no id",
            ).json
        except (Closed, BadRequest, Unauthorized):
            if self.drive_may_refuse:
                return None
            raise
        if file.get("trashed"):
            raise Unfit(f"the file '{file.get('name')}' is in the trash: take it out again")
        return file.get("modifiedTime") or None

    def about(self, spreadsheet: str) -> dict[str, Any]:
        """What the spreadsheet says of itself and its tabs."""
        found: dict[str, Any] = self.sheets.get(
            f"/spreadsheets/{quote(spreadsheet, safe='')}",
            {"fields": _SHEETS},
            check=lambda body: None if body["properties"] and body["sheets"] else "it has no tabs",
        ).json
        return found

    def tab(self, spreadsheet: str, source: Sheet) -> Tab:
        """Raises Unfit for a tab that there is not."""
        about = self.about(spreadsheet)
        for sheet in about["sheets"]:
            properties = sheet["properties"]
            if properties["title"] != source.tab:
                continue
            grid = properties.get("gridProperties") or {}
            whole = about["properties"]
            zone = str(whole.get("timeZone") or "Etc/GMT")
            return Tab(
                properties["title"],
                int(properties["sheetId"]),
                int(grid.get("rowCount", 0)),
                int(grid.get("columnCount", 0)),
                tuple(_columns_merged(sheet.get("merges") or ())),
                _manner(str(whole.get("locale") or "en_US"), zone),
                zone,
            )
        there = ", ".join(f"'{sheet['properties']['title']}'" for sheet in about["sheets"])
        raise Unfit(f"it has no tab '{source.tab}': there are {there}. Name the tab so again")

    def header(self, spreadsheet: str, source: Sheet) -> Cells:
        """The row of headers. Raises BadRequest for a tab that there is not."""
        row = source.header_row
        [first, *_] = self._cells(spreadsheet, source.tab, row, f"{row}:{row}") or [[]]
        return first

    def take(self, spreadsheet: str, source: Sheet, modified: str | None) -> Taken:
        """The tab whole. `modified` is what Drive said before.

        What it has and how large it is are several answers, which are of one tab only if the file
        did not change meanwhile. Where nobody tells, its size has to be the same afterwards, or all
        of it where it took several answers. Raises Unfit for a tab that does not come to rest.
        """
        before: str | None = None
        moved = waited = 0
        while moved < READINGS and waited <= LOADINGS:
            try:
                taken = self._once(spreadsheet, source, modified)
            except BadRequest as error:
                # Rows were deleted since the tab told how many it has.
                if not _BEYOND.search(str(error)):
                    raise
                moved += 1
                continue
            if taken.is_loading:
                waited += 1
                if waited <= LOADINGS:
                    self.sheets.wait_to_ask_again(waited, "formulas are still being calculated")
                continue
            if modified:
                after = self.modified(spreadsheet)
                if after == modified:
                    return taken
                modified = after
            elif len(taken.blocks) == 1:
                # Nobody tells when it changed; its cells are of one moment.
                if self.tab(spreadsheet, source) == taken.tab:
                    return taken
            elif taken.digest == before:
                return taken
            else:
                before = taken.digest
            moved += 1
        why = "some of its formulas show Loading..." if waited > LOADINGS else "it is being edited"
        raise Unfit(f"its tab '{source.tab}' did not come to rest while it was read: {why}")

    def _once(self, spreadsheet: str, source: Sheet, modified: str | None) -> Taken:
        tab = self.tab(spreadsheet, source)
        if tab.rows < source.header_row:
            raise Unfit(f"its tab '{tab.title}' has no row {source.header_row} for the headers")
        header: Cells = ()
        blocks, digest, filled, loading = [], hashlib.sha256(), 0, False
        for start in range(source.header_row, tab.rows + 1, BLOCK):
            end = min(start + BLOCK - 1, tab.rows)
            rows = self._values(spreadsheet, tab, start, end)
            if start == source.header_row:
                header, rows = rows[0], rows[1:]
            filled += sum(not is_blank(row) for row in rows)
            loading = loading or any(is_loading(cell) for row in rows for cell in row)
            packed = json.dumps(rows).encode()
            digest.update(packed)
            blocks.append(zlib.compress(packed, 1))
        digest.update(json.dumps([header]).encode())
        return Taken(tab, header, modified, digest.hexdigest()[:32], filled, loading, blocks)

    def _values(self, spreadsheet: str, tab: Tab, start: int, end: int) -> list[list[str]]:
        """The rows from the one to the other, each as far as it has cells: all of them."""
        last = letters(max(tab.columns, 1))
        rows = self._cells(spreadsheet, tab.title, start, f"A{start}:{last}{end}")
        return rows + [[] for _ in range(end - start + 1 - len(rows))]

    def _cells(self, spreadsheet: str, title: str, start: int, cells: str) -> list[list[str]]:
        """The cells of a range that begins in row `start`."""
        place = f"{_quoted(title)}!{cells}"
        found = self.sheets.get(
            f"/spreadsheets/{quote(spreadsheet, safe='')}/values/{quote(place, safe='')}",
            {"majorDimension": "ROWS", "valueRenderOption": "FORMATTED_VALUE"},
            check=partial(_no_values, start),
        ).json
        return [[_shown(cell) for cell in row] for row in found.get("values", [])]


def _quoted(title: str) -> str:
    name = title.replace("'", "''")
    return f"'{name}'"


def _manner(locale: str, zone: str) -> Manner:
    try:
        return Manner.of(locale, zone)
    except ValueError as error:
        raise Unfit(f"{error}: choose another one in the file's settings") from None


def _shown(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).upper()
    return "" if cell is None else str(cell)


def _no_values(start: int, body: Any) -> str | None:
    """What is wrong with an answer that should have cells; without any it says of which range."""
    if not isinstance(body, dict) or not isinstance(body.get("range"), str):
        return "the answer names no range of cells"
    first = _FIRST.match(body["range"].rpartition("!")[2])
    if first is None or int(first[1]) != start:
        return f"it is of the cells {body['range'][-80:]}, and row {start} was asked for"
    rows = body.get("values", [])
    fits = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    return None if fits else "its cells are no rows"


def _columns_merged(merges: Sequence[Any]) -> Iterator[Merge]:
    """Of the cells that are merged those in a column: what the uppermost shows is said of all."""
    for merge in merges:
        first, end = int(merge.get("startRowIndex", 0)), int(merge.get("endRowIndex", 0))
        if end - first > 1:
            yield int(merge.get("startColumnIndex", 0)), first, end
