"""Any object that the environment names: an entity made of what the org says of it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from crm_sync_assets.crms.salesforce.described import Described
from crm_sync_assets.crms.salesforce.objects import columns_of
from crm_sync_assets.crms.salesforce.truth import live
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.sandbox.crms.salesforce.world import World
from crm_sync_assets_tests.crms.salesforce.conftest import Bench
from crm_sync_assets_tests.truth import stored_rows

VARIABLE = "CRM_SYNC_SALESFORCE_OBJECTS"


@pytest.fixture
def home(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    environment.setenv("CRM_SYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def both(bench: Bench, home: Path) -> Bench:
    """A bench that knows what both objects have."""
    assert not home.exists()
    bench.environment.setenv(VARIABLE, "Invoice__c, Asset")
    for name in ("invoice__c", "asset"):
        with pytest.raises(UsageError, match="run it again"):
            bench.sync(name)
    return bench


def wrong(bench: Bench, name: str) -> set[str]:
    """Keys of what differs from the truth, by its moment of change."""
    entity = bench.entity(name)
    found = live(entity, bench.sandbox.salesforce.truth)
    assert found is not None
    rows = stored_rows(bench.warehouse, entity)
    here = {(key, row["system_modstamp"]) for key, row in rows.items() if row["deleted_at"] is None}
    return {str(one) for one in here ^ found.records}


@pytest.mark.parametrize(("name", "table"), [("invoice__c", "Invoice__c"), ("asset", "Asset")])
def test_an_object_becomes_a_typed_table_with_a_delta(both: Bench, name: str, table: str) -> None:
    told = both.sync(name)
    assert told.counts.created == told.counts.processed > 0
    assert wrong(both, name) == set()
    both.pass_time(700)
    edited, gone, *_ = both.world.ids(table)
    amount = "Amount__c" if name == "invoice__c" else "Price"
    both.world.edit(table, edited, {amount: 12.5})
    both.world.archive(table, gone)
    both.pass_time(700)
    told = both.sync(name)
    assert told.strategy.name == "incremental"
    assert (told.counts.updated, told.counts.deleted) == (2, 1)
    assert wrong(both, name) == set()
    assert both.rows(name)[edited][amount.lower()] == Decimal("12.5")
    types = {column.name: column.sql for column in both.entity(name).columns}
    assert types["is_deleted"] == "boolean"
    assert types["created_date"] == "timestamptz"
    if name == "invoice__c":
        assert types["due_date__c"] == "date"
        assert types["best_time__c"] == "time"
        assert types["paid__c"] == "boolean"
    else:
        assert types["install_date"] == "date"
        assert types["quantity"] == "numeric"


def test_it_is_an_entity_like_any_other(both: Bench) -> None:
    names = [entity.sync_type for entity in registry.entities("salesforce")]
    assert names[-2:] == ["asset", "invoice__c"]
    entity = registry.entity("salesforce.invoice__c")
    assert entity.table == "salesforce_invoice__c"
    assert registry.selection("salesforce", "invoice__c") == (entity,)
    assert registry.entities("salesforce") is registry.entities("salesforce")
    assert registry.all_active()["salesforce.invoice__c"] is entity
    assert asset_key(entity) == dg.AssetKey(["salesforce", "invoice__c"])
    both.environment.delenv(VARIABLE)
    assert "invoice__c" not in [one.sync_type for one in registry.entities("salesforce")]


def test_a_field_that_appears_is_a_column_filled_for_old_rows(both: Bench) -> None:
    both.sync("asset")
    before = {column.name for column in both.entity("asset").columns}
    world: World = both.world
    world.add_field("Asset", "Score__c", "double", "Score")
    old, *_ = world.ids("Asset")
    world.recalculate("Asset", [old], {"Score__c": 7.5})
    both.pass_time(700)
    # This one asks what there is, and keeps it.
    both.sync("asset")
    assert {column.name for column in both.entity("asset").columns} - before == {"score__c"}
    both.pass_time(700)
    both.sync("asset")
    assert both.rows("asset")[old]["score__c"] == Decimal("7.5")
    assert both.rows("asset")[old]["custom_fields"] is None
    # Hidden later it is a column still, and keeps its value.
    world.hide_field("Asset", "Score__c")
    both.pass_time(700)
    world.edit("Asset", old, {"Name": "Other"})
    both.pass_time(700)
    both.sync("asset")
    row = both.rows("asset")[old]
    assert (row["name"], row["score__c"]) == ("Other", Decimal("7.5"))
    assert {column.name for column in both.entity("asset").columns} - before == {"score__c"}


def test_a_column_keeps_its_type(both: Bench) -> None:
    world: World = both.world
    world.add_field("Asset", "Score__c", "double", "Score")
    both.pass_time(700)
    both.sync("asset")
    world.remove_field("Asset", "Score__c")
    world.add_field("Asset", "Score__c", "string", "Score")
    fits, odd, *_ = world.ids("Asset")
    both.pass_time(700)
    world.edit("Asset", fits, {"Score__c": "12.5"})
    world.edit("Asset", odd, {"Score__c": "much"})
    both.pass_time(700)
    both.sync("asset")
    types = {column.name: column.sql for column in both.entity("asset").columns}
    assert types["score__c"] == "numeric"
    rows = both.rows("asset")
    assert (rows[fits]["score__c"], rows[odd]["score__c"]) == (Decimal("12.5"), None)
    assert [issue["field"] for issue in rows[odd]["sync_issues"]] == ["score__c"]


def test_columns_have_names_of_their_own_that_postgresql_keeps() -> None:
    long = [f"{'A' * 70}{number}__c" for number in range(2)]
    names = ["Id", "SystemModstamp", "DeletedAt", "CustomFields", "Order", "Order__c", *long]
    fields = [{"name": name, "type": "string"} for name in names]
    found = [one.name for one in columns_of(Described.of({"name": "Odd__c", "fields": fields}))]
    assert len(found) == len(set(found)) == len(names)
    assert not {"deleted_at", "custom_fields"} & set(found)
    assert {"order", "order__c"} < set(found)
    assert max(map(len, found)) == 63


@pytest.mark.parametrize(
    ("given", "said"),
    [("Invoice-c", "names 'Invoice-c'"), ("Account", "Account, which is read anyway")],
)
def test_a_name_that_cannot_be_used_is_refused(
    bench: Bench, home: Path, given: str, said: str
) -> None:
    bench.environment.setenv(VARIABLE, given)
    with pytest.raises(UsageError, match=said):
        registry.entities("salesforce")
    assert not home.exists()


def test_an_object_that_the_org_has_not_is_told_by_its_name(bench: Bench, home: Path) -> None:
    bench.environment.setenv(VARIABLE, "Nothing__c")
    with pytest.raises(Exception, match=r"salesforce\.nothing__c"):
        bench.sync("nothing__c")
    assert not list(home.glob("salesforce/*"))
