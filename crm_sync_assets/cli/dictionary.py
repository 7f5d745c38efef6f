"""The data dictionary: every table and column, what it holds and where that comes from.

Read from the declarations, so that it needs no warehouse but for labels: as Markdown or JSON for
people, as the sources of a dbt project for models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from psycopg import sql

from crm_sync_assets.cli.markdown import cell
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.alert_rules import expected_every
from crm_sync_assets.warehouse import schemas
from crm_sync_assets.warehouse.comments import Labels, labelled
from crm_sync_assets.warehouse.tables import system_columns

Table = dict[str, Any]


def tables(entities: Sequence[Entity], labels: Labels | None = None) -> list[Table]:
    """One dict per table: its name, entity, meaning, key and columns.

    A column is {"name", "type", "description", "nullable", "sensitive"}; the type is PostgreSQL's,
    that of an encrypted column is text. Entities that only mark rows of another have no table.
    `labels` are what sources call their fields.
    """
    return [
        {
            "table": entity.table,
            "entity": entity.name,
            "description": entity.about,
            "key": [column.name for column in entity.key],
            "columns": list(_columns(entity, (labels or {}).get(entity.table, {}))),
        }
        for entity in entities
        if not entity.tombstones_of
    ]


def _columns(entity: Entity, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for column in entity.columns:
        yield {
            "name": column.name,
            "type": column.sql,
            "description": labelled(
                column.described(entity.source.root), labels.get(column.name, "")
            ),
            "nullable": column.nullable,
            "sensitive": column.sensitive,
        }
    for name, (kind, about) in system_columns(entity).items():
        yield {
            "name": name,
            "type": kind,
            "description": about,
            "nullable": True,
            "sensitive": False,
        }


def markdown(entities: Sequence[Entity], labels: Labels | None = None) -> str:
    """A page with a heading and a table of columns per warehouse table."""
    lines = ["# Data dictionary"]
    for table in tables(entities, labels):
        lines += ["", f"## `{table['table']}`", "", table["description"], ""]
        lines += ["| column | type | | what it holds |", "|---|---|---|---|"]
        lines += [
            f"| `{column['name']}` | {column['type']} | {_marks(table, column)} | "
            f"{cell(column['description'])} |"
            for column in table["columns"]
        ]
    return "\n".join([*lines, ""])


def _marks(table: Table, column: dict[str, Any]) -> str:
    marks = [
        ("key", column["name"] in table["key"]),
        ("sensitive", column["sensitive"]),
        ("never NULL", not column["nullable"] and column["name"] not in table["key"]),
    ]
    return ", ".join(mark for mark, holds in marks if holds)


def dbt(entities: Sequence[Entity], schema: str | None = None, labels: Labels | None = None) -> str:
    """A sources.yml for dbt 1.8 or newer: one source per CRM, with descriptions, tests, freshness.

    `schema` is the warehouse's own one, if it has one.

    A quiet table is not stale: freshness asks SyncHistory for the last complete sync, not the rows
    for their last change. https://docs.getdbt.com/reference/source-properties
    """
    by_name = {entity.name: entity for entity in entities}
    sources: dict[str, dict[str, Any]] = {}
    for table in tables(entities, labels):
        entity = by_name[table["entity"]]
        source = sources.setdefault(
            entity.crm,
            {
                "name": entity.crm,
                "description": f"{registry.crms()[entity.crm].title}, as crm_sync_assets keeps it",
                "schema": schema or "public",
                "tables": [],
            },
        )
        source["tables"].append(_dbt_table(entity, table, schema))
    written: str = yaml.safe_dump(
        {"version": 2, "sources": list(sources.values())}, sort_keys=False, allow_unicode=True
    )
    return written


def _dbt_table(entity: Entity, table: Table, schema: str | None) -> dict[str, Any]:
    return {
        "name": table["table"],
        "description": table["description"],
        **_freshness(entity, schema),
        "columns": [
            {
                "name": column["name"],
                "description": column["description"],
                "data_type": column["type"],
                **({"data_tests": tests} if (tests := _tests(table, column)) else {}),
            }
            for column in table["columns"]
        ],
    }


def _tests(table: Table, column: dict[str, Any]) -> list[str]:
    if column["nullable"]:
        return []
    return ["not_null", "unique"] if table["key"] == [column["name"]] else ["not_null"]


def _freshness(entity: Entity, schema: str | None) -> dict[str, Any]:
    expected = expected_every(entity, settings_for(registry.crms()[entity.crm], entity))
    if expected is None:
        return {}
    # dbt puts the expression into `SELECT max(…) FROM the table`.
    completed = sql.SQL(
        "(SELECT max(end_time) FROM {} WHERE crm_source = {} "
        "AND sync_type = {} AND status IN ('success', 'partial') AND watermark IS NOT NULL)"
    ).format(_history(schema), sql.Literal(entity.crm), sql.Literal(entity.sync_type))
    minutes = max(1, round(expected.total_seconds() / 60))
    return {
        "loaded_at_field": completed.as_string(),
        "freshness": {"warn_after": {"count": minutes, "period": "minute"}},
    }


def _history(schema: str | None) -> sql.Identifier:
    """dbt's sessions have a search path of their own."""
    name = "ingestion_sync_history"
    return sql.Identifier(schemas.internal(schema), name) if schema else sql.Identifier(name)
