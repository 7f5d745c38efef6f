"""The load statement: exact counts, awkward names, and rows the database refuses."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from crm_sync_assets.declarations.columns import (
    boolean,
    decimal,
    id_list,
    integer,
    json,
    rest,
    text,
    timestamp,
)
from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import new_key
from crm_sync_assets.warehouse import loading
from crm_sync_assets.warehouse.connection import (
    Connection,
    Warehouse,
    is_lost_connection,
    is_worth_repeating,
)
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import (
    point_losers_to_survivors,
    soft_delete,
    soft_delete_absent,
)
from crm_sync_assets.warehouse.loading import Rejected, Table, is_data_error, load
from crm_sync_assets.warehouse.postgres import sqlalchemy_url
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets.warehouse.vault import Vault, new_index_key
from crm_sync_assets_tests.scripted import PEOPLE, START, Script, rows

NARROW = Entity(
    "test.narrow",
    about="One key, one value, one moment.",
    source=Script(),
    columns=(text("id", key=True), text("value"), timestamp("modified")),
    table="test_narrow",
)
PAIRS = Entity(
    "test.pairs",
    about="Two keys and a value.",
    source=Script(modified=None),
    columns=(text("a", key=True), text("b", key=True), text("value")),
    table="test_pairs",
)


MERGING = Entity(
    "test.merging",
    about="Records that swallow others.",
    source=Script(),
    columns=(
        text("id", key=True),
        timestamp("modified"),
        id_list("merged"),
        boolean("archived", default=False),
    ),
    table="test_merging",
    merged_ids="merged",
)
HIDING = Entity(
    "test.hiding",
    about="One value for all to see, two for nobody.",
    source=Script(),
    columns=(
        text("id", key=True),
        text("value"),
        text("note", sensitive=True),
        integer("shoe", sensitive=True),
        timestamp("modified"),
    ),
    table="test_hiding",
)
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def put(
    warehouse: Warehouse,
    entity: Entity,
    these: Sequence[tuple[Any, ...]],
    *,
    overwrite: bool = False,
    keep_issues: bool = False,
    hidden_columns: str | None = None,
    future: datetime | None = None,
    vault: Vault | None = None,
) -> tuple[Counts, list[Rejected]]:
    """Load rows, the issues last, into the entity's table, and commit."""
    table = Table(entity, overwrite=overwrite, keep_issues=keep_issues, vault=vault)
    table.hidden_columns = frozenset([hidden_columns] if hidden_columns else [])
    table.future = future
    with warehouse.connection() as connection:
        ensure_table(connection, entity, vault)
        connection.execute(table.create_stage())
        connection.commit()
        with connection.transaction():
            found = load(
                connection,
                table,
                table.newest_per_key(these),
                target=table.target,
                fresh_stage=True,
            )
        connection.execute("DISCARD TEMP")
        connection.commit()
    return found


# Counts


def test_created_updated_and_unchanged_are_counted_exactly(warehouse: Warehouse) -> None:
    before = [(str(n), "old", at(0), None) for n in range(300)]
    assert put(warehouse, NARROW, before) == (Counts(300, created=300), [])
    after = [(str(n), "new" if n % 3 == 0 else "old", at(1), None) for n in range(330)]
    after[1] = ("1", "old", at(0), None)
    counts, _ = put(warehouse, NARROW, after)
    assert counts == Counts(330, created=30, updated=299, unchanged=1)
    assert counts.add_up


def test_counts_that_do_not_add_up_say_so() -> None:
    assert Counts(4, created=1, updated=1, unchanged=1, failed=1, deleted=9, warnings=9).add_up
    assert not Counts(4, created=1, updated=1, unchanged=1).add_up
    assert Counts(1, created=1) + Counts(2, failed=2, warnings=3) == Counts(
        3, created=1, failed=2, warnings=3
    )


@pytest.mark.parametrize(
    ("stored", "sent", "expected"),
    [
        pytest.param(at(5), at(4), "stored", id="older"),
        pytest.param(at(5), at(5), "sent", id="the same moment"),
        pytest.param(at(5), at(6), "sent", id="newer"),
        pytest.param(None, at(4), "sent", id="nothing stored"),
        pytest.param(at(5), None, "sent", id="nothing sent"),
    ],
)
def test_a_newer_or_undated_version_wins(
    warehouse: Warehouse, stored: datetime | None, sent: datetime | None, expected: str
) -> None:
    put(warehouse, NARROW, [("1", "stored", stored, None)])
    put(warehouse, NARROW, [("1", "sent", sent, None)])
    assert rows(warehouse, "SELECT value FROM test_narrow") == [(expected,)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(-3_601, "stored"), (-3_600, "sent"), (0, "sent"), (1, "sent")],
    ids=["more than an hour older", "an hour older", "the same moment", "newer"],
)
def test_a_version_older_by_no_more_than_its_clock_steps_back_wins(
    warehouse: Warehouse, sent: int, expected: str
) -> None:
    stepping = replace(NARROW, clock_steps_back=timedelta(hours=1))
    put(warehouse, stepping, [("1", "stored", at(0), None)])
    put(warehouse, stepping, [("1", "sent", at(sent), None)])
    assert rows(warehouse, "SELECT value FROM test_narrow") == [(expected,)]


