"""The asset checks: all pass after a good sync, and each fails for a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from crm_sync_assets.errors import TransientError
from crm_sync_assets.orchestration.asset_checks import fresh
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, instance_in
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS, FakeClient, person, sync


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance)


def good(count: int = 100) -> FakeClient:
    return FakeClient([person(n) for n in range(count)])


def broken(_: int) -> None:
    raise TransientError("the source broke")


def test_all_pass_in_the_run_of_a_good_sync(runs: Runs) -> None:
    runs.source.client = good()
    found = runs.run().get_asset_check_evaluations()
    assert {one.check_name: one.passed for one in found} == {
        "primary_key": True,
        "last_sync": True,
        "failure_rate": True,
        "fresh": True,
        "not_suddenly_empty": True,
    }
    assert all(one.severity == dg.AssetCheckSeverity.ERROR for one in found)
    assert runs.failing_checks() == {}


def test_before_the_first_sync_only_what_can_be_said_is_said(runs: Runs) -> None:
    assert runs.failing_checks() == {
        "primary_key": "there is no table test_people yet",
        "last_sync": "it was never synced",
        "fresh": "there was no complete sync yet",
    }


@pytest.mark.parametrize("with_null", [False, True], ids=["doubled", "empty"])
def test_a_lost_primary_key_and_a_bad_row_are_found(
    runs: Runs, warehouse: Warehouse, with_null: bool
) -> None:
    sync(warehouse, good())
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_people DROP CONSTRAINT test_people_pkey")
        connection.execute("ALTER TABLE test_people ALTER id DROP NOT NULL")
        connection.commit()
        assert runs.failing_checks() == {}
        connection.execute(
            "INSERT INTO test_people (id, name) VALUES (%s, 'x')", (None if with_null else "1",)
        )
        connection.commit()
    said = runs.failing_checks()
    assert said.keys() == {"primary_key"}
    expected = "0 rows repeat another's key, 1 have none" if with_null else "1 rows repeat"
    assert expected in said["primary_key"]


def test_a_failed_last_sync_is_found(runs: Runs, warehouse: Warehouse) -> None:
    sync(warehouse, good())
    client = good()
    client.before_page = broken
    with pytest.raises(TransientError):
        sync(warehouse, client)
    assert runs.failing_checks() == {"last_sync": "sync 2: failed (the source broke)"}


def test_neither_a_dry_run_nor_a_report_from_outside_hides_a_failed_sync(
    runs: Runs, warehouse: Warehouse
) -> None:
    client = good()
    client.before_page = broken
    with pytest.raises(TransientError):
        sync(warehouse, client)
    sync(warehouse, good(), dry_run=True)
    sync(warehouse, good(), max_records=5)
    with warehouse.connection() as connection:
        connection.execute(
            "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
            "status, configuration) VALUES ('test', 'people', now(), now(), 'success', "
            """'{"mirrored_event": "1"}')"""
        )
        connection.commit()
    assert "last_sync" in runs.failing_checks()


def test_more_than_five_percent_failed_is_found(runs: Runs, warehouse: Warehouse) -> None:
    records = [person(n, at=1) for n in range(95)] + [{"id": None} for _ in range(5)]
    sync(warehouse, FakeClient(records))
    assert runs.failing_checks() == {}
    records = [person(n, at=2) for n in range(93)] + [{"id": None} for _ in range(6)]
    sync(warehouse, FakeClient(records))
    assert runs.failing_checks() == {"failure_rate": "6 of 99 records failed"}


def test_only_a_complete_sync_makes_it_fresh(
    runs: Runs, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    sync(warehouse, good())
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET start_time = start_time - interval '27 hours', "
            "end_time = end_time - interval '27 hours'"
        )
        connection.commit()
    sync(warehouse, good(), start_date="2026-01-01", end_date="2026-02-01")
    said = runs.failing_checks()
    assert said.keys() == {"fresh"}
    assert said["fresh"].endswith("expected every 26 hours")
    environment.setenv("CRM_SYNC_TEST__PEOPLE__FRESH_HOURS", "30")
    assert runs.failing_checks() == {}
    environment.delenv("CRM_SYNC_TEST__PEOPLE__FRESH_HOURS")
    sync(warehouse, good())
    assert runs.failing_checks() == {}


def test_what_nobody_expects_is_not_stale(runs: Runs, warehouse: Warehouse) -> None:
    seldom = replace(PEOPLE, in_all=False)
    with warehouse.connection() as connection:
        judged = fresh(connection, CRM, seldom)
        assert (judged.passed, judged.finding) == (True, "there was no complete sync yet")


def test_they_tell_numbers_that_plot(runs: Runs) -> None:
    runs.source.client = FakeClient([person(n) for n in range(3)] + [{"id": None}])
    numbers = {
        one.check_name: {name: value.value for name, value in one.metadata.items()}
        for one in runs.run().get_asset_check_evaluations()
    }
    assert numbers["primary_key"] == {"doubled": 0, "without_key": 0}
    assert numbers["failure_rate"] == {"failed": 1, "processed": 4, "failed_percent": 25.0}
    assert numbers["not_suddenly_empty"] == {"newest": 4, "before": 0}
    assert numbers["last_sync"].keys() == {"sync_id", "duration_seconds"}
    assert numbers["fresh"].keys() == {"hours_since", "hours_allowed"}
    assert 0 <= numbers["fresh"]["hours_since"] < 1


def test_a_full_read_of_nothing_is_found_but_not_a_quiet_day(
    runs: Runs, warehouse: Warehouse
) -> None:
    sync(warehouse, good())
    sync(warehouse, FakeClient())
    assert runs.failing_checks() == {}, "a delta of nothing"
    sync(warehouse, FakeClient(), full=True, force=True)
    assert runs.failing_checks() == {
        "not_suddenly_empty": "0 records in the last full read, 100 before"
    }


def test_a_source_that_says_nothing_changed_is_not_empty(runs: Runs, warehouse: Warehouse) -> None:
    client = good()
    client.state = {"etag": "1"}
    sync(warehouse, client, THINGS)
    with warehouse.connection() as connection:
        # What such a sync leaves: a complete read of nothing, under the same state.
        connection.execute(
            "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
            "status, configuration, watermark) SELECT crm_source, sync_type, now(), now(), "
            "'success', configuration, now() FROM ingestion_sync_history"
        )
        connection.commit()
        assert runs.failing_checks(THINGS) == {}
        connection.execute(
            "UPDATE ingestion_sync_history SET configuration = configuration - 'source_state' "
            "WHERE id = (SELECT max(id) FROM ingestion_sync_history)"
        )
        connection.commit()
    assert runs.failing_checks(THINGS).keys() == {"not_suddenly_empty"}
