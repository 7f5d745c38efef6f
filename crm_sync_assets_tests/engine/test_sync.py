"""The promises of a sync, with a source that misbehaves on purpose and a real PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import AlreadyRunning, FatalError, Fenced, TransientError, UsageError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.scripted import (
    CALLS,
    PEOPLE,
    PEOPLE_REMOVAL,
    SETTINGS,
    START,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    start,
    sync,
)


def fails_at(start_of_page: int, error: Exception | None = None) -> Any:
    def before_page(start: int) -> None:
        if start == start_of_page:
            raise error or TransientError("the source broke")

    return before_page


def shadows(warehouse: Warehouse) -> list[Any]:
    return rows(warehouse, "SELECT relname FROM pg_class WHERE relname ~ 'ingestion_shadow_[0-9]'")


# Counts and idempotence


def test_counts_of_a_first_sync_an_edit_and_a_repeat_add_up(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(250)])
    assert sync(warehouse, client).counts == Counts(250, created=250)
    client.records[0] = person(0, at=5, name="Changed")
    client.records.append(person(250))
    assert sync(warehouse, client).counts == Counts(251, created=1, updated=1, unchanged=249)
    assert sync(warehouse, client).counts == Counts(251, unchanged=251)
    assert people(warehouse)["0"] == "Changed"


def test_an_unchanged_row_is_not_rewritten(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(50)])
    sync(warehouse, client)
    before = rows(warehouse, "SELECT id, xmin::text, sync_updated_at FROM test_people ORDER BY id")
    sync(warehouse, client, full=True)
    assert before == rows(
        warehouse, "SELECT id, xmin::text, sync_updated_at FROM test_people ORDER BY id"
    )


def test_a_cleared_value_becomes_null(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1, balance="12.50")]))
    sync(warehouse, FakeClient([person(1, at=1, balance=None, name="")]))
    assert rows(warehouse, "SELECT name, balance FROM test_people") == [(None, None)]


def test_the_newest_of_several_versions_in_a_batch_wins(warehouse: Warehouse) -> None:
    versions = [person(1, at=2, name="second"), person(1, at=3, name="third"), person(1, at=1)]
    counts = sync(warehouse, FakeClient(versions)).counts
    assert counts == Counts(1, created=1)
    assert people(warehouse) == {"1": "third"}


def test_a_row_on_two_pages_is_stored_once(warehouse: Warehouse) -> None:
    client = FakeClient([person(1), person(2), person(2), person(3)], page_size=2)
    sync(warehouse, client, settings=SyncSettings(load_rows=1, prefetch_pages=1))
    assert people(warehouse) == {"1": "Person 1", "2": "Person 2", "3": "Person 3"}
    assert history(warehouse)[0]["records_created"] == 3


def test_an_older_version_arriving_late_changes_nothing(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1, at=10, name="new")]))
    counts = sync(warehouse, FakeClient([person(1, at=9, name="old")])).counts
    assert counts == Counts(1, unchanged=1)
    assert people(warehouse) == {"1": "new"}
    assert (
        sync(warehouse, FakeClient([person(1, at=9, name="old")]), force=True).counts.updated == 1
    )
    assert people(warehouse) == {"1": "old"}


def test_what_is_no_column_is_kept_in_the_jsonb_column(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1, colour="green", nested={"a": [1, None]})]))
    assert rows(warehouse, "SELECT other FROM test_people") == [
        ({"colour": "green", "nested": {"a": [1, None]}},)
    ]


# Watermark


def test_the_watermark_is_the_start_by_the_sources_clock_less_its_lag(warehouse: Warehouse) -> None:
    clock = datetime(2030, 1, 1, tzinfo=UTC)
    client = FakeClient([person(1)], now=clock)
    begun = sync(warehouse, client, settings=SyncSettings(lag_seconds=600))
    (row,) = history(warehouse)
    assert clock - timedelta(seconds=610) < row["watermark"] <= clock - timedelta(seconds=600)
    assert begun.watermark == row["watermark"]
    sync(warehouse, client)
    assert client.reads[1].strategy.since == row["watermark"]


def test_a_source_with_windows_and_no_versions_is_read_from_the_watermark_on(
    warehouse: Warehouse,
) -> None:
    started = START.isoformat()
    client = FakeClient([{"id": "1", "note": "late", "started": started}], now=START)
    sync(warehouse, client, CALLS)
    client.records = [{"id": "1", "note": "edited", "started": started}]
    begun = sync(warehouse, client, CALLS)
    assert begun.strategy.name == "incremental"
    assert begun.strategy.since == history(warehouse)[0]["watermark"] is not None
    assert rows(warehouse, "SELECT note, deleted_at FROM test_calls") == [("edited", None)]
    client.records = []
    assert sync(warehouse, client, CALLS, start_date="2025-12-01").counts == Counts()
    assert sync(warehouse, client, CALLS).counts.deleted == 0


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param({"dry_run": True}, id="dry run"),
        pytest.param({"max_records": 10}, id="limited run"),
        pytest.param({"start_date": "2026-01-01", "end_date": "2026-01-02"}, id="past window"),
        pytest.param({"start_date": "2026-06-01"}, id="start after the watermark"),
    ],
)
def test_a_trial_or_partial_read_moves_nothing(warehouse: Warehouse, flags: dict[str, Any]) -> None:
    client = FakeClient([person(n) for n in range(150)], now=START)
    sync(warehouse, client)
    sync(warehouse, client, **flags)
    first, second = history(warehouse)
    assert second["status"] == "success"
    assert second["watermark"] is None
    sync(warehouse, client)
    assert client.reads[-1].strategy.since == first["watermark"]


def test_an_overlap_is_read_again_and_the_watermark_stays_true(warehouse: Warehouse) -> None:
    overlap = SyncSettings(overlap_seconds=30 * 86_400, load_rows=100, prefetch_pages=1)
    client = FakeClient([person(n) for n in range(300)], now=START)
    sync(warehouse, client, settings=overlap)
    client.now, client.before_page = START + timedelta(hours=1), fails_at(200)
    with pytest.raises(TransientError):
        sync(warehouse, client, settings=overlap)
    client.before_page = lambda _: None
    assert sync(warehouse, client, settings=overlap).resumed
    first, _, last = history(warehouse)
    since = first["watermark"] - timedelta(days=30)
    assert [read.strategy.since for read in client.reads] == [None, since, since]
    assert last["configuration"]["since"] == since.isoformat()
    assert START < last["watermark"] <= START + timedelta(hours=1)


def test_a_delta_the_feed_does_not_reach_reads_everything_and_is_resumed_as_that(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    entity = replace(PEOPLE, feed_keeps=timedelta(days=30))
    client = FakeClient([person(n) for n in range(300)], now=START)
    sync(warehouse, client, entity)
    client.records.pop()
    client.now, client.before_page = datetime.now(UTC), fails_at(200)
    for _ in range(2):
        with pytest.raises(TransientError):
            sync(warehouse, client, entity)
    assert "test.people: reading everything: a delta would begin at 2026-01-01" in caplog.text
    client.before_page = lambda _: None
    last = sync(warehouse, client, entity)
    assert last.resumed
    assert last.counts.deleted == 1
    assert client.asked.count(0) == 2
    written = history(warehouse)[-1]["configuration"]
    assert (written["strategy"], "no further back than" in written["because"]) == ("full", True)
    assert sync(warehouse, client, entity).strategy.name == "incremental"
    assert "because" not in history(warehouse)[-1]["configuration"]


def test_the_watermark_never_goes_back(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    client = FakeClient([person(1)], now=now)
    sync(warehouse, client)
    client.now = now - timedelta(seconds=0.5)
    sync(warehouse, client, settings=SyncSettings(lag_seconds=3600))
    first, second = history(warehouse)
    assert second["watermark"] == first["watermark"]


def test_a_watermark_ahead_of_the_sources_clock_is_corrected(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    client = FakeClient([person(1)], now=now + timedelta(days=300))
    sync(warehouse, client)
    client.now = now
    sync(warehouse, client)
    assert history(warehouse)[1]["watermark"] <= now


def test_a_failed_sync_moves_nothing_and_says_why(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    (row,) = history(warehouse)
    assert (row["status"], row["watermark"]) == ("failed", None)
    assert row["error_message"] == "the source broke"
    assert row["end_time"] is not None
    assert row["performance_metrics"]["api_calls"] == 2


# Dry runs and limits


def test_a_dry_run_writes_nothing_and_predicts_exactly(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(250)])
    sync(warehouse, client)
    client.records = [person(n) for n in range(100, 300)]
    client.records[0] = person(100, at=9, name="edited")
    before = rows(warehouse, "SELECT * FROM test_people ORDER BY id")
    predicted = sync(warehouse, client, dry_run=True, full=True, force=True).counts
    assert rows(warehouse, "SELECT * FROM test_people ORDER BY id") == before
    assert rows(warehouse, "SELECT * FROM ingestion_sync_keys") == []
    real = sync(warehouse, client, full=True, force=True).counts
    assert predicted == real == Counts(200, created=50, updated=1, unchanged=149, deleted=100)


def test_a_dry_run_of_a_table_that_does_not_exist_leaves_none(warehouse: Warehouse) -> None:
    counts = sync(warehouse, FakeClient([person(1)]), dry_run=True).counts
    assert counts == Counts(1, created=1)
    assert rows(warehouse, "SELECT to_regclass('test_people')") == [(None,)]


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 250])
def test_max_records_stops_exactly_there(warehouse: Warehouse, limit: int) -> None:
    client = FakeClient([person(n) for n in range(300)])
    assert sync(warehouse, client, max_records=limit).counts.processed == limit
    assert len(people(warehouse)) == limit


def test_a_limited_run_neither_follows_nor_leaves_a_checkpoint(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    client.before_page = fails_at(100)
    with pytest.raises(TransientError):
        sync(warehouse, client, max_records=250)
    assert history(warehouse)[1]["checkpoint"] is None
    client.before_page = lambda _: None
    client.asked.clear()
    assert sync(warehouse, client).resumed
    assert client.asked == [200]


# Crash and resume


def test_the_next_sync_resumes_where_the_last_one_failed(warehouse: Warehouse) -> None:
    client = FakeClient(
        [person(n) for n in range(500)], before_page=fails_at(300), now=datetime.now(UTC)
    )
    with pytest.raises(TransientError):
        sync(warehouse, client)
    first_start = client.now
    client.before_page = lambda _: None
    client.asked.clear()
    client.now += timedelta(hours=1)
    resumed = sync(warehouse, client)
    assert resumed.resumed
    assert client.asked == [300, 400]
    assert len(people(warehouse)) == 500
    first, second = history(warehouse)
    assert second["watermark"] <= first_start, "its early pages are as old as the first attempt"
    assert second["records_processed"] == 500, "it speaks for both attempts"
    assert second["configuration"]["resumes"] == first["id"]
    assert second["checkpoint"] is None


def test_failures_of_the_first_attempt_still_make_the_resumed_sync_partial(
    warehouse: Warehouse,
) -> None:
    records = [person(n) for n in range(300)]
    del records[5]["id"]
    client = FakeClient(records, before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    client.before_page = lambda _: None
    assert sync(warehouse, client).status == "partial"
    assert history(warehouse)[1]["records_failed"] == 1


@pytest.mark.parametrize(
    "flags", [{"full": True}, {"force": True}, {"skip_validation": True}], ids=str
)
def test_a_checkpoint_made_with_other_flags_is_dropped(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    client.before_page = lambda _: None
    client.asked.clear()
    assert not sync(warehouse, client, **flags).resumed
    assert client.asked == [0, 100, 200]


def test_a_checkpoint_too_old_for_its_cursor_is_dropped(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET end_time = end_time - interval '73 hours'"
        )
        connection.commit()
    client.before_page = lambda _: None
    assert not sync(warehouse, client).resumed


def test_a_checkpoint_that_leads_nowhere_twice_is_given_up(warehouse: Warehouse) -> None:
    """A cursor the source no longer takes must not fail every sync from then on."""
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client)
    client.before_page = fails_at(200, FatalError("that cursor has expired"))
    with pytest.raises(FatalError):
        sync(warehouse, client)
    client.asked.clear()
    client.before_page = lambda _: None
    sync(warehouse, client)
    assert client.asked[0] == 0
    assert len(people(warehouse)) == 300


# One at a time


def test_a_second_sync_is_refused_and_names_the_first(warehouse: Warehouse) -> None:
    first = start(warehouse, FakeClient([person(1)]), run_id="run-one")
    with pytest.raises(AlreadyRunning, match=rf"sync {first.sync_id} .*run run-one"):
        sync(warehouse, FakeClient([person(1)]))
    drain(first)
    assert sync(warehouse, FakeClient([person(1)])).status == "success"
    assert [row["status"] for row in history(warehouse)] == ["success", "success"]


def test_a_removal_and_its_entity_share_one_lock(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    running = start(warehouse, FakeClient(), PEOPLE_REMOVAL)
    with pytest.raises(AlreadyRunning, match="people_removal"):
        sync(warehouse, FakeClient([person(1)]))
    drain(running)


def test_a_sync_declared_dead_cannot_write_on(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)])
    begun = start(warehouse, client)

    def declare_dead(start_of_page: int) -> None:
        if start_of_page == 200:
            with warehouse.connection() as connection:
                sync_history.close_failed(
                    connection, begun.sync_id, "declared dead", reason="system"
                )

    client.before_page = declare_dead
    with pytest.raises(Fenced):
        drain(begun)
    assert len(people(warehouse)) <= 200
    (row,) = history(warehouse)
    assert (row["status"], row["error_message"]) == ("failed", "declared dead")


def test_rows_left_running_by_the_dead_are_closed_by_the_next_sync(warehouse: Warehouse) -> None:
    dead = start(warehouse, FakeClient([person(1)]))
    dead.session._pooled.invalidate()
    sync(warehouse, FakeClient([person(1)]))
    first, second = history(warehouse)
    assert (first["status"], second["status"]) == ("failed", "success")
    assert "died" in first["error_message"]


def test_the_reaper_closes_the_dead_and_leaves_the_living(warehouse: Warehouse) -> None:
    dead = start(warehouse, FakeClient([person(1)]))
    dead.session._pooled.invalidate()
    alive = start(warehouse, FakeClient(), THINGS)
    with warehouse.connection() as connection:
        assert sync_history.reap(connection) == [dead.sync_id]
    drain(alive)
    assert [row["status"] for row in history(warehouse)] == ["failed", "success"]


def test_the_reaper_ends_a_sync_that_hangs_and_frees_its_lock(warehouse: Warehouse) -> None:
    hanging = start(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET heartbeat = heartbeat - interval '31 minutes'"
        )
        connection.commit()
        assert sync_history.reap(connection) == [hanging.sync_id]
    assert sync(warehouse, FakeClient([person(1)])).status == "success"
    with pytest.raises(FatalError, match="the warehouse failed: terminating connection"):
        drain(hanging)
    assert [row["status"] for row in history(warehouse)] == ["failed", "success"]


def test_a_slow_source_keeps_the_heartbeat_going(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_history, "HEARTBEAT_SECONDS", 0.02)
    go_on = threading.Event()
    client = FakeClient([person(1)], before_page=lambda _: go_on.wait(10))
    begun = start(warehouse, client)
    beats: set[Any] = set()

    def watch(_: Any) -> None:
        beats.update(rows(warehouse, "SELECT heartbeat FROM ingestion_sync_history"))
        if len(beats) >= 3:
            go_on.set()

    drain(begun, watch)
    assert len(beats) >= 3


# Bad records


def test_a_bad_record_is_set_aside_and_its_neighbours_load(warehouse: Warehouse) -> None:
    records: list[Any] = [person(n) for n in range(100)]
    records[10] = {"name": "no id"}
    records[20] = "not a record"
    begun = sync(warehouse, FakeClient(records))
    assert begun.status == "partial"
    assert begun.counts == Counts(100, created=98, failed=2)
    assert begun.watermark is not None, "quarantine keeps what failed, so the watermark may move"
    entries = rows(warehouse, "SELECT stage, reason, payload FROM ingestion_quarantine ORDER BY id")
    assert len(entries) == 2
    assert '"no id"' in entries[0][2]


def test_a_row_the_database_refuses_is_found_by_halving(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([]))
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_people ADD CHECK (name <> 'Person 77')")
        connection.commit()
    begun = sync(
        warehouse,
        FakeClient([person(n) for n in range(1_000)]),
        settings=SyncSettings(load_rows=5_000),
    )
    assert begun.counts == Counts(1_000, created=999, failed=1)
    ((stage, record_id, reason, url),) = rows(
        warehouse, "SELECT stage, record_id, reason, url FROM ingestion_quarantine"
    )
    assert (stage, record_id) == ("load", "77")
    assert "violates check constraint" in reason
    assert url == "https://crm.example/people/77"


def test_an_error_that_names_a_secret_is_kept_without_it(warehouse: Warehouse) -> None:
    error = FatalError("GET https://crm.example refused Authorization: Bearer pat-na1-0123456789ab")
    with pytest.raises(FatalError):
        sync(warehouse, FakeClient([person(1)], before_page=fails_at(0, error)))
    (row,) = history(warehouse)
    assert "0123456789ab" not in row["error_message"]
    assert row["error_message"].startswith("GET https://crm.example refused")


def test_a_record_that_loads_after_all_leaves_the_quarantine(warehouse: Warehouse) -> None:
    strict = SyncSettings(mode="strict")
    sync(warehouse, FakeClient([person(1, balance="lots"), person(2)]), settings=strict)
    assert rows(warehouse, "SELECT record_id, tries FROM ingestion_quarantine") == [("1", 1)]
    sync(warehouse, FakeClient([person(1, balance="lots")]), settings=strict)
    assert rows(warehouse, "SELECT record_id, tries FROM ingestion_quarantine") == [("1", 2)]
    sync(warehouse, FakeClient([person(1, at=1, balance="3")]), settings=strict)
    assert rows(warehouse, "SELECT record_id FROM ingestion_quarantine") == []
    assert set(people(warehouse)) == {"1", "2"}


def test_when_most_records_fail_the_sync_fails(warehouse: Warehouse) -> None:
    records: list[Any] = [{"name": "no id"}] * 60 + [person(n) for n in range(40)]
    for number, record in enumerate(records[:60]):
        records[number] = {**record, "number": number}
    with pytest.raises(FatalError, match="60 of 100 records could not be stored"):
        sync(warehouse, FakeClient(records))
    (row,) = history(warehouse)
    assert (row["status"], row["watermark"], row["checkpoint"]) == ("failed", None, None)


# Deletes, merges, replacement


def test_a_full_read_marks_what_it_did_not_contain(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(100)])
    sync(warehouse, client)
    client.records = client.records[:90]
    assert sync(warehouse, client).counts.deleted == 0, "a delta says nothing about the absent"
    assert sync(warehouse, client, full=True).counts == Counts(90, unchanged=90, deleted=10)
    assert len(people(warehouse)) == 90
    client.records.append(person(95))
    assert sync(warehouse, client).counts.updated == 1
    assert "95" in people(warehouse), "a record that comes back loses its deleted_at"


@pytest.mark.parametrize("how", ["fails", "limited", "window"])
def test_a_partial_listing_never_deletes(warehouse: Warehouse, how: str) -> None:
    client = FakeClient([person(n) for n in range(300)])
    sync(warehouse, client)
    client.records = client.records[:250]
    if how == "fails":
        client.before_page = fails_at(200)
        with pytest.raises(TransientError):
            sync(warehouse, client, full=True)
    elif how == "limited":
        sync(warehouse, client, full=True, max_records=200)
    else:
        sync(warehouse, client, start_date="2020-01-01", end_date="2030-01-01")
    assert len(people(warehouse)) == 300


def test_a_resumed_full_read_still_knows_what_its_first_attempt_saw(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(300)])
    sync(warehouse, client)
    client.records = client.records[:290]
    client.before_page = fails_at(200)
    with pytest.raises(TransientError):
        sync(warehouse, client, full=True)
    client.before_page = lambda _: None
    resumed = sync(warehouse, client, full=True)
    assert resumed.resumed
    assert resumed.counts.deleted == 10
    assert len(people(warehouse)) == 290
    assert rows(warehouse, "SELECT * FROM ingestion_sync_keys") == []


def test_too_many_vanishing_at_once_are_refused_unless_forced(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(100)])
    sync(warehouse, client)
    client.records = client.records[:79]
    with pytest.raises(FatalError, match="21 of 100 live rows"):
        sync(warehouse, client, full=True)
    assert len(people(warehouse)) == 100
    assert history(warehouse)[-1]["status"] == "failed"
    client.records.append(person(79))
    assert sync(warehouse, client, full=True).counts.deleted == 20, "20 % is not more than 20 %"
    client.records = client.records[:10]
    assert sync(warehouse, client, force=True).counts.deleted == 70


def test_a_record_that_fails_to_load_has_not_vanished(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(10)])
    sync(warehouse, client)
    client.records[3] = person(3, at=1, balance="lots")
    begun = sync(warehouse, client, full=True, settings=SyncSettings(mode="strict"))
    assert begun.counts == Counts(10, unchanged=9, failed=1)
    assert len(people(warehouse)) == 10


def test_tombstones_from_a_feed_mark_their_rows(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(10)]))
    moment = datetime(2026, 2, 2, tzinfo=UTC)
    gone = [Tombstone(("3",), moment), Tombstone(("99",), moment)]
    counts = sync(warehouse, FakeClient([person(1)], tombstones=gone)).counts
    assert counts == Counts(3, updated=1, unchanged=2, deleted=1)
    assert rows(
        warehouse, "SELECT id, deleted_at FROM test_people WHERE deleted_at > '2000-1-1'"
    ) == [("3", moment)]


def test_merged_records_point_to_the_survivor_through_a_chain(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person("A"), person("B"), person("C")]))
    sync(warehouse, FakeClient([person("D", at=1, merged="A;B")]))
    sync(warehouse, FakeClient([person("E", at=2, merged="A;B;C;D")]))
    assert set(people(warehouse)) == {"E"}
    survivors = dict(rows(warehouse, "SELECT id, merged_into FROM test_people"))  # type: ignore[arg-type]
    assert survivors == {"A": "E", "B": "E", "C": "E", "D": "E", "E": None}


def test_a_late_copy_of_a_merged_record_does_not_bring_it_back(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person("A"), person("B")]))
    sync(warehouse, FakeClient([person("C", at=1, merged="A;B"), person("A", at=5)]))
    sync(
        warehouse, FakeClient([person("A", at=6), person("B")]), force=True, start_date="2020-01-01"
    )
    assert set(people(warehouse)) == {"C"}


def test_a_removal_marks_what_it_proved_gone(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(20)]))
    client = FakeClient(
        tombstones=[Tombstone(("3",)), Tombstone(("4",), merged_into="5")], confirmed=18
    )
    counts = sync(warehouse, client, PEOPLE_REMOVAL).counts
    assert counts == Counts(20, updated=2, unchanged=18, deleted=2)
    assert len(people(warehouse)) == 18
    assert rows(warehouse, "SELECT merged_into FROM test_people WHERE id = '4'") == [("5",)]


def test_a_removal_of_too_many_marks_none(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(20)]))
    client = FakeClient(tombstones=[Tombstone((str(n),)) for n in range(5)], confirmed=15)
    with pytest.raises(FatalError, match="5 of 20"):
        sync(warehouse, client, PEOPLE_REMOVAL)
    assert len(people(warehouse)) == 20


def test_a_replacement_is_what_the_source_holds_and_readers_see_no_gap(
    warehouse: Warehouse,
) -> None:
    sync(warehouse, FakeClient([person(n, at=9) for n in range(2_000)]))
    lowest: list[int] = []
    done = threading.Event()

    def read_all_the_time() -> None:
        with warehouse.connection() as connection:
            while not done.is_set():
                # A reader that had to wait for a lock would end here.
                connection.execute("SET LOCAL lock_timeout = '50ms'")
                found = connection.execute("SELECT count(*) FROM test_people").fetchone()
                connection.commit()
                lowest.append(found[0] if found else 0)

    reader = threading.Thread(target=read_all_the_time)
    reader.start()
    client = FakeClient([person(n, name="replaced") for n in range(500, 2_100)])
    begun = sync(warehouse, client, full=True, force=True)
    done.set()
    reader.join()
    assert begun.counts == Counts(1_600, created=100, updated=1_500, deleted=500)
    assert set(people(warehouse).values()) == {"replaced"}
    assert min(lowest) == 2_000
    assert len(lowest) > 1
    assert shadows(warehouse) == []


def test_an_interrupted_replacement_resumes_in_its_shadow(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n, at=9) for n in range(300)]))
    client = FakeClient([person(n, name="new") for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client, full=True, force=True)
    assert "new" not in people(warehouse).values(), "nothing is visible before the swap"
    row = history(warehouse)[-1]
    assert (row["records_processed"], row["records_created"]) == (200, 0)
    client.before_page = lambda _: None
    client.asked.clear()
    begun = sync(warehouse, client, full=True, force=True)
    assert client.asked == [200]
    assert begun.counts == Counts(300, updated=300)
    assert shadows(warehouse) == []


def test_an_abandoned_shadow_is_dropped_by_the_next_sync(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    client = FakeClient([person(n) for n in range(300)], before_page=fails_at(200))
    with pytest.raises(TransientError):
        sync(warehouse, client, full=True, force=True)
    client.before_page = lambda _: None
    sync(warehouse, client)
    assert shadows(warehouse) == []


# State and the lost connection


def test_the_sources_state_comes_back_at_the_next_sync(warehouse: Warehouse) -> None:
    client = FakeClient([{"id": "1"}], state={"etag": "abc"})
    sync(warehouse, client, THINGS)
    sync(warehouse, client, THINGS)
    sync(warehouse, client, THINGS, full=True)
    assert [dict(read.state) for read in client.reads] == [{}, {"etag": "abc"}, {}]


def test_a_state_is_not_trusted_when_the_rows_are_gone(warehouse: Warehouse) -> None:
    """An answer of 'unchanged' after somebody emptied the table would leave it empty, and green."""
    client = FakeClient([{"id": "1"}], state={"etag": "abc"})
    sync(warehouse, client, THINGS)
    with warehouse.connection() as connection:
        connection.execute("TRUNCATE test_things")
        connection.commit()
    sync(warehouse, client, THINGS)
    assert dict(client.reads[-1].state) == {}


def test_a_state_of_a_sync_that_failed_is_forgotten(warehouse: Warehouse) -> None:
    client = FakeClient([{"id": str(n)} for n in range(200)], state={"etag": "abc"})
    client.before_page = fails_at(100)
    with pytest.raises(TransientError):
        sync(warehouse, client, THINGS)
    client.before_page = lambda _: None
    sync(warehouse, client, THINGS)
    assert dict(client.reads[-1].state) == {}


def test_a_connection_lost_between_batches_is_replaced_and_nothing_is_doubled(
    warehouse: Warehouse,
) -> None:
    client = FakeClient([person(n) for n in range(500)])
    begun = start(warehouse, client)
    backend = begun.session.connection.info.backend_pid

    def kill_backend(start_of_page: int) -> None:
        if start_of_page == 200:
            rows(warehouse, "SELECT pg_terminate_backend(%s)", backend)

    client.before_page = kill_backend
    assert drain(begun).processed == 500
    assert len(people(warehouse)) == 500
    (row,) = history(warehouse)
    assert row["status"] == "success"


def test_a_warehouse_that_refuses_ends_in_a_failed_row(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(1)]))
    with warehouse.connection() as connection:
        connection.execute("DROP VIEW test_people_live")
        connection.execute("ALTER TABLE test_people ALTER COLUMN balance TYPE text")
        connection.commit()
    with pytest.raises(FatalError, match=r"balance is text .* numeric in the declaration"):
        sync(warehouse, FakeClient([person(1)]))
    assert history(warehouse)[1]["status"] == "failed"


def test_a_new_column_is_added_and_no_row_is_lost(warehouse: Warehouse) -> None:
    from dataclasses import replace

    from crm_sync_assets.declarations.columns import text

    sync(warehouse, FakeClient([person(1, colour="red"), person(2)]))
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, text("colour")))
    sync(warehouse, FakeClient([person(1, colour="red")]), wider)
    assert rows(warehouse, "SELECT id, colour, other FROM test_people ORDER BY id") == [
        ("1", "red", None),
        ("2", None, None),
    ]


def test_bad_flags_are_refused_before_anything_is_locked_or_written(warehouse: Warehouse) -> None:
    client = FakeClient([person(1)])
    with pytest.raises(UsageError):
        sync(warehouse, client, start_date="2025-99-99")
    with pytest.raises(UsageError):
        sync(warehouse, client, THINGS, start_date="2025-01-01")
    assert history(warehouse) == []
    assert client.reads == []


def test_the_page_size_is_clamped_to_what_the_source_takes(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeClient([person(1)])
    with caplog.at_level("INFO"):
        sync(warehouse, client, batch_size=5_000)
    assert client.reads[0].page_size == 1_000
    assert "batch_size 5000 is more than the source allows" in caplog.text


def test_the_log_says_how_a_sync_starts_and_ends(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        sync(warehouse, FakeClient([person(1), person(2)]))
    assert "Starting test people sync with 2 records" in caplog.text
    assert "Completed test people sync: 2 created, 0 updated, 0 failed" in caplog.text


def test_interrupting_a_sync_closes_its_row_and_frees_its_lock(warehouse: Warehouse) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    client = FakeClient([person(n) for n in range(300)])
    with pytest.raises(KeyboardInterrupt):
        sync(warehouse, client, progress=interrupt)
    (row,) = history(warehouse)
    assert row["status"] == "failed"
    assert row["error_message"].startswith("cancelled")
    assert sync(warehouse, client).resumed


def test_metrics_tell_what_the_sync_cost(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(200)]), settings=SETTINGS)
    metrics = history(warehouse)[0]["performance_metrics"]
    assert metrics["api_calls"] == 2
    assert metrics["records_per_api_call"] == 100
    assert metrics["success_rate"] == 1.0
    assert metrics["duration_seconds"] > 0
    assert metrics["peak_memory_mb"] > 10
