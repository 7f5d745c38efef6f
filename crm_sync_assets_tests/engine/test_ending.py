"""What only a complete read may do, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from psycopg import sql

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.engine.refusals import refuse_mass_deletion, refuse_mass_failure
from crm_sync_assets.errors import Refused, TransientError
from crm_sync_assets.warehouse import attempts
from crm_sync_assets.warehouse.attempts import SeenKeys, Shadow
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import soft_delete_absent
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    sync,
)


@pytest.mark.parametrize(
    ("gone", "live", "share", "refused"),
    [
        (0, 0, 0.2, False),
        (1, 5, 0.2, False),
        (2, 9, 0.2, True),
        (20, 100, 0.2, False),
        (21, 100, 0.2, True),
        (50, 100, 0.5, False),
        (51, 100, 0.5, True),
        (1, 1, 1.0, False),
    ],
)
def test_more_than_the_entitys_share_is_refused_unless_forced(
    gone: int, live: int, share: float, refused: bool
) -> None:
    entity = replace(PEOPLE, vanish_limit=share)
    refuse_mass_deletion(entity, gone, live, forced=True)
    if refused:
        with pytest.raises(Refused, match=f"{gone} of {live} live rows"):
            refuse_mass_deletion(entity, gone, live, forced=False)
    else:
        refuse_mass_deletion(entity, gone, live, forced=False)


@pytest.mark.parametrize(
    ("failed", "processed", "refused"),
    [(9, 9, False), (10, 20, False), (11, 20, True), (10, 10, True), (500, 1_000, False)],
)
def test_a_handful_of_failures_is_no_mass_failure(
    failed: int, processed: int, refused: bool
) -> None:
    counts = Counts(processed, created=processed - failed, failed=failed)
    if refused:
        with pytest.raises(Refused, match="quarantine list --crm test --entity people"):
            refuse_mass_failure(PEOPLE, counts, 0.5)
    else:
        refuse_mass_failure(PEOPLE, counts, 0.5)


def test_a_refused_deletion_leaves_no_trace_and_no_checkpoint(warehouse: Warehouse) -> None:
    """Resuming would only lead to the same refusal: the next sync reads from the beginning."""
    client = FakeClient([person(n) for n in range(300)])
    sync(warehouse, client)
    client.records = client.records[:150]
    before = rows(warehouse, "SELECT * FROM test_people ORDER BY id")
    with pytest.raises(Refused):
        sync(warehouse, client, full=True)
    assert rows(warehouse, "SELECT * FROM test_people ORDER BY id") == before
    assert history(warehouse)[-1]["checkpoint"] is None
    client.asked.clear()
    client.records = [person(n) for n in range(300)]
    assert sync(warehouse, client, full=True).counts == Counts(300, unchanged=300)
    assert client.asked == [0, 100, 200]


def test_rows_deleted_before_do_not_count_as_vanishing(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(100)])
    sync(warehouse, client)
    for end in (85, 70, 57, 46):
        client.records = client.records[:end]
        assert sync(warehouse, client, full=True).status == "success"
    assert len(people(warehouse)) == 46


def test_an_entity_whose_absent_rows_are_kept_marks_none(warehouse: Warehouse) -> None:
    entity = replace(PEOPLE, absent="kept")
    client = FakeClient([person(n) for n in range(100)])
    sync(warehouse, client, entity)
    client.records = client.records[:5]
    assert sync(warehouse, client, entity, full=True).counts.deleted == 0
    assert sync(warehouse, client, entity, full=True, force=True).counts.deleted == 0
    assert len(people(warehouse)) == 100


def test_an_empty_source_is_not_believed(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(100)])
    sync(warehouse, client)
    client.records = []
    with pytest.raises(Refused, match="100 of 100"):
        sync(warehouse, client, full=True)
    assert len(people(warehouse)) == 100


@pytest.mark.parametrize("replaced", [False, True])
def test_a_record_without_a_readable_key_leaves_every_absent_row_alone(
    warehouse: Warehouse, replaced: bool
) -> None:
    """It is one of the rows that seem to be gone, and nobody knows which."""
    client = FakeClient([person(n) for n in range(10)])
    sync(warehouse, client)
    client.records[3] = {**person(3), "id": {"value": "3"}}
    told = sync(warehouse, client, full=True, force=replaced)
    assert (told.status, told.counts.failed, told.counts.deleted) == ("partial", 1, 0)
    assert "3" in people(warehouse)
    client.records.pop(3)
    assert sync(warehouse, client, full=True, force=replaced).counts.deleted == 1
    assert "3" not in people(warehouse)


@pytest.mark.parametrize("trial", [{"dry_run": True}, {"max_records": 1}])
def test_a_trial_leaves_what_an_interrupted_sync_has_gathered(
    warehouse: Warehouse, trial: dict[str, Any]
) -> None:
    """The next sync resumes: without the keys read so far, their rows would seem to be gone."""

    def fail(start_of_page: int) -> None:
        if start_of_page == 100:
            raise TransientError("broke")

    client = FakeClient([person(n) for n in range(600)])
    sync(warehouse, client)
    client.before_page = fail
    for replaced in (False, True):
        with pytest.raises(TransientError):
            sync(warehouse, client, full=True, force=replaced)
        sync(warehouse, FakeClient([person(1)]), **trial)
        resumed = sync(warehouse, FakeClient(client.records), full=True, force=replaced)
        assert resumed.resumed
        assert resumed.counts == Counts(600, unchanged=600)
    assert len(people(warehouse)) == 600


@pytest.mark.parametrize("flags", [{}, {"force": True}, {"full": True, "force": True}])
def test_a_removal_counts_the_same_with_any_flags(
    warehouse: Warehouse, flags: dict[str, bool]
) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(10)]))
    client = FakeClient(tombstones=[Tombstone(("3",))], confirmed=9)
    told = sync(warehouse, client, PEOPLE_REMOVAL, **flags)
    assert told.counts == Counts(10, updated=1, unchanged=9, deleted=1)
    assert "3" not in people(warehouse)


def test_forgetting_one_entitys_attempts_leaves_the_others_alone(warehouse: Warehouse) -> None:
    def fail(start_of_page: int) -> None:
        if start_of_page == 100:
            raise TransientError("broke")

    for entity in (PEOPLE, THINGS):
        sync(warehouse, FakeClient([person(1)]), entity)
        client = FakeClient([person(n) for n in range(200)], before_page=fail)
        with pytest.raises(TransientError):
            sync(warehouse, client, entity, full=True, force=True)
    query = (
        "SELECT relname FROM pg_class WHERE relname ~ 'ingestion_shadow_[0-9]+_' AND relkind = 'r'"
    )
    assert len(rows(warehouse, query)) == 2
    with warehouse.connection() as connection:
        attempts.forget_attempts(connection, PEOPLE_REMOVAL)
        attempts.forget_attempts(connection, replace(PEOPLE, table="people"))
        connection.commit()
    assert len(rows(warehouse, query)) == 2
    with warehouse.connection() as connection:
        attempts.forget_attempts(connection, PEOPLE)
        connection.commit()
    ((name,),) = rows(warehouse, query)
    assert name.endswith("test_things")


def test_a_shadow_of_a_table_with_a_long_name_is_found_again(warehouse: Warehouse) -> None:
    entity = replace(PEOPLE, table="t" * 63)
    with warehouse.connection() as connection:
        ensure_table(connection, entity)
        Shadow(123, entity).create(connection)
        connection.commit()
        attempts.forget_attempts(connection, entity)
        connection.commit()
    assert rows(warehouse, "SELECT 1 FROM pg_class WHERE relname ~ '^ingestion_shadow_1'") == []


def test_keys_found_gone_are_kept_apart_from_keys_seen(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    first_attempt = history(warehouse)[0]["id"]
    keys = SeenKeys(first_attempt)
    with warehouse.connection() as connection:
        keys.add_gone(connection, [Tombstone(("1",)), Tombstone(("2",), merged_into="3")])
        keys.add_gone(connection, [Tombstone(("1",))])
        found = sorted(keys.gone(connection), key=lambda tombstone: tombstone.key)
        connection.commit()
    assert found == [Tombstone(("1",)), Tombstone(("2",), merged_into="3")]


def test_live_rows_are_those_not_deleted(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(10)]))
    with warehouse.connection() as connection:
        assert attempts.live_rows(connection, PEOPLE) == 10
        soft_delete_absent(connection, PEOPLE, sql.SQL("SELECT ARRAY['3']"))
        assert attempts.live_rows(connection, PEOPLE) == 1
        assert attempts.has_live_rows(connection, PEOPLE)
        soft_delete_absent(connection, PEOPLE, sql.SQL("SELECT ARRAY['x']"))
        assert not attempts.has_live_rows(connection, PEOPLE)
