"""The spreadsheets: grids of cells with headers that people move, rename and sort."""

import hashlib
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.gsheet.knobs import GSheetKnobs
from crm_sync_assets.sandbox.crms.gsheet.shown import Value, bare, shown
from crm_sync_assets.sandbox.crms.gsheet.values import COLUMNS, LEADS, SPENDS, lead, spend

LAST_YEAR = 2025
SPARE_ROWS, SPARE_COLUMNS = 5, 2
Row = dict[str, Any]


@dataclass
class Column:
    """A column of a tab: `name` is what it was in the beginning, and tells what it holds."""

    name: str
    header: str
    kind: str


@dataclass
class Line:
    """A row that is somebody's, wherever it stands; `values` by the columns' names."""

    id: str
    values: dict[str, Value]


@dataclass
class Book:
    """A spreadsheet with one tab of interest; another one is empty."""

    id: str
    title: str
    tab: str
    year: int | None
    columns: list[Column]
    lines: list[Line]
    modified: int
    version: int = 1
    locale: str = "en_US"
    zone: str = "America/New_York"
    is_trashed: bool = False
    is_shared: bool = True
    merges: list[dict[str, int]] = field(default_factory=list)
    spare: int = SPARE_ROWS

    @property
    def row_count(self) -> int:
        return 1 + len(self.lines) + self.spare

    @property
    def column_count(self) -> int:
        return len(self.columns) + SPARE_COLUMNS

    def grid(self, *, formatted: bool = True) -> list[list[Any]]:
        """The header and every row, to the last cell that is filled."""
        show = shown if formatted else bare
        rows: list[list[Any]] = [[column.header for column in self.columns]]
        for line in self.lines:
            cells = (line.values.get(column.name) for column in self.columns)
            pairs = zip(self.columns, cells, strict=True)
            rows.append([show(column.kind, value, self.locale) for column, value in pairs])
        return [_without_trailing(row) for row in rows]

    def find(self, id: str) -> Line:
        """LookupError when no row is that."""
        for line in self.lines:
            if line.id == id:
                return line
        raise LookupError(f"no row {id!r} in {self.title}")

    def column(self, name: str) -> Column:
        """A column by what it was called in the beginning, or is now."""
        for column in self.columns:
            if name in (column.name, column.header):
                return column
        raise LookupError(f"no column {name!r} in {self.title}")


def _without_trailing(row: list[Any]) -> list[Any]:
    end = len(row)
    while end and row[end - 1] == "":
        end -= 1
    return row[:end]


