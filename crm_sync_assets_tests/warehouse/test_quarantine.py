"""Quarantine: what could not be stored is kept whole, once, until it can be."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from crm_sync_assets.declarations.columns import text
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    FakeClient,
    Script,
    history,
    people,
    person,
    rows,
    sync,
)

STRICT = SyncSettings(mode="strict", load_rows=2, prefetch_pages=1)


def failure(record_id: str | None, record: Any = None, **values: Any) -> Failure:
    return Failure(
        **{
            "record_id": record_id,
            "stage": "parse",
            "reason": "odd",
            "field": None,
            "record": record,
            "url": None,
            **values,
        }
    )


def add(warehouse: Warehouse, *failures: Failure) -> None:
    with warehouse.connection() as connection:
        quarantine.add(connection, PEOPLE, None, failures)
        connection.commit()


def entries(warehouse: Warehouse, **filters: Any) -> list[quarantine.Entry]:
    with warehouse.connection() as connection:
        return quarantine.entries(connection, **filters)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"name": "a NUL \x00 and half \ud800"}, id="what text cannot hold"),
        pytest.param({"amount": float("inf"), "x": [None, True]}, id="infinity"),
        pytest.param(["not", "an", "object"], id="a list"),
        pytest.param("'); DROP TABLE ingestion_quarantine; --", id="a statement"),
        pytest.param(None, id="nothing"),
        pytest.param({"deep": {"\x00": 2**70}}, id="a large number"),
    ],
)
def test_a_record_comes_back_as_it_was_sent(warehouse: Warehouse, record: Any) -> None:
    add(warehouse, failure("1", record))
    (entry,) = entries(warehouse)
    assert entry.record == record


def test_one_seen_again_counts_another_try_and_keeps_its_newest_reason(
    warehouse: Warehouse,
) -> None:
    add(warehouse, failure("1", {"v": 1}, reason="first"))
    add(warehouse, failure("1", {"v": 2}, reason="second", stage="load", field="v"))
    (entry,) = entries(warehouse)
    assert (entry.tries, entry.reason, entry.stage, entry.field) == (2, "second", "load", "v")
    assert entry.record == {"v": 2}
    assert entry.first_seen < entry.last_seen


def test_records_without_an_id_are_told_apart_by_their_content(warehouse: Warehouse) -> None:
    add(warehouse, failure(None, {"a": 1}), failure(None, {"a": 2}), failure(None, {"a": 1}))
    assert sorted(entry.tries for entry in entries(warehouse)) == [1, 2]


def test_a_reason_with_anything_in_it_can_be_kept(warehouse: Warehouse) -> None:
    add(warehouse, failure("1", reason="NUL \x00, half \ud800, " + "long " * 1_000))
    assert entries(warehouse)[0].reason.startswith("NUL , half ?, long")


def test_the_filters_are_exact(warehouse: Warehouse) -> None:
    add(warehouse, failure("1"), failure("11"), failure("%"))
    assert len(entries(warehouse, crm="test", sync_type="people")) == 3
    assert len(entries(warehouse, limit=2)) == 2
    assert [e.record_id for e in entries(warehouse, record_id="1")] == ["1"]
    assert [e.record_id for e in entries(warehouse, record_id="%")] == ["%"]
    assert entries(warehouse, crm="tes") == []
    assert entries(warehouse, sync_type="things") == []


def test_only_what_is_removed_goes(warehouse: Warehouse) -> None:
    add(warehouse, failure("1"), failure("2"))
    gone = entries(warehouse, record_id="1")[0].id
    with warehouse.connection() as connection:
        quarantine.remove(connection, [gone])
        connection.commit()
    assert [entry.record_id for entry in entries(warehouse)] == ["2"]


def test_a_record_with_an_id_too_long_for_an_index_stops_no_sync(warehouse: Warehouse) -> None:
    """PostgreSQL indexes 2,700 bytes; the quarantine once failed the sync over a longer id."""
    long = secrets.token_hex(4_000)
    records = [person(n) for n in range(20)] + [person(long)]
    client = FakeClient(records)
    for tries in (1, 2):
        begun = sync(warehouse, client, full=True)
        assert (begun.status, begun.counts.failed) == ("partial", 1)
        (entry,) = entries(warehouse)
        assert (entry.tries, entry.record["id"]) == (tries, long)
    assert len(people(warehouse)) == 20


def test_a_bad_copy_followed_by_a_good_one_leaves_no_entry(warehouse: Warehouse) -> None:
    """Edited while it was read: the second page has the record in a shape that loads."""
    records = [person(1, balance="lots"), person(2), person(1, at=1, balance="5"), person(3)]
    client = FakeClient(records, page_size=2)
    begun = sync(warehouse, client, settings=STRICT)
    assert set(people(warehouse)) == {"1", "2", "3"}
    assert entries(warehouse) == []
    assert begun.status == "partial", "the failure of the first page still counts"
    assert begun.counts == Counts(4, created=3, failed=1)


SLASHES = Entity(
    "test.slashes",
    about="Ids with slashes in them.",
    source=Script(modified=None),
    columns=(text("id", key=True), text("name")),
    table="test_slashes",
)
PATHS = Entity(
    "test.paths",
    about="Two keys, with slashes in them.",
    source=Script(modified=None),
    columns=(text("folder", key=True), text("file", key=True), text("name")),
    table="test_paths",
)


def _odd_name(entity: Entity) -> Entity:
    """The entity with a check that the value `odd` fails."""
    from dataclasses import replace

    def check(value: Any) -> str | None:
        return "is odd" if value == "odd" else None

    columns = tuple(
        replace(column, validate=check) if column.name == "name" else column
        for column in entity.columns
    )
    return replace(entity, columns=columns)


@pytest.mark.parametrize("flags", [{"full": True}, {"full": True, "force": True}], ids=str)
@pytest.mark.parametrize(
    ("entity", "keys"),
    [
        pytest.param(SLASHES, [{"id": "a/b"}, {"id": "c"}], id="one key"),
        pytest.param(
            PATHS,
            [{"folder": "a/b", "file": "c/d"}, {"folder": "a", "file": "b"}],
            id="two keys",
        ),
    ],
)
def test_a_record_that_fails_has_not_vanished_whatever_its_id_looks_like(
    warehouse: Warehouse, entity: Entity, keys: list[dict[str, str]], flags: dict[str, Any]
) -> None:
    """Also in a replacement, where the row that failed is not in the new table."""
    entity = _odd_name(entity)
    others = [dict.fromkeys(keys[0], f"other {n}") for n in range(8)]
    client = FakeClient([{**key, "name": "fine"} for key in keys + others])
    sync(warehouse, client, entity, STRICT)
    client.records = [{**key, "name": "odd"} for key in keys]
    client.records += [{**key, "name": "fine"} for key in others[:-1]]
    begun = sync(warehouse, client, entity, STRICT, **flags)
    assert begun.counts == Counts(9, unchanged=7, failed=2, deleted=1)
    gone = rows(
        warehouse,
        f"SELECT count(*), count(deleted_at) FROM {entity.table}",  # noqa: S608
    )
    assert gone == [(10, 1)]
    assert history(warehouse)[-1]["status"] == "partial"
