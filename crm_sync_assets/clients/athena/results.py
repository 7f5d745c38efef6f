"""A page of a query's result: whole, with the columns that were asked for, NULL apart from ''."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_sync_assets.declarations.entity import Record


def problem_of(body: Any, columns: Sequence[str], *, is_first: bool) -> str | None:
    """What keeps this from being a page of such a result; None if nothing does.

    The first page begins with a row of the columns' names, and no other has one.
    """
    found = body.get("ResultSet") if isinstance(body, dict) else None
    rows = found.get("Rows") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        return "the answer has no rows of a result"
    if any(not _is_row(row, len(columns)) for row in rows):
        return f"a row has not the {len(columns)} values that were asked for"
    if is_first and (not rows or [_cell(cell) for cell in rows[0]["Data"]] != [*columns]):
        return "the first page does not begin with the names of the columns that were asked for"
    token = body.get("NextToken")
    if token is not None and (not isinstance(token, str) or not token):
        return "what leads to the next page is no text"
    return None


def records_in(body: Any, columns: Sequence[str], *, is_first: bool) -> list[Record]:
    """A record for each row of a page that has no problem, by column name."""
    rows = body["ResultSet"]["Rows"]
    return [
        dict(zip(columns, map(_cell, row["Data"]), strict=True))
        for row in (rows[1:] if is_first else rows)
    ]


def _is_row(row: Any, width: int) -> bool:
    cells = row.get("Data") if isinstance(row, dict) else None
    return isinstance(cells, list) and len(cells) == width and all(map(_is_cell, cells))


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, dict) and isinstance(cell.get("VarCharValue", ""), str)


def _cell(cell: Any) -> str | None:
    """The text of a cell; one that is NULL has none."""
    value: str | None = cell.get("VarCharValue")
    return value