@pytest.mark.parametrize(
    ("stored", "sent", "expected"),
    [
        pytest.param(at(101), at(5), "sent", id="stored too far ahead"),
        pytest.param(at(100), at(5), "stored", id="stored no further than may be"),
        pytest.param(at(6), at(5), "stored", id="older"),
        pytest.param(at(6), at(101), "sent", id="sent too far ahead"),
    ],
)
def test_a_version_dated_too_far_ahead_gives_way_to_any(
    warehouse: Warehouse, stored: datetime, sent: datetime, expected: str
) -> None:
    put(warehouse, NARROW, [("1", "stored", stored, None)], future=at(100))
    put(warehouse, NARROW, [("1", "sent", sent, None)], future=at(100))
    assert rows(warehouse, "SELECT value FROM test_narrow") == [(expected,)]


def test_a_column_that_could_not_be_read_keeps_its_value_and_tells_no_versions_apart(
    warehouse: Warehouse,
) -> None:
    put(warehouse, NARROW, [("1", "kept", at(0), None)])
    unread = [("1", None, at(0), None)]
    assert put(warehouse, NARROW, unread, hidden_columns="value")[0] == Counts(1, unchanged=1)
    unread = [("1", None, at(1), None), ("2", None, at(1), None)]
    assert put(warehouse, NARROW, unread, hidden_columns="value")[0] == Counts(
        2, created=1, updated=1
    )
    assert rows(warehouse, "SELECT id, value, modified FROM test_narrow ORDER BY id") == [
        ("1", "kept", at(1)),
        ("2", None, at(1)),
    ]


def test_a_row_is_told_from_another_by_null_and_by_what_json_says_not_how(
    warehouse: Warehouse,
) -> None:
    documents = Entity(
        "test.documents",
        about="A jsonb value.",
        source=Script(modified=None),
        columns=(text("id", key=True), json("body"), decimal("amount")),
        table="test_documents",
    )
    put(warehouse, documents, [("1", {"a": 1, "b": [1.0, None]}, Decimal("1.10"), None)])
    same = [("1", {"b": [1, None], "a": 1}, Decimal("1.1"), None)]
    assert put(warehouse, documents, same)[0] == Counts(1, unchanged=1)
    other = [("1", {"b": [None, 1], "a": 1}, Decimal("1.1"), None)]
    assert put(warehouse, documents, other)[0] == Counts(1, updated=1)
    assert put(warehouse, documents, [("1", None, Decimal("1.1"), None)])[0].updated == 1
    assert put(warehouse, documents, [("1", None, None, None)])[0].updated == 1
    assert put(warehouse, documents, [("1", None, None, None)])[0].unchanged == 1
    assert rows(warehouse, "SELECT body IS NULL, amount IS NULL FROM test_documents") == [
        (True, True)
    ]


def test_issues_are_kept_by_a_run_that_does_not_look_for_them(warehouse: Warehouse) -> None:
    issue = [{"field": "value", "problem": "odd"}]
    put(warehouse, NARROW, [("1", "x", at(0), issue)])
    assert put(warehouse, NARROW, [("1", "x", at(0), None)], keep_issues=True)[0].unchanged == 1
    put(warehouse, NARROW, [("1", "y", at(1), None)], keep_issues=True)
    assert rows(warehouse, "SELECT value, sync_issues FROM test_narrow") == [("y", issue)]
    assert put(warehouse, NARROW, [("1", "y", at(1), None)])[0].updated == 1
    assert rows(warehouse, "SELECT sync_issues FROM test_narrow") == [(None,)]


def test_a_row_that_is_all_key_can_be_loaded_by_a_run_that_does_not_look_for_issues(
    warehouse: Warehouse,
) -> None:
    """An association is two keys: there is nothing to compare and nothing to set.

    Such a load used to end in a syntax error.
    """
    pair = [(1, 2, None)]
    assert put(warehouse, NUMBERED, pair, keep_issues=True)[0] == Counts(1, created=1)
    assert put(warehouse, NUMBERED, pair, keep_issues=True)[0] == Counts(1, unchanged=1)
    with warehouse.connection() as connection:
        soft_delete(connection, NUMBERED, [Tombstone(("1", "2"))])
        connection.commit()
    assert put(warehouse, NUMBERED, pair, keep_issues=True)[0] == Counts(1, updated=1)
    assert put(warehouse, NUMBERED, pair, keep_issues=True)[0] == Counts(1, unchanged=1)


def test_the_stamps_tell_when_a_row_came_and_when_it_changed(
    warehouse: Warehouse,
) -> None:
    query = "SELECT sync_created_at, sync_updated_at FROM test_narrow"
    put(warehouse, NARROW, [("1", "x", at(0), None)])
    ((created, updated),) = rows(warehouse, query)
    assert created == updated
    put(warehouse, NARROW, [("1", "x", at(0), None)])
    assert rows(warehouse, query) == [(created, updated)]
    put(warehouse, NARROW, [("1", "y", at(0), None)])
    ((still, later),) = rows(warehouse, query)
    assert (still, later > updated) == (created, True)


# Rows that are gone


