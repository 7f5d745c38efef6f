"""Rows of a tab as records: each with what it is known by, where it stands, and what it means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm_sync_assets.crms.gsheet.cells import ODD, UNTICKED, Manner
from crm_sync_assets.crms.gsheet.layout import Layout, letters
from crm_sync_assets.crms.gsheet.order import is_twofold
from crm_sync_assets.crms.gsheet.sources import RAW, ROW_KEY, Sheet
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Record

Cells = Sequence[str]
Merge = tuple[int, int, int]
"""A column and its rows, from the first to before the last, all counted from 0."""


class Identity:
    """What the rows of one sheet are known by, whichever row they stand in; see `Sheet.key`.

    `label` tells the sheet from the others of its entity; `numbers` are columns of decimals, which
    are the same however many digits are shown of them.
    """

    def __init__(self, label: str, key: Sequence[str], numbers: Collection[str] = ()) -> None:
        self._head = f"{label}-" if label else ""
        self._key, self._numbers = key, numbers
        self._times: dict[str, int] = {}

    def of(self, values: Mapping[str, Any]) -> str:
        """The key of the next row, which has these values by our columns' names."""
        named = {name: values.get(name) for name in self._key}
        if not any(value is not None for value in named.values()):
            named = dict(values)
        # What is empty says nothing: a column that comes empty changes no key.
        parts = {
            name: _normal(value, is_number=name in self._numbers)
            for name, value in named.items()
            if value is not None
        }
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]
        times = self._times[digest] = self._times.get(digest, 0) + 1
        return f"{self._head}{digest}" + (f"-{times}" if times > 1 else "")


def _normal(value: Any, *, is_number: bool) -> str:
    if isinstance(value, str):
        if is_number:
            return format(Decimal(value).normalize(), "f")
        return " ".join(value.split()).casefold()
    return json.dumps(value, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Rows:
    """Makes records of a tab's cells; `modified` is the file's, where that is known.

    Dates in `doubted` columns are only read where they can be nothing else.
    """

    label: str
    source: Sheet
    columns: Sequence[Column]
    layout: Layout
    manner: Manner
    modified: str | None
    merges: Sequence[Merge] = ()
    doubted: frozenset[str] = frozenset()

    def records(self, rows: Iterable[Cells]) -> Iterator[Record]:
        """A record for each row that is not blank; `rows` are all below the header, in order."""
        numbers = {column.name for column in self.columns if column.sql == "numeric"}
        identity = Identity(self.label, self.source.key, numbers)
        merged: dict[Merge, str] = {}
        for number, cells in enumerate(rows, start=self.source.header_row + 1):
            if is_blank(cells):
                continue
            full = self._unmerged(number, cells, merged) if self.merges else cells
            values = {
                column.name: self._value(column, _at(full, self.layout.places[column.name]))
                for column in self.columns
                if column.name in self.layout.places
            }
            record: Record = {
                **values,
                ROW_KEY: identity.of(values),
                "sheet_row_number": number,
                "sheet_last_modified": self.modified,
                RAW: self._raw(full),
            }
            if self.source.is_yearly:
                record |= {"id": f"{self.label}-{number}", "year": int(self.label)}
            yield record

    def _value(self, column: Column, shown: str) -> Any:
        if column.name in self.doubted and is_twofold(shown, self.manner):
            return {ODD: f"could be two days: its column is not written as {self.manner.locale} is"}
        return self.manner.value(shown, column.sql)

    def _raw(self, cells: Cells) -> dict[str, str]:
        names = self.layout.names
        return {
            names[place] if place < len(names) else f"column_{letters(place + 1)}": cell
            for place, cell in enumerate(cells)
            if cell != ""
        }

    def _unmerged(self, number: int, cells: Cells, merged: dict[Merge, str]) -> list[str]:
        """The cells with what the uppermost of a merged column shows for all of them."""
        full = list(cells)
        for merge in self.merges:
            column, first, end = merge
            if not first <= number - 1 < end:
                continue
            if number - 1 == first:
                merged[merge] = _at(cells, column)
            elif not _at(cells, column):
                full += [""] * (column + 1 - len(full))
                full[column] = merged.get(merge, "")
        return full


def is_blank(cells: Cells) -> bool:
    """Whether nobody has written anything: boxes to be ticked are there before there is a row."""
    return not any((bare := cell.strip()) and bare.lower() not in UNTICKED for cell in cells)


def _at(cells: Cells, place: int) -> str:
    return cells[place] if place < len(cells) else ""
