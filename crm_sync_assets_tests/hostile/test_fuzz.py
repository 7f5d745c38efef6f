"""Whatever JSON or a database driver can say becomes a row or a failure, and the same one again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.loading import Table, load
from crm_sync_assets.warehouse.tables import ensure_table

EXAMPLES = int(os.environ.get("CRM_SYNC_TEST_EXAMPLES", "60"))
"""Always the same few; `CRM_SYNC_TEST_EXAMPLES=5000` looks for what nobody thought of."""

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
TOLD = st.sampled_from(
    [
        "", " ", "null", "true", "0", "-0", "1.50", "1e3", "12,50", "NaN", "1e400", "1.0", "0x1f",
        "0000-00-00", "2022-11-00", "20000-01-01", "0001-01-01T00:00:00+14:00", "1700000000000",
        "2026-01-01T00:00:00.123456789Z", "23:59:60", "24:00", "838:59:59", "-838:59:59",
        "[1, 2.0, -0.0]", '{"a": 1e400, "a": "\\u0000"}', "a;b;;c", "1;\x00;2", "{", "[" * 300,
        "Núñez", "Nu\u0301n\u0303ez", "a@b.example", "=1+1", "'; DROP TABLE x; --", "\ud800\udc00",
    ]
)  # fmt: skip
NUMBERS = (
    st.integers()
    | st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 10**1_100])
    | st.floats()
    | st.decimals(places=3, allow_nan=False, allow_infinity=False)
)
LEAVES = st.none() | st.booleans() | NUMBERS | ANY_TEXT | TOLD
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | TOLD, inner, max_size=3),
    max_leaves=6,
)
DRIVER = (
    LEAVES
    | st.binary(max_size=9)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(
        [datetime.max, datetime.min, date.max, date.min, time.max, timedelta.max, timedelta.min]
    )
)


def records(entity: Entity, values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Record]]:
    """Up to eight records of few keys, with something in some of their fields."""
    root = entity.source.root
    names = [
        column.path(root).removeprefix(root)
        for column in entity.columns
        if column.kind != "rest" and not column.key and not callable(column.at)
    ]
    numbers = entity.key[0].sql == "bigint"
    keys = st.sampled_from([1, 2, 3] if numbers else ["1", "2", 3]) | values
    fields = st.dictionaries(st.sampled_from(names) | ANY_TEXT, values, max_size=8)

    def record(key: Any, inner: dict[str, Any], outer: dict[str, Any]) -> Record:
        key_name = entity.key[0].path("")
        if not root:
            return {**inner, **outer, key_name: key}
        return {**outer, root.rstrip("."): inner, key_name: key}

    top = st.dictionaries(st.sampled_from(["archived", "archivedAt", "x"]), values, max_size=2)
    return st.lists(st.builds(record, keys, fields, top), min_size=1, max_size=8)


def check(connection: Connection, entity: Entity, sent: Sequence[Record]) -> None:
    batch = Processor(entity).process(sent)
    assert len(batch.rows) + len(batch.failures) == len(sent)
    quarantine.add(connection, entity, None, batch.failures)
    assert len(quarantine.entries(connection)) <= len(batch.failures)
    table = Table(entity, overwrite=False, keep_issues=False)
    rows = table.newest_per_key(batch.rows)
    first, rejected = _load(connection, table, rows)
    assert first.add_up
    assert first.processed == len(rows)
    assert first.created == len(rows) - len(rejected)
    stored = connection.execute(
        sql.SQL("SELECT * FROM {}").format(sql.Identifier(entity.table))
    ).fetchall()
    assert len(stored) == first.created, "what is stored is read back without an error"
    refused = [one.row for one in rejected]
    again, _ = _load(
        connection,
        table,
        table.newest_per_key(Processor(entity).process(sent).rows),
    )
    assert again == Counts(
        processed=len(rows), unchanged=len(rows) - len(refused), failed=len(refused)
    )


def _load(connection: Connection, table: Table, rows: Sequence[Any]) -> tuple[Counts, list[Any]]:
    if not rows:
        return Counts(), []
    return load(connection, table, rows, target=table.target, fresh_stage=False)


CASES = {
    "hubspot.contacts": TREES,
    "genius.jobs": DRIVER,
    "genius.appointments": DRIVER,
    "hubspot.appointments": TREES,
}


@pytest.mark.parametrize("name", CASES)
def test_anything_is_a_row_or_a_failure_and_the_same_one_the_next_time(
    warehouse: Warehouse, name: str
) -> None:
    """Nothing raises, counts add up, stored values are read back, and a second load changes none.

    A value that PostgreSQL gives back in another form than it was given (1.50, -0, the order of
    keys) must not look changed for ever.
    """
    entity = registry.entity(name)
    with warehouse.connection() as connection:
        ensure_table(connection, entity)
        connection.execute(Table(entity, overwrite=False, keep_issues=False).create_stage())
        connection.commit()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=EXAMPLES <= 60,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(records(entity, CASES[name]))
        def try_all(sent: list[Record]) -> None:
            try:
                # `entries` commits, so the tables are emptied rather than rolled back to.
                check(connection, entity, sent)
            finally:
                connection.rollback()
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(entity.table)))
                connection.execute("DELETE FROM ingestion_quarantine")
                connection.commit()

        try_all()


def test_a_decimal_keeps_its_value_and_a_moment_its_microsecond(warehouse: Warehouse) -> None:
    """What a repeated load compares: two spellings of one value are one value."""
    entity = registry.entity("hubspot.contacts")
    table = Table(entity, overwrite=True, keep_issues=False)
    spellings = [
        {"price": "1.50", "lead_sourced_on": "2026-01-01T00:00:00.1234567Z", "odd": [1.0, 2]},
        {"price": "1.5", "lead_sourced_on": "2026-01-01T00:00:00.123456Z", "odd": [1, 2.0]},
        {"price": "$1.500", "lead_sourced_on": "2025-12-31T19:00:00.123456-05:00", "odd": [1, 2]},
        {"odd": [1, 2], "lead_sourced_on": "2026-01-01 00:00:00.123456", "price": Decimal("1.5")},
    ]
    with warehouse.connection() as connection:
        ensure_table(connection, entity)
        connection.execute(table.create_stage())
        counts = []
        for properties in spellings:
            (row,) = (
                Processor(entity, validate=False)
                .process([{"id": "1", "properties": properties}])
                .rows
            )
            counts.append(_load(connection, table, [row])[0])
        composed = {"id": "1", "properties": {**spellings[0], "city": "\u00e9"}}
        other = {"id": "1", "properties": {**spellings[0], "city": "e\u0301"}}
        for record, updated in ((composed, 1), (other, 1), (other, 0)):
            (row,) = Processor(entity, validate=False).process([record]).rows
            assert _load(connection, table, [row])[0].updated == updated
    assert [(c.created, c.unchanged) for c in counts] == [(1, 0), (0, 1), (0, 1), (0, 1)]
