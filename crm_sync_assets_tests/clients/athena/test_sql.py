"""Statements: every name and value quoted, moments to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crm_sync_assets.clients.athena.sql import Select, identifier, literal, moment

AT = datetime(2026, 11, 20, 17, 0, 0, 123_999, UTC)


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a;b", "1a", "a.b", "ä", "a" * 129])
def test_what_is_no_name_is_not_quoted(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        identifier(name)


def test_a_value_cannot_end_its_quotation() -> None:
    assert literal("O'Neil' OR ''='") == "'O''Neil'' OR ''''='''"


def test_a_moment_is_utc_and_never_later_than_it_is() -> None:
    assert moment(AT) == "TIMESTAMP '2026-11-20 17:00:00.123'"
    there = AT.astimezone(timezone(timedelta(hours=-8)))
    assert moment(there) == moment(AT)


def test_a_table_is_read_in_the_order_of_its_changes_undated_rows_first() -> None:
    select = Select("db", "customer", ("id", "name", "updated_at"), "updated_at", ("id",))
    assert str(select) == (
        'SELECT "id", "name", "updated_at" FROM "db"."customer" '
        'ORDER BY "updated_at" NULLS FIRST, "id"'
    )


def test_a_window_has_its_first_moment_and_ends_before_its_last() -> None:
    select = Select(
        "db", "customer", ("id",), "updated_at", ("id",), since=AT, until=AT + timedelta(days=1)
    )
    assert "WHERE \"updated_at\" >= TIMESTAMP '2026-11-20 17:00:00.123'" in str(select)
    # A row of the millisecond in which the window ends may still be in it.
    assert "AND \"updated_at\" < TIMESTAMP '2026-11-21 17:00:00.124'" in str(select)


def test_a_column_is_asked_for_by_its_own_name_and_comes_by_ours() -> None:
    select = Select(
        "db", "customer", ("id", "updated_at"), "updated_at", ("id",), since=AT,
        spelled={"updated_at": "sync_updated_at"},
    )  # fmt: skip
    assert '"sync_updated_at" AS "updated_at"' in str(select)
    assert 'WHERE "sync_updated_at" >=' in str(select)


def test_rows_are_asked_for_by_their_values() -> None:
    select = Select("db", "customer", ("id",), among=("id", ["a", "b'c"]))
    assert str(select).endswith("WHERE \"id\" IN ('a', 'b''c')")