class World:
    """Books by their names: a year, or `spends`. Safe to use from any thread.

    Every change takes the sandbox clock as the file's date, one millisecond more when that would
    not be later. Operations raise LookupError on what there is not.
    """

    def __init__(
        self, stage: Stage, knobs: GSheetKnobs, leads: int, years: int, spends: int
    ) -> None:
        self.clock, self.seed, self.knobs = stage.clock, stage.seed, knobs
        self._counts = leads, years, spends
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        leads, years, spends = self._counts
        with self.lock:
            self._next = 1
            self.books: dict[str, Book] = {}
            for year in range(LAST_YEAR - years + 1, LAST_YEAR + 1):
                rows = [dict(lead(self.seed, year, n)) for n in range(leads)]
                self._book(str(year), f"Leads {year}", LEADS, year, rows)
            rows = [dict(spend(self.seed, n)) for n in range(spends)]
            self._book("spends", "Marketing Spend", SPENDS, None, rows)

    def _book(self, name: str, title: str, tab: str, year: int | None, rows: list[Row]) -> None:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).hexdigest()
        columns = [Column(header, header, kind) for header, kind in COLUMNS[tab].items()]
        lines = [Line(self._id(), row) for row in rows]
        modified = 1_700_000_000_000 + len(self.books)
        self.books[name] = Book(f"1{digest[:43]}", title, tab, year, columns, lines, modified)

    def _id(self) -> str:
        self._next += 1
        return f"r{self._next}"

    def book(self, name: str | int) -> Book:
        if str(name) not in self.books:
            raise LookupError(f"no spreadsheet {name!r}, have {list(self.books)}")
        return self.books[str(name)]

    def book_of(self, id: str) -> Book | None:
        """The book that has this spreadsheet's id."""
        return next((book for book in self.books.values() if book.id == id), None)

    def where(self, id: str) -> str:
        """The name of the book that a row is in."""
        for name, book in self.books.items():
            if any(line.id == id for line in book.lines):
                return name
        raise LookupError(f"no row {id!r}")

    def ids(self, what: str) -> list[str]:
        """The rows of the books of a kind that are not blank, in their order: leads or spends."""
        with self.lock:
            return [line.id for book in self._of(what) for line in book.lines if _is_filled(line)]

    def _of(self, what: str) -> list[Book]:
        wanted = {"marketing_leads": True, "marketing_spends": False}
        if what not in wanted:
            raise LookupError(f"no kind {what!r}, have {list(wanted)}")
        return [book for book in self.books.values() if (book.year is not None) == wanted[what]]

    def _changed(self, book: Book) -> None:
        book.modified = max(self.clock.now_ms(), book.modified + 1)
        book.version += 1

    # -- rows ------------------------------------------------------------------------------------

    def create(
        self, book: str | int, values: Mapping[str, Value] | None = None, at: int | None = None
    ) -> str:
        """A new row, at the end or before the row of that index; its name."""
        with self.lock:
            found = self.book(book)
            number = self._next
            fresh = (
                spend(self.seed, 10_000 + number)
                if found.year is None
                else lead(self.seed, found.year, 10_000 + number)
            )
            line = Line(self._id(), {**fresh, **(values or {})})
            found.lines.insert(len(found.lines) if at is None else at, line)
            self._changed(found)
            return line.id

    def edit(self, id: str, values: Mapping[str, Value]) -> None:
        """Set cells of a row, or clear them with None."""
        with self.lock:
            book = self.book(self.where(id))
            book.find(id).values.update(values)
            self._changed(book)

    def recalculate(self, id: str, values: Mapping[str, Value]) -> None:
        """The same, as a formula does it: nothing tells that the file has changed."""
        with self.lock:
            self.book(self.where(id)).find(id).values.update(values)

    def clear(self, id: str) -> None:
        """Empty a row, which stays where it is."""
        with self.lock:
            book = self.book(self.where(id))
            book.find(id).values.clear()
            self._changed(book)

    def delete(self, id: str) -> None:
        """Delete a row: those below it move up, and the grid is smaller."""
        with self.lock:
            book = self.book(self.where(id))
            book.lines.remove(book.find(id))
            self._changed(book)

    def copy(self, id: str) -> str:
        """The same row once more, at the end."""
        with self.lock:
            name = self.where(id)
            return self.create(name, dict(self.book(name).find(id).values))

    def blank(self, book: str | int, at: int) -> None:
        """Insert a blank row before the row of that index."""
        with self.lock:
            found = self.book(book)
            found.lines.insert(at, Line(self._id(), {}))
            self._changed(found)

    def sort(self, book: str | int, column: str, *, descending: bool = False) -> None:
        """Sort all rows by a column; blank rows go to the end."""
        with self.lock:
            found = self.book(book)
            name = found.column(column).name
            lines = [line for line in found.lines if _is_filled(line)]
            lines.sort(key=lambda line: str(line.values.get(name) or ""), reverse=descending)
            found.lines = lines + [line for line in found.lines if not _is_filled(line)]
            self._changed(found)

    # -- columns, and the file itself ------------------------------------------------------------

    def rename(self, book: str | int, column: str, header: str) -> None:
        """Another header over a column."""
        with self.lock:
            found = self.book(book)
            found.column(column).header = header
            self._changed(found)

    def insert_column(self, book: str | int, at: int, header: str, value: str = "new") -> None:
        """A column of text before that index, filled."""
        with self.lock:
            found = self.book(book)
            name = f"{header}/{found.version}"
            found.columns.insert(at, Column(name, header, "text"))
            for line in found.lines:
                if _is_filled(line):
                    line.values[name] = value
            self._changed(found)

    def move_column(self, book: str | int, column: str, at: int) -> None:
        """A column to another place."""
        with self.lock:
            found = self.book(book)
            one = found.column(column)
            found.columns.remove(one)
            found.columns.insert(at, one)
            self._changed(found)

    def set(self, book: str | int, **properties: Any) -> None:
        """Set what a book is: locale, zone, tab, is_trashed, is_shared, merges, spare."""
        with self.lock:
            found = self.book(book)
            for name, value in properties.items():
                if not hasattr(found, name):
                    raise LookupError(f"a spreadsheet has no {name}")
                setattr(found, name, value)
            self._changed(found)

    def touch(self, book: str | int) -> None:
        """Something changes in another tab of the file."""
        with self.lock:
            self._changed(self.book(book))

    # -- what there is ---------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[Row]:
        """Every row that is not blank: {"id", "year", "row", "header", "cells", "values", …}.

        `cells` are as the sheet shows them; `values` by the columns' first names, as their kinds
        have them: local times without a zone, decimals, true or false.
        """
        for book in self._of(what):
            with self.lock:
                grid = book.grid()
                lines = list(book.lines)
                values = [dict(line.values) for line in lines]
            for number, (line, cells) in enumerate(zip(lines, grid[1:], strict=True), start=2):
                if cells:
                    yield {
                        "id": line.id,
                        "year": book.year,
                        "row": number,
                        "header": grid[0],
                        "cells": cells,
                        "values": values[number - 2],
                        "locale": book.locale,
                        "zone": book.zone,
                        "modified": iso(book.modified),
                    }

    # -- a life of its own -----------------------------------------------------------------------

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes, described one line each."""
        with self.lock:
            rng = random.Random(f"{self.seed}/{seed}/gsheet")
            return [self._moved(rng) for _ in range(n)]

    def _moved(self, rng: random.Random) -> str:
        name = rng.choice(list(self.books))
        book = self.books[name]
        filled = [line.id for line in book.lines if _is_filled(line)]
        [act] = rng.choices(("edit", "create", "insert", "clear", "sort"), (10, 4, 3, 1, 1))
        if act == "sort":
            self.sort(name, rng.choice(book.columns).name, descending=rng.random() < 0.5)
        elif act in ("create", "insert") or len(filled) < 10:
            self.create(name, at=rng.randrange(len(book.lines) + 1) if act == "insert" else None)
        elif act == "clear":
            self.clear(rng.choice(filled))
        else:
            self.edit(rng.choice(filled), _some_changes(book.columns, rng))
        return f"{act} {name}"


def _some_changes(columns: Sequence[Column], rng: random.Random) -> dict[str, Value]:
    texts = [column.name for column in columns if column.kind == "text"]
    return {rng.choice(texts): rng.choice(("one", "two", None, {"shown": "#N/A"}))}


def _is_filled(line: Line) -> bool:
    return any(value not in (None, "") for value in line.values.values())
