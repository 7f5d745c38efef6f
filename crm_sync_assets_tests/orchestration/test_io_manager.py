"""The IO manager: what a downstream asset gets, and how it says what it wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import pytest

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.querying import select
from crm_sync_assets_tests.runs import Runs, instance_in, reason
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, person, rows, sync

REPORT = dg.AssetKey("report")


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance)


@pytest.fixture
def stored(warehouse: Warehouse) -> Warehouse:
    """Five people, the last of them deleted at the source."""
    names = ["Ann", "Bob", None, "O'Hara; DROP TABLE x", "Gone"]
    records = [person(n, name=name, balance="1.50") for n, name in enumerate(names)]
    sync(warehouse, FakeClient(records))
    sync(warehouse, FakeClient(tombstones=[Tombstone(("4",))]))
    return warehouse


def loaded(runs: Runs, metadata: dict[str, Any] | None = None) -> pd.DataFrame:
    """What an asset in another run gets of the people."""
    got: list[pd.DataFrame] = []

    @dg.asset(key=REPORT, ins={"people": dg.AssetIn(asset_key(PEOPLE), metadata=metadata)})
    def report(people: Any) -> None:
        got.append(people)

    runs.more_assets = [report]
    result = runs.run(REPORT)
    if not result.success:
        raise LookupError(reason(result))
    return got[0]


def test_an_asset_in_the_same_run_gets_the_rows_of_that_run(runs: Runs) -> None:
    got: list[pd.DataFrame] = []

    @dg.asset(key=REPORT, ins={"people": dg.AssetIn(asset_key(PEOPLE))})
    def report(people: pd.DataFrame) -> None:
        got.append(people)

    runs.more_assets = [report]
    runs.source.client = FakeClient([person(n) for n in range(3)])
    assert runs.run(PEOPLE, REPORT).success
    assert list(got[0]["id"]) == ["0", "1", "2"]
    assert {"name", "modified", "deleted_at", "sync_created_at"} <= set(got[0].columns)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("metadata", "ids"),
    [
        pytest.param(None, "0123", id="live rows"),
        pytest.param({"deleted": True}, "01234", id="deleted ones too"),
        pytest.param({"where": {"name": "Bob"}}, "1", id="a value"),
        pytest.param({"where": {"name": ["Ann", "Bob"]}}, "01", id="one of several values"),
        pytest.param({"where": {"name": None}}, "2", id="no value"),
        pytest.param({"where": {"name": ["Ann", None]}}, "02", id="a value or none"),
        pytest.param({"where": {"name": []}}, "", id="none of none"),
        pytest.param({"where": {"name": "O'Hara; DROP TABLE x"}}, "3", id="an odd value"),
        pytest.param({"where": {"name": "Ann", "id": "1"}}, "", id="two conditions"),
    ],
)
def test_the_inputs_metadata_says_which_rows(
    runs: Runs, metadata: dict[str, Any] | None, ids: str
) -> None:
    assert sorted(loaded(runs, metadata)["id"]) == list(ids)


@pytest.mark.usefixtures("stored")
def test_the_inputs_metadata_says_which_columns(runs: Runs) -> None:
    frame = loaded(runs, {"columns": ["name", "id"], "where": {"id": "0"}})
    assert list(frame.columns) == ["name", "id"]
    assert frame.values.tolist() == [["Ann", "0"]]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "metadata",
    [{"columns": ["nmae"]}, {"where": {"nmae": "Ann"}}, {"columns": ['id"; DROP TABLE x; --']}],
    ids=["column", "condition", "injection"],
)
def test_an_unknown_column_is_a_clear_error(
    runs: Runs, metadata: dict[str, Any], stored: Warehouse
) -> None:
    with pytest.raises(LookupError, match=r"test_people cannot be read as .* column .* not exist"):
        loaded(runs, metadata)
    assert len(rows(stored, "SELECT 1 FROM test_people")) == 5


def test_a_table_that_was_never_synced_is_a_clear_error(runs: Runs) -> None:
    with pytest.raises(LookupError, match=r'relation "test_people" does not exist'):
        loaded(runs)


def test_identifiers_are_quoted(database_url: str) -> None:
    query, values = select('odd "table', {"columns": ['a "b'], "where": {"select": 1}})
    assert values == {"v0": [1]}
    with psycopg.connect(database_url) as connection:
        assert query.as_string(connection) == (
            'SELECT "a ""b" FROM "odd ""table" WHERE deleted_at IS NULL AND "select" = ANY(%(v0)s)'
        )