def test_a_record_that_comes_back_is_counted_and_loses_its_deletion(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [("1", "x", at(5), None)])
    with warehouse.connection() as connection:
        soft_delete(connection, NARROW, [Tombstone(("1",), LONG_AGO)])
        connection.commit()
    assert put(warehouse, NARROW, [("1", "x", at(4), None)])[0] == Counts(1, unchanged=1)
    query = "SELECT deleted_at FROM test_narrow"
    assert rows(warehouse, query) == [(LONG_AGO,)], "an older version is no return"
    assert put(warehouse, NARROW, [("1", "x", at(5), None)])[0] == Counts(1, updated=1)
    assert rows(warehouse, query) == [(None,)]
    assert put(warehouse, NARROW, [("1", "x", at(5), None)])[0] == Counts(1, unchanged=1)


def test_a_run_that_could_read_no_column_but_the_key_changes_nothing(warehouse: Warehouse) -> None:
    dating = replace(PAIRS, columns=(text("id", key=True), timestamp("deleted_at")))
    put(warehouse, dating, [("1", LONG_AGO, None)])
    how: dict[str, Any] = {"keep_issues": True, "hidden_columns": "deleted_at"}
    assert put(warehouse, dating, [("1", None, None)], **how)[0] == Counts(1, unchanged=1)
    assert rows(warehouse, "SELECT deleted_at FROM test_pairs") == [(LONG_AGO,)]


def test_a_source_that_dates_deletions_itself_decides_what_is_deleted(
    warehouse: Warehouse,
) -> None:
    dating = replace(NARROW, columns=(*NARROW.columns, timestamp("deleted_at")))
    for moment, counts in (
        (LONG_AGO, Counts(1, created=1)),
        (LONG_AGO, Counts(1, unchanged=1)),
        (None, Counts(1, updated=1)),
    ):
        assert put(warehouse, dating, [("1", "x", at(0), moment, None)])[0] == counts
        assert rows(warehouse, "SELECT deleted_at FROM test_narrow") == [(moment,)]


def test_a_merged_row_stays_merged_whatever_is_sent(warehouse: Warehouse) -> None:
    put(warehouse, MERGING, [("1", at(0), None, False, None)])
    with warehouse.connection() as connection:
        soft_delete(connection, MERGING, [Tombstone(("1",), LONG_AGO, "7")])
        connection.commit()
    late = [("1", at(9), None, False, None)]
    assert put(warehouse, MERGING, late)[0] == Counts(1, unchanged=1)
    assert put(warehouse, MERGING, late, overwrite=True)[0] == Counts(1, unchanged=1)
    query = "SELECT merged_into, deleted_at FROM test_merging"
    assert rows(warehouse, query) == [("7", LONG_AGO)]


def test_an_overwriting_load_lets_an_older_version_win(warehouse: Warehouse) -> None:
    put(warehouse, MERGING, [("1", at(5), ["2"], False, None)])
    older = [("1", at(4), ["3"], False, None)]
    assert put(warehouse, MERGING, older)[0] == Counts(1, unchanged=1)
    assert put(warehouse, MERGING, older, overwrite=True)[0] == Counts(1, updated=1)


# Encrypted values


def test_encrypted_values_are_told_apart_by_their_blind_indexes(warehouse: Warehouse) -> None:
    """Two encryptions of one value differ; an unchanged row is not rewritten all the same."""
    vault = Vault([new_key()], new_index_key())
    query = "SELECT note, note_bidx, shoe, shoe_bidx FROM test_hiding"

    def sent(note: str, shoe: int, seconds: int = 0, **how: Any) -> Counts:
        row = ("1", "x", note, shoe, at(seconds), None)
        return put(warehouse, HIDING, [row], vault=vault, **how)[0]

    assert sent("secret", 43) == Counts(1, created=1)
    (first,) = rows(warehouse, query)
    assert vault.decrypt(("test_hiding", "note", "1"), first[0], "text") == "secret"
    assert vault.decrypt(("test_hiding", "shoe", "1"), first[2], "bigint") == 43
    assert first[1::2] == (vault.index("text", "secret"), vault.index("integer", 43))
    assert sent("secret", 43) == Counts(1, unchanged=1)
    assert rows(warehouse, query) == [first]
    assert sent("other", 43) == Counts(1, updated=1)
    (second,) = rows(warehouse, query)
    assert vault.decrypt(("test_hiding", "note", "1"), second[0], "text") == "other"
    assert second[1::2] == (vault.index("text", "other"), first[3])


def test_an_encrypted_column_that_could_not_be_read_keeps_its_value_and_its_index(
    warehouse: Warehouse,
) -> None:
    vault = Vault([new_key()], new_index_key())
    query = "SELECT note, note_bidx, shoe_bidx FROM test_hiding"
    put(warehouse, HIDING, [("1", "x", "secret", 43, at(0), None)], vault=vault)
    ((note, index, _),) = rows(warehouse, query)
    unread = [("1", "x", None, 44, at(0), None)]
    for counts in (Counts(1, updated=1), Counts(1, unchanged=1)):
        assert put(warehouse, HIDING, unread, vault=vault, hidden_columns="note")[0] == counts
        assert rows(warehouse, query) == [(note, index, vault.index("integer", 44))]


# Keys


def test_composite_keys_are_compared_whole(warehouse: Warehouse) -> None:
    put(warehouse, PAIRS, [("a", "b", "1", None), ("a", "c", "2", None), ("b", "b", "3", None)])
    counts, _ = put(warehouse, PAIRS, [("a", "c", "9", None), ("c", "a", "4", None)])
    assert counts == Counts(2, created=1, updated=1)
    assert rows(warehouse, "SELECT a, b, value FROM test_pairs ORDER BY 1, 2") == [
        ("a", "b", "1"),
        ("a", "c", "9"),
        ("b", "b", "3"),
        ("c", "a", "4"),
    ]


