"""`crm-sync sql`: it answers, and it only reads."""

from __future__ import annotations

import json

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.past import add

__all__ = ["run"]


def test_rows_are_a_table_or_json(run: Run, warehouse: Warehouse) -> None:
    add(warehouse, sync_type="people")
    add(warehouse, sync_type="things")
    query = "SELECT sync_type, count(*) AS syncs FROM ingestion_sync_history GROUP BY 1 ORDER BY 1"
    status, out, _ = run("sql", query)
    assert status == exits.SUCCESS
    assert [line.split() for line in out.splitlines()] == [
        ["sync_type", "syncs"],
        ["people", "1"],
        ["things", "1"],
    ]
    assert json.loads(run("sql", query, "--json")[1])[0] == {"sync_type": "people", "syncs": 1}
    assert "more than 1 rows" in run("sql", query, "--limit=1")[1]
    assert run("sql", "SELECT 1 WHERE false")[1] == "no rows\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "does not exist"),
        ("DELETE FROM ingestion_sync_history", "read-only"),
        ("COMMIT; DELETE FROM ingestion_sync_history", "multiple commands"),
    ],
    ids=["misspelt", "no_table", "writes", "two_statements"],
)
def test_what_is_no_question_is_one_line_and_changes_nothing(
    run: Run, warehouse: Warehouse, query: str, said: str
) -> None:
    add(warehouse)
    status, out, err = run("sql", query)
    assert (status, out) == (exits.USAGE, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert json.loads(run("sql", "SELECT 1 AS n FROM ingestion_sync_history", "--json")[1])
