"""Pages of results: what is one, and what its cells are."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.clients.athena.results import problem_of, records_in

COLUMNS = ("id", "name")


def page(*rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"ResultSet": {"Rows": [{"Data": list(row)} for row in rows]}, **more}


def cells(*values: str | None) -> list[dict[str, Any]]:
    return [{} if value is None else {"VarCharValue": value} for value in values]


HEADER = cells("id", "name")


def test_only_the_first_page_begins_with_names() -> None:
    rows = (HEADER, cells("1", "Ann"))
    assert records_in(page(*rows), COLUMNS, is_first=True) == [{"id": "1", "name": "Ann"}]
    # A row may say the same as the header does.
    assert len(records_in(page(*rows), COLUMNS, is_first=False)) == 2


def test_null_is_a_cell_without_a_value() -> None:
    (record,) = records_in(page(cells(None, "")), COLUMNS, is_first=False)
    assert record == {"id": None, "name": ""}


def test_a_result_without_rows_is_its_header() -> None:
    assert problem_of(page(HEADER), COLUMNS, is_first=True) is None
    assert records_in(page(HEADER), COLUMNS, is_first=True) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ResultSet": {}},
        {"ResultSet": {"Rows": None}},
        page(),
        page(cells("1", "Ann")),
        page(cells("name", "id")),
        page(HEADER, cells("1")),
        page(HEADER, cells("1", "Ann", "more")),
        page(HEADER, [{"VarCharValue": 1}, {}]),
        page(HEADER, ["1", "Ann"]),  # type: ignore[list-item]
        page(HEADER, NextToken=""),
        page(HEADER, NextToken=7),
        [],
        None,
    ],
)
def test_what_is_no_first_page_has_a_problem(body: Any) -> None:
    assert problem_of(body, COLUMNS, is_first=True)
