"""A sheet as an entity: where it is, what its columns are called there, what makes a row itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crm_sync_assets.crms.gsheet.cells import ODD
from crm_sync_assets.declarations.columns import Column, integer, json, text, timestamp
from crm_sync_assets.declarations.entity import (
    Entity,
    Resweep,
    SourceKind,
    WindowedByModified,
)
from crm_sync_assets.declarations.variables import YEAR

ROW_KEY = "row_key"
RAW = "raw_data"


@dataclass(frozen=True, slots=True)
class Sheet(WindowedByModified):
    """A tab of a spreadsheet, or of one for each year.

    `spreadsheet` is the variable that has its id; where its name has `{year}`, there is a
    spreadsheet for each year that is given. `headers` are what columns are called there, where that
    is not our name: several names are tried in turn. `key` are columns of which a row is known
    again, wherever it stands; without any, or where a row has none of their values, all of its
    declared values are. Of rows that are the same in this the first is known as the first, and so
    on. `header_row` counts from 1; rows begin below it.
    """

    spreadsheet: str
    tab: str
    key: tuple[str, ...] = ()
    headers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, hash=False)
    header_row: int = 1
    modified: str | None = None
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = 10_000

    def __post_init__(self) -> None:
        if self.header_row < 1 or not self.tab.strip():
            raise ValueError(f"{self.tab!r}: a tab has a name, and its rows count from 1")

    @property
    def is_yearly(self) -> bool:
        return YEAR in self.spreadsheet

    def names_of(self, column: str) -> tuple[str, ...]:
        """What a column may be called in the sheet."""
        names = self.headers.get(column, column)
        return (names,) if isinstance(names, str) else names


def sheet(
    name: str,
    *,
    about: str,
    source: Sheet,
    table: str,
    columns: tuple[Column, ...],
    sensitive: bool = False,
    **options: Any,
) -> Entity:
    """The entity of a sheet with these columns of it, and those that every sheet has.

    `sensitive` says that a row as a whole is. The options are those of `Entity`. Raises ValueError
    for a key or a header of no column, and for a column that would not be filled from its header.
    """
    known = {column.name for column in columns}
    unknown = sorted({*source.key, *source.headers} - known)
    if unknown:
        raise ValueError(f"{name}: no column is called {', '.join(unknown)}")
    if taken := sorted(known & _own(source)):
        raise ValueError(
            f"{name}: every such table has {', '.join(taken)} of its own: call the column another "
            "name, and give its header in `headers`"
        )
    if placed := [column.name for column in columns if column.at is not None or column.key]:
        raise ValueError(
            f"{name}: {', '.join(placed)}: a sheet's header is given in `headers`, not by `at`, "
            "and what its rows are known by in `key`"
        )
    return Entity(
        name,
        about=about,
        source=source,
        table=table,
        columns=(
            text(ROW_KEY, key=True, about="of what makes the row itself, wherever it stands"),
            *(_of_a_year() if source.is_yearly else ()),
            integer("sheet_row_number", default=0, about="where the row stands now"),
            replace(
                timestamp("sheet_last_modified", about="of the file, when the row was stored"),
                follows=True,
            ),
            *map(_of_a_cell, columns),
            json(
                RAW, default={}, sensitive=sensitive, about="every cell of the row, by its header"
            ),
        ),
        absent="deleted",
        at_once=True,
        # Formulas are calculated anew without a word.
        resweeps=(Resweep("daily"),),
        **options,
    )


def cells_of(entity: Entity) -> tuple[Column, ...]:
    """Of an entity's columns those that are cells of the sheet."""
    assert isinstance(entity.source, Sheet)
    own = _own(entity.source)
    return tuple(column for column in entity.columns if column.name not in own)


def _own(source: Sheet) -> set[str]:
    """The columns of a sheet's table that are no cells."""
    of_a_year = {"id", "year"} if source.is_yearly else set()
    return {ROW_KEY, *of_a_year, "sheet_row_number", "sheet_last_modified", RAW}


def _of_a_year() -> tuple[Column, ...]:
    return (
        text("id", default="", about="year and row number: where the row stands now"),
        integer("year", default=0),
    )


def _of_a_cell(column: Column) -> Column:
    """The column, which takes what `cells` found odd for unreadable, with the reason."""

    def parse(value: Any) -> Any:
        if isinstance(value, dict) and ODD in value:
            raise ValueError(str(value[ODD]))
        return column.parse(value)

    return replace(column, parse=parse)
