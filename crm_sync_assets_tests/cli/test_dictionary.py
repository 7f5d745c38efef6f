"""`crm-sync entities --dictionary` and `--dbt`: every table and column, described."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from psycopg import sql

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.tables import ensure_table, existing_columns, label
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.past import add

__all__ = ["run"]

KEPT = [entity for entity in registry.all_entities().values() if not entity.tombstones_of]


def test_the_dictionary_has_the_columns_that_the_warehouse_gets(
    run: Run, warehouse: Warehouse
) -> None:
    status, out, _ = run("entities", "--dictionary=json")
    assert status == exits.SUCCESS
    described = {table["table"]: table for table in json.loads(out)}
    assert set(described) == {entity.table for entity in KEPT}
    with warehouse.connection() as connection:
        for entity in KEPT:
            ensure_table(connection, entity)
            kept = existing_columns(connection, entity.table)
            assert kept is not None
            columns = described[entity.table]["columns"]
            assert [column["name"] for column in columns] == list(kept)
            assert all(column["description"] for column in columns)


def test_the_dictionary_is_a_page_too(run: Run) -> None:
    status, out, _ = run("entities", "hubspot", "--dictionary")
    assert status == exits.SUCCESS
    assert out.startswith("# Data dictionary\n")
    assert "## `hubspot_contact`" in out
    assert "| `id` | text | key | text from id |" in out
    assert "genius_" not in "".join(line for line in out.splitlines() if line.startswith("## "))


def sources(out: str) -> dict[str, dict[str, Any]]:
    """Table → its entry in a sources.yml."""
    read = yaml.safe_load(out)
    assert read["version"] == 2
    return {table["name"]: table for source in read["sources"] for table in source["tables"]}


def test_dbt_gets_the_keys_as_tests(run: Run) -> None:
    tables = sources(run("entities", "--dbt")[1])
    assert set(tables) == {entity.table for entity in KEPT}
    for entity in KEPT:
        tests = {
            column["name"]: column.get("data_tests", [])
            for column in tables[entity.table]["columns"]
        }
        assert all("not_null" in tests[column.name] for column in entity.key)
        unique = [name for name, of in tests.items() if "unique" in of]
        assert unique == ([entity.key[0].name] if len(entity.key) == 1 else [])


def test_dbt_asks_the_history_how_fresh_a_table_is(
    run: Run, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    """A table in which nothing changed for a year is fresh where the last sync was just now."""
    environment.setenv("CRM_SYNC_HUBSPOT__CONTACTS__FRESH_HOURS", "2.5")
    table = sources(run("entities", "hubspot", "--dbt")[1])["hubspot_contact"]
    assert table["freshness"] == {"warn_after": {"count": 150, "period": "minute"}}
    ended = datetime.now(UTC).replace(microsecond=0)
    add(
        warehouse,
        crm_source="hubspot",
        sync_type="contacts",
        start_time=ended - timedelta(minutes=1),
        end_time=ended,
        watermark=ended - timedelta(minutes=1),
    )
    with warehouse.connection() as connection:
        ensure_table(connection, registry.all_entities()["hubspot.contacts"])
        connection.execute(
            "INSERT INTO hubspot_contact (id, sync_updated_at) VALUES ('1', '2025-01-01')"
        )
        # What dbt makes of it.
        row = connection.execute(
            sql.SQL("SELECT max({}), now() FROM hubspot_contact").format(
                sql.SQL(table["loaded_at_field"])
            )
        ).fetchone()
    assert row is not None
    assert row[0] == ended


def test_labels_are_those_that_syncs_have_told(run: Run, warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        entity = registry.all_entities()["hubspot.deals"]
        ensure_table(connection, entity)
        label(connection, entity, {"amount": "“Deal | size”: in dollars"})
        connection.commit()
    wanted = "decimal from properties.amount; called “Deal | size”: in dollars"
    (deals,) = [
        table
        for table in json.loads(run("entities", "--dictionary=json", "--labels")[1])
        if table["table"] == "hubspot_deal"
    ]
    assert {c["name"]: c["description"] for c in deals["columns"]}["amount"] == wanted
    assert wanted in run("entities", "--dbt", "--labels")[1].replace("\n          ", "")
    page = run("entities", "hubspot", "--dictionary", "--labels")[1]
    assert wanted.replace("|", "\\|") in page
    assert "called" not in run("entities", "hubspot", "--dictionary")[1].partition("amount")[2]
    status, _, err = run("entities", "--labels")
    assert status == exits.USAGE
    assert "--labels goes with" in err


def test_one_form_at_a_time(run: Run) -> None:
    status, out, err = run("entities", "--dbt", "--dictionary")
    assert (status, out) == (exits.USAGE, "")
    assert "not allowed with" in err