def test_keys_that_look_alike_when_joined_stay_apart(warehouse: Warehouse) -> None:
    put(warehouse, PAIRS, [("a/b", "c", "1", None), ("a", "b/c", "2", None)])
    with warehouse.connection() as connection:
        assert soft_delete(connection, PAIRS, [Tombstone(("a", "b/c"))]) == (1, 0)
        connection.commit()
    live = rows(warehouse, "SELECT a, b FROM test_pairs WHERE deleted_at IS NULL")
    assert live == [("a/b", "c")]


def test_the_newest_per_key_wins_and_ties_go_to_the_later_row() -> None:
    table = Table(NARROW, overwrite=False, keep_issues=False)
    found = table.newest_per_key(
        [
            ("1", "first", at(3), None),
            ("2", "only", None, None),
            ("1", "same moment", at(3), None),
            ("1", "older", at(2), None),
            ("2", "undated later", None, None),
            ("3", "undated", None, None),
            ("3", "dated later", at(1), None),
        ]
    )
    assert sorted(row[:2] for row in found) == [
        ("1", "same moment"),
        ("2", "undated later"),
        ("3", "dated later"),
    ]


def test_of_rows_that_cannot_say_when_they_changed_the_later_wins() -> None:
    table = Table(PAIRS, overwrite=False, keep_issues=False)
    these = [("a", "b", "1", None), ("a", "c", "2", None), ("a", "b", "3", None)]
    assert table.newest_per_key(these) == [("a", "b", "3", None), ("a", "c", "2", None)]
    assert table.key_of(these[1]) == ("a", "c")


def test_rows_are_inserted_in_key_order_so_that_two_loads_cannot_lock_each_other_out(
    warehouse: Warehouse,
) -> None:
    numbers = [f"{n:04d}" for n in range(500)]
    random.Random(1).shuffle(numbers)
    put(warehouse, NARROW, [(n, "x", at(0), None) for n in numbers])
    stored = [row[0] for row in rows(warehouse, "SELECT id FROM test_narrow ORDER BY ctid")]
    assert stored == sorted(numbers)


def test_two_loads_of_the_same_rows_in_opposite_order_both_succeed(warehouse: Warehouse) -> None:
    these = [(f"{n:04d}", "x", at(0), None) for n in range(400)]
    put(warehouse, NARROW, these)
    problems: list[BaseException] = []

    def work(turn: int) -> None:
        try:
            for step in range(6):
                moment = at(10 * step + turn)
                order = these if turn else these[::-1]
                put(warehouse, NARROW, [(n, str(step), moment, None) for n, *_ in order])
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# What the database refuses


class Counting:
    """Counts how often rows are copied to the stage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copies: list[int] = []
        copy: Callable[..., None] = loading._copy

        def counted(connection: Connection, table: Table, these: Sequence[Any]) -> None:
            self.copies.append(len(these))
            copy(connection, table, these)

        monkeypatch.setattr(loading, "_copy", counted)


@pytest.mark.parametrize("position", [0, 511, 1023])
def test_one_bad_row_in_1024_costs_about_twice_the_logarithm(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    put(warehouse, NARROW, [])
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_narrow ADD CHECK (value <> 'bad')")
        connection.commit()
    counting = Counting(monkeypatch)
    these = [(f"{n:04d}", "bad" if n == position else "ok", at(0), None) for n in range(1024)]
    counts, rejected = put(warehouse, NARROW, these)
    assert counts == Counts(1024, created=1023, failed=1)
    assert [refused.row[0] for refused in rejected] == [f"{position:04d}"]
    assert len(counting.copies) == 21, "1 + 2·log₂(1024), not 1,024"


def test_seven_bad_rows_in_a_thousand_leave_993(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [])
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_narrow ADD CHECK (value <> 'bad')")
        connection.commit()
    bad = {3, 4, 5, 500, 640, 998, 999}
    these = [(f"{n:03d}", "bad" if n in bad else "ok", at(0), None) for n in range(1000)]
    counts, rejected = put(warehouse, NARROW, these)
    assert counts == Counts(1000, created=993, failed=7)
    assert {int(refused.row[0]) for refused in rejected} == bad
    assert rows(warehouse, "SELECT count(*) FROM test_narrow") == [(993,)]


def test_a_value_the_driver_cannot_encode_costs_its_own_row_only(warehouse: Warehouse) -> None:
    """Some refusals carry no SQLSTATE: they are raised before anything reaches the server."""
    these = [(str(n), "ok", at(0), None) for n in range(8)]
    these[2] = ("2", "a NUL \x00", at(0), None)
    these[5] = ("5", "half a character \ud800", at(0), None)
    counts, rejected = put(warehouse, NARROW, these)
    assert counts == Counts(8, created=6, failed=2)
    assert sorted(refused.row[0] for refused in rejected) == ["2", "5"]


def test_a_halved_batch_goes_where_the_whole_was_to_go_and_every_part_is_told_of_once(
    warehouse: Warehouse,
) -> None:
    """A replacement is gathered in a table of its own, beside the keys that were read for it."""
    put(warehouse, NARROW, [("0", "live", at(0), None)])
    table = Table(NARROW, overwrite=True, keep_issues=False)
    these = [(str(n), "bad" if n in (2, 7) else "ok", at(0), None) for n in range(9)]
    staged: list[list[str]] = []
    with warehouse.connection() as connection:
        connection.execute("CREATE TABLE aside (LIKE test_narrow INCLUDING ALL)")
        connection.execute("ALTER TABLE aside ADD CHECK (value <> 'bad')")
        connection.execute(table.create_stage())

        def look() -> None:
            found = connection.execute("SELECT id FROM pg_temp.stage_test_narrow ORDER BY 1")
            staged.append([row[0] for row in found])

        counts, rejected = load(
            connection,
            table,
            these,
            target=sql.Identifier("aside"),
            fresh_stage=True,
            after_copy=look,
        )
        connection.execute("DISCARD TEMP")
        connection.commit()
    assert counts == Counts(9, created=7, failed=2)
    assert [refused.row[0] for refused in rejected] == ["2", "7"]
    assert [key for part in staged for key in part] == ["0", "1", "3", "4", "5", "6", "8"]
    assert rows(warehouse, "SELECT count(*) FROM aside") == [(7,)]
    assert rows(warehouse, "SELECT id, value FROM test_narrow") == [("0", "live")]


def test_a_row_may_come_again_while_the_batch_before_it_is_not_committed(
    warehouse: Warehouse,
) -> None:
    """A dry run is one transaction: what was staged for one batch must not be part of the next."""
    table = Table(NARROW, overwrite=True, keep_issues=False)
    found = []
    with warehouse.connection() as connection:
        ensure_table(connection, NARROW)
        for version in ("first", "second", "third"):
            connection.execute(table.create_stage())
            row = ("1", version, at(0), None)
            found += [load(connection, table, [row], target=table.target, fresh_stage=False)]
    assert found == [(Counts(1, created=1), []), *[(Counts(1, updated=1), [])] * 2]


def test_a_batch_is_loaded_without_those_that_were_committed_before_it(
    warehouse: Warehouse,
) -> None:
    table = Table(NARROW, overwrite=True, keep_issues=False)
    found = []
    with warehouse.connection() as connection:
        ensure_table(connection, NARROW)
        connection.execute(table.create_stage())
        connection.commit()
        for version in ("first", "second", "third"):
            row = ("1", version, at(0), None)
            found += [load(connection, table, [row], target=table.target, fresh_stage=True)]
            connection.commit()
        connection.execute("DISCARD TEMP")
        connection.commit()
    assert found == [(Counts(1, created=1), []), *[(Counts(1, updated=1), [])] * 2]


def test_a_reason_names_the_column_and_quotes_no_value(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [])
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_narrow ALTER value SET NOT NULL")
        connection.commit()
    _, (refused,) = put(warehouse, NARROW, [("secret-id", None, at(0), None)])
    assert "null value in column" in refused.reason
    assert "(column value) [23502]" in refused.reason
    assert "secret-id" not in refused.reason


def test_what_is_not_the_rows_fault_is_raised(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [])
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_narrow DROP COLUMN sync_updated_at CASCADE")
        connection.commit()
        table = Table(NARROW, overwrite=False, keep_issues=False)
        connection.execute(table.create_stage())
        with pytest.raises(psycopg.errors.UndefinedColumn):
            load(connection, table, [("1", "x", None, None)], target=table.target, fresh_stage=True)


class WithState(psycopg.OperationalError):
    def __init__(self, state: str | None) -> None:
        super().__init__("x")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("22003", "data"),
        ("23502", "data"),
        ("54000", "data"),
        ("40P01", "repeat"),
        ("40001", "repeat"),
        ("55P03", "repeat"),
        ("57P01", "lost"),
        ("08006", "lost"),
        (None, "lost"),
        ("53100", "fatal"),
        ("53300", "fatal"),
        ("25006", "fatal"),
        ("57014", "fatal"),
    ],
)
def test_an_sqlstate_decides_what_happens_next(state: str | None, verdict: str) -> None:
    error = WithState(state)
    assert is_data_error(error) == (verdict == "data")
    assert is_worth_repeating(error) == (verdict == "repeat")
    assert is_lost_connection(error) == (verdict == "lost")


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), TypeError("x"), psycopg.DataError("x"), OverflowError()],
)
def test_an_error_without_sqlstate_is_the_rows_fault(error: Exception) -> None:
    assert is_data_error(error)


def test_a_connection_is_lost_only_when_the_driver_or_the_server_says_so() -> None:
    assert is_lost_connection(psycopg.InterfaceError("the connection is closed"))
    assert not is_lost_connection(psycopg.DataError("x"))
    assert not is_lost_connection(ValueError("x"))


def test_what_the_database_did_not_say_is_not_worth_repeating() -> None:
    assert not is_worth_repeating(ValueError("x"))
    assert not is_worth_repeating(psycopg.OperationalError("x"))


# Names


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("select", id="reserved word"),
        pytest.param("CamelCase", id="capitals"),
        pytest.param('with "quotes" and {} ;--', id="punctuation"),
        pytest.param("n" * 63, id="63 bytes"),
        pytest.param("größe 😀", id="not ASCII"),
    ],
)
def test_any_name_of_a_column_can_be_stored_found_and_marked(
    warehouse: Warehouse, name: str
) -> None:
    odd = Entity(
        "test.odd",
        about="An odd 'name' with 100 %.",
        source=Script(modified=None),
        columns=(text(name, key=True), text("User"), boolean("archived", default=False)),
        table=f"T {name}"[:60],
        indexes=("User",),
    )
    these = [("1", "a", False, None), ("2", "b", False, None)]
    assert put(warehouse, odd, these)[0] == Counts(2, created=2)
    assert put(warehouse, odd, these)[0] == Counts(2, unchanged=2)
    assert warehouse.keys(odd.table, column=name, limit=5) == ["1", "2"]
    with warehouse.connection() as connection:
        assert ensure_table(connection, odd) == []
        assert soft_delete(connection, odd, [Tombstone(("1",)), Tombstone(("9",))]) == (1, 1)
        seen = sql.SQL("SELECT ARRAY['1']")
        assert soft_delete_absent(connection, odd, seen) == 1
        connection.commit()
    assert warehouse.keys(odd.table, column=name, limit=5) == []


# Known


def test_keys_are_paged_in_the_order_of_their_bytes_whatever_the_locale(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In most locales "a" sorts before "B" and "é" before "f"; paging by > needs one order.

    The embedded server knows no such locale, so the statement itself is looked at as well.
    """
    names = ["B", "a", "é", "f", "Z", "10", "9", "_", "ä", "aa", "A", "😀", "-1", " x"]
    put(warehouse, NARROW, [(name, None, None, None) for name in names])
    execute = psycopg.Connection.execute
    asked: list[str] = []

    def noting(self: Connection, query: Any, *args: Any, **options: Any) -> Any:
        asked.append(query.as_string(self) if isinstance(query, sql.Composed) else str(query))
        return execute(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", noting)
    paged: list[str] = []
    after: str | None = None
    while page := warehouse.keys("test_narrow", after=after, limit=3):
        paged += page
        after = page[-1]
    assert paged == sorted(names, key=str.encode)
    statement = next(query for query in asked if "test_narrow" in query and "LIMIT" in query)
    assert '"id"::text COLLATE "C" AS key' in statement
    assert '"id"::text COLLATE "C" > ' in statement


def test_known_keys_are_the_live_ones_or_those_deleted_since(warehouse: Warehouse) -> None:
    people = replace(PEOPLE, table="test_known")
    put(warehouse, people, [(str(n), None, None, at(0), None, None, None) for n in range(6)])
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    with warehouse.connection() as connection:
        soft_delete(
            connection,
            people,
            [
                Tombstone(("1",), moment - timedelta(days=1)),
                Tombstone(("2",), moment),
                Tombstone(("3",), moment, merged_into="4"),
            ],
        )
        connection.commit()
    assert warehouse.keys("test_known", limit=10) == ["0", "4", "5"]
    assert warehouse.keys("test_known", limit=10, deleted_since=moment) == ["2"]


def test_a_table_or_column_that_does_not_exist_has_no_keys(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [("1", None, None, None)])
    assert warehouse.keys("nowhere", limit=5) == []
    assert warehouse.keys("test_narrow", column="nothing", limit=5) == []
    assert warehouse.keys('x"; DROP TABLE test_narrow; --', limit=5) == []
    assert warehouse.keys("test_narrow", limit=5) == ["1"]


def test_keys_of_a_column_without_an_index_come_in_order_too(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [(str(n), f"{(n * 7) % 10}", None, None) for n in range(10)])
    found = warehouse.keys("test_narrow", column="value", limit=10)
    assert found == sorted(found)
    assert warehouse.keys("test_narrow", column="value", after="3", limit=2) == ["4", "5"]


def test_deleted_keys_of_a_table_that_knows_no_mergers_are_found(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [("1", "x", None, None)])
    with warehouse.connection() as connection:
        soft_delete(connection, NARROW, [Tombstone(("1",), at(5))])
        connection.commit()
    assert warehouse.keys("test_narrow", limit=5, deleted_since=at(4)) == ["1"]
    assert warehouse.keys("test_narrow", limit=5, deleted_since=at(6)) == []


NUMBERED = Entity(
    "test.numbered",
    about="Two whole numbers.",
    source=Script(modified=None),
    columns=(integer("a", key=True), integer("b", key=True)),
    table="test_numbered",
)


def test_numbers_are_the_live_keys_in_order_from_low_to_below_high(warehouse: Warehouse) -> None:
    for these in ([(5, 1), (100, 1), (7, 2), (9, 1)], [(-5, 1), (7, 1), (0, 1)]):
        put(warehouse, NUMBERED, [(*pair, None) for pair in these])
    with warehouse.connection() as connection:
        assert soft_delete(connection, NUMBERED, [Tombstone(("9", "1"))]) == (1, 0)
        connection.commit()
    columns = ("a", "b")
    live = [(-5, 1), (0, 1), (5, 1), (7, 1), (7, 2), (100, 1)]
    assert warehouse.numbers("test_numbered", columns) == live
    assert warehouse.numbers("test_numbered", columns, limit=2) == live[:2]
    assert warehouse.numbers("test_numbered", columns, low=5, high=100) == live[2:5]
    assert warehouse.numbers("test_numbered", columns, low=0, high=7) == live[1:3]
    assert warehouse.numbers("nowhere", columns) == []


def test_key_sums_are_those_of_the_live_keys_from_low_to_below_high(warehouse: Warehouse) -> None:
    put(warehouse, NUMBERED, [(n, 1, None) for n in (4, 5, 6, 7, 8)])
    with warehouse.connection() as connection:
        assert soft_delete(connection, NUMBERED, [Tombstone(("6", "1"))]) == (1, 0)
        connection.commit()
    sums = warehouse.key_sums("test_numbered", ("a", "b"), low=5, high=8)
    assert sum(count for count, _, _ in sums.values()) == 2
    assert warehouse.key_sums("nowhere", ("a", "b"), low=5, high=8) == {}


def test_key_sums_are_a_count_a_sum_and_a_sum_that_knows_which_keys_per_ten_thousand(
    warehouse: Warehouse,
) -> None:
    these = [(5, 1), (7, 2), (10_004, 3), (10_005, 4), (20_004, 5)]
    put(warehouse, NUMBERED, [(*pair, None) for pair in these])

    def scrambled(*pairs: tuple[int, int]) -> int:
        mixed = [(a * 1_009 + b) % 1_000_003 for a, b in pairs]
        return sum(one**3 % 2_147_483_647 for one in mixed)

    assert warehouse.key_sums("test_numbered", ("a", "b"), low=5, high=30_000) == {
        0: (3, 10_016 + 6, scrambled(*these[:3])),
        10_000: (2, 30_009 + 9, scrambled(*these[3:])),
    }


# Tombstones


def test_a_tombstone_marks_once_and_keeps_the_first_moment(warehouse: Warehouse) -> None:
    put(warehouse, PEOPLE, [("1", "x", None, at(0), None, None, None)])
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    with warehouse.connection() as connection:
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), first)]) == (1, 0)
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), second)]) == (0, 1)
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), second, "7")]) == (1, 0)
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), second, "7")]) == (0, 1)
        connection.commit()
    assert rows(warehouse, "SELECT deleted_at, merged_into FROM test_people") == [(first, "7")]


def test_a_tombstone_dates_a_deletion_and_a_plain_one_keeps_the_survivor(
    warehouse: Warehouse,
) -> None:
    put(warehouse, PEOPLE, [("1", "x", None, at(0), None, None, None)])
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    with warehouse.connection() as connection:
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), moment, "7")]) == (1, 0)
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), moment)]) == (0, 1)
        assert soft_delete(connection, PEOPLE, [Tombstone(("1",), moment, "8")]) == (1, 0)
        connection.commit()
    assert rows(warehouse, "SELECT deleted_at, merged_into FROM test_people") == [(moment, "8")]


def test_absent_rows_are_marked_once(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [(n, "x", None, None) for n in ("1", "2", "3")])
    with warehouse.connection() as connection:
        assert soft_delete_absent(connection, NARROW, sql.SQL("SELECT ARRAY['1']")) == 2
        connection.commit()
        assert soft_delete_absent(connection, NARROW, sql.SQL("SELECT ARRAY['1']")) == 0
    live = rows(warehouse, "SELECT id FROM test_narrow WHERE deleted_at IS NULL")
    assert live == [("1",)]


def test_a_row_is_absent_unless_its_whole_key_was_seen(warehouse: Warehouse) -> None:
    put(warehouse, PAIRS, [(a, b, "x", None) for a, b in ("ab", "ac", "ba")])
    with warehouse.connection() as connection:
        assert soft_delete_absent(connection, PAIRS, sql.SQL("SELECT ARRAY['a', 'b']")) == 2
        connection.commit()
    live = rows(warehouse, "SELECT a, b FROM test_pairs WHERE deleted_at IS NULL")
    assert live == [("a", "b")]


@pytest.mark.parametrize("how", ["tombstone", "absence", "merger"])
def test_a_row_that_is_gone_is_dated_now_flagged_and_said_to_have_changed(
    warehouse: Warehouse, how: str
) -> None:
    put(warehouse, MERGING, [("1", at(0), None, False, None), ("2", at(0), ["1"], False, None)])
    query = (
        "SELECT archived, deleted_at IS NOT NULL, deleted_at IS NOT DISTINCT FROM sync_updated_at, "
        "sync_updated_at > sync_created_at, merged_into FROM test_merging ORDER BY id"
    )
    with warehouse.connection() as connection:
        if how == "tombstone":
            assert soft_delete(connection, MERGING, [Tombstone(("1",))]) == (1, 0)
        elif how == "absence":
            assert soft_delete_absent(connection, MERGING, sql.SQL("SELECT ARRAY['2']")) == 1
        else:
            assert point_losers_to_survivors(connection, MERGING) == 1
        connection.commit()
    survivor = "2" if how == "merger" else None
    assert rows(warehouse, query) == [
        (True, True, True, True, survivor),
        (False, False, False, False, None),
    ]


def test_a_row_gone_before_keeps_its_moment_when_it_is_not_found_again(
    warehouse: Warehouse,
) -> None:
    put(warehouse, NARROW, [("1", "x", None, None), ("2", "x", None, None)])
    with warehouse.connection() as connection:
        soft_delete(connection, NARROW, [Tombstone(("1",), LONG_AGO)])
        assert soft_delete_absent(connection, NARROW, sql.SQL("SELECT ARRAY['2']")) == 0
        connection.commit()
    query = "SELECT deleted_at FROM test_narrow ORDER BY id"
    assert rows(warehouse, query) == [(LONG_AGO,), (None,)]


# Losers and survivors


def merge(warehouse: Warehouse) -> int:
    with warehouse.connection() as connection:
        changed = point_losers_to_survivors(connection, MERGING)
        connection.commit()
    return changed


def survivors(warehouse: Warehouse) -> dict[str, str]:
    query = "SELECT id, merged_into FROM test_merging WHERE merged_into IS NOT NULL"
    return dict(rows(warehouse, query))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        pytest.param((at(1), False), (at(9), True), "first", id="the living before the newer"),
        pytest.param((at(9), True), (at(1), False), "second", id="the living before the key"),
        pytest.param((at(2), False), (at(1), False), "first", id="the newer before the key"),
        pytest.param((at(1), False), (at(2), False), "second", id="the newer"),
        pytest.param((at(1), False), (None, False), "first", id="the undated last"),
        pytest.param((None, False), (at(1), False), "second", id="the undated last by key too"),
        pytest.param((at(1), False), (at(1), False), "second", id="the greater key of equals"),
    ],
)
def test_of_several_survivors_a_loser_goes_to(
    warehouse: Warehouse,
    first: tuple[datetime | None, bool],
    second: tuple[datetime | None, bool],
    winner: str,
) -> None:
    named = {"first": first, "second": second}
    these = [(name, moment, ["loser"], False, None) for name, (moment, _) in named.items()]
    put(warehouse, MERGING, [("loser", at(5), None, False, None), *these])
    with warehouse.connection() as connection:
        gone = [Tombstone((name,), LONG_AGO) for name, (_, dead) in named.items() if dead]
        soft_delete(connection, MERGING, gone)
        connection.commit()
    assert merge(warehouse) == 1
    assert survivors(warehouse) == {"loser": winner}
    assert merge(warehouse) == 0, "once is enough"


def test_a_loser_follows_its_survivor_into_the_next_and_keeps_its_moment(
    warehouse: Warehouse,
) -> None:
    put(warehouse, MERGING, [(n, at(0), None, False, None) for n in ("a", "b")])
    put(warehouse, MERGING, [("c", at(1), ["a", "c", "unknown"], False, None)])
    with warehouse.connection() as connection:
        soft_delete(connection, MERGING, [Tombstone(("a",), LONG_AGO)])
        connection.commit()
    assert merge(warehouse) == 1
    assert survivors(warehouse) == {"a": "c"}, "a record that names itself stays"
    put(warehouse, MERGING, [("d", at(2), ["a", "b", "c"], False, None)])
    assert merge(warehouse) == 3
    assert survivors(warehouse) == {"a": "d", "b": "d", "c": "d"}
    query = "SELECT deleted_at FROM test_merging WHERE id = 'a'"
    assert rows(warehouse, query) == [(LONG_AGO,)]


def test_an_entity_that_knows_no_mergers_has_no_losers(warehouse: Warehouse) -> None:
    put(warehouse, NARROW, [("1", "x", at(0), None)])
    with warehouse.connection() as connection:
        assert point_losers_to_survivors(connection, NARROW) == 0


# Connections


def test_an_unreachable_server_is_named_without_its_password() -> None:
    warehouse = Warehouse("postgresql://someone:hunter2@127.0.0.1:1/nowhere")
    with pytest.raises(FatalError, match="cannot be reached") as caught:
        warehouse.checkout()
    assert "hunter2" not in str(caught.value)
    assert "CRM_SYNC_WAREHOUSE_URL" in str(caught.value)


def test_a_port_that_is_no_number_is_a_usage_error_without_the_password() -> None:
    with pytest.raises(UsageError, match="is no database URL") as caught:
        sqlalchemy_url("postgresql://someone:hunter2@host:hunter3/nowhere")
    assert "hunter" not in str(caught.value)


def test_a_pooled_connection_the_server_ended_is_replaced(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        pid = connection.info.backend_pid
    with psycopg.connect(warehouse.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
    assert rows(warehouse, "SELECT 1") == [(1,)]


def test_a_connection_closed_while_in_use_is_no_second_error(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        connection.close()
    assert rows(warehouse, "SELECT 1") == [(1,)]


def test_sessions_speak_utc_and_wait_for_locks_only_so_long(warehouse: Warehouse) -> None:
    assert rows(warehouse, "SELECT current_setting('timezone')") == [("UTC",)]
    assert rows(warehouse, "SELECT current_setting('lock_timeout')") == [("30s",)]


def test_what_was_not_committed_is_rolled_back_on_the_way_out(warehouse: Warehouse) -> None:
    with warehouse.connection() as connection:
        connection.execute("CREATE TABLE half_done (x int)")
    assert rows(warehouse, "SELECT to_regclass('half_done')") == [(None,)]


def test_a_jsonb_rest_keeps_what_it_is_given(warehouse: Warehouse) -> None:
    entity = Entity(
        "test.rest",
        about="Everything else.",
        source=Script(modified=None),
        columns=(text("id", key=True), rest("other")),
        table="test_rest",
    )
    value = {f"property_{n}": "x" * 50 for n in range(2_000)}
    put(warehouse, entity, [("1", value, None)])
    assert rows(warehouse, "SELECT other FROM test_rest") == [(value,)]
