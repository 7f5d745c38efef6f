"""What Dagster's catalogue shows as filled is what syncs proved, however they were started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.storage.runs import SqlRunStorage

from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.partitions import partitions
from crm_sync_assets.orchestration.sensors import mirror_all
from crm_sync_assets.settings import PartitionUnit
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import FIRST_DAY, Runs, Source, instance_in, reason, told
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS, FakeClient, history, person

KEY = asset_key(PEOPLE)
SOME = Flag("some", "Only some of them.", filters=True)


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        client = FakeClient([person(n) for n in range(10)])
        yield Runs(instance, source=Source(client))


def keys(unit: PartitionUnit = "month") -> list[str]:
    return list(partitions(unit, FIRST_DAY).get_partition_keys())


def shown(runs: Runs) -> list[str]:
    return sorted(runs.instance.get_materialized_partitions(KEY))


def strategies(warehouse: Warehouse) -> list[str]:
    return [row["configuration"]["strategy"] for row in history(warehouse)]


EVERYTHING = (keys()[0], keys()[-1])
LAST_MONTH = keys()[-2]


def shown_as_failed(runs: Runs) -> list[str]:
    """The red ones, as the UI counts them."""
    definition = partitions("month", FIRST_DAY)
    status = get_and_update_asset_status_cache_value(runs.instance, KEY, definition)
    assert status is not None
    return sorted(status.deserialize_failed_partition_subsets(definition).get_partition_keys())


@contextmanager
def failing(runs: Runs) -> Iterator[None]:
    """The source is gone after its first page."""
    client = runs.source.client
    assert isinstance(client, FakeClient)
    size, before = client.page_size, client.before_page

    def fail(start: int) -> None:
        if start:
            raise OSError("the source is gone")

    client.page_size, client.before_page = 2, fail
    yield
    client.page_size, client.before_page = size, before


@contextmanager
def asked_for_last_month() -> Iterator[None]:
    """Runs of these moments were asked for a minute before this month began."""
    moment = datetime.fromisoformat(keys()[-1]) - timedelta(minutes=1)
    add = SqlRunStorage._core_add_run

    def add_then(self: SqlRunStorage, values: dict[str, Any], tags: Mapping[str, str]) -> None:
        add(self, {**values, "create_timestamp": moment}, tags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlRunStorage, "_core_add_run", add_then)
        yield


@pytest.mark.parametrize(
    ("unit", "first", "second"),
    [
        ("month", "2026-01-01", "2026-02-01"),
        ("week", "2025-12-29", "2026-01-05"),
        ("day", "2026-01-01", "2026-01-02"),
    ],
)
def test_the_first_day_lies_in_the_first_partition_and_now_in_the_last(
    unit: PartitionUnit, first: str, second: str
) -> None:
    definition = partitions(unit, FIRST_DAY)
    assert definition.get_partition_keys()[:2] == [first, second]
    last = definition.time_window_for_partition_key(definition.get_partition_keys()[-1])
    assert last.start <= datetime.now(UTC) < last.end
    today = datetime.now(UTC).date()
    assert len(partitions(unit, today).get_partition_keys()) == 1


# What fills them


@pytest.mark.parametrize("unit", ["month", "week", "day"])
@pytest.mark.parametrize("how", ["no key", "the last key", "all"])
def test_a_first_sync_fills_every_partition(
    runs: Runs, warehouse: Warehouse, how: str, unit: PartitionUnit
) -> None:
    runs.unit = unit
    last = keys(unit)[-1]
    window: dict[str, Any] = {
        "no key": {},
        "the last key": {"key": last},
        "all": {"days": (keys(unit)[0], last)},
    }[how]
    assert runs.run(PEOPLE, THINGS, **window).success
    assert shown(runs) == keys(unit)
    first, _ = history(warehouse)
    assert first["watermark"] is not None
    (newest,) = runs.instance.fetch_materializations(KEY, limit=1).records
    assert newest.partition_key == (None if how == "no key" else last)
    with warehouse.connection() as connection:
        assert mirror_all(runs.instance, connection, [PEOPLE, THINGS], {}) == 0


def test_all_partitions_are_a_complete_read_that_moves_the_watermark_and_finds_deletions(
    runs: Runs, warehouse: Warehouse
) -> None:
    runs.run()
    client = runs.source.client
    assert isinstance(client, FakeClient)
    del client.records[0]
    client.now += timedelta(seconds=5)
    assert runs.run(days=EVERYTHING).success
    first, second = history(warehouse)
    assert second["configuration"]["strategy"] == "full"
    assert second["watermark"] > first["watermark"]
    assert second["performance_metrics"]["deleted"] == 1


def test_all_partitions_with_force_overwrite_and_replace_nothing(
    runs: Runs, warehouse: Warehouse
) -> None:
    runs.run()
    assert runs.run(days=EVERYTHING, config={"force": True}).success
    client = runs.source.client
    assert isinstance(client, FakeClient)
    strategy = client.reads[-1].strategy
    assert (strategy.overwrite, strategy.replaces) == (True, False)


def test_a_delta_after_the_month_has_passed_fills_the_new_partition_and_those_without_proof(
    runs: Runs,
) -> None:
    """The watermark says that nothing before it is missing, whatever the unit was then."""
    runs.unit = "month"
    assert runs.run(key=keys()[-1]).success
    runs.unit = "week"
    assert set(keys("week")) - set(shown(runs))
    assert runs.run(key=keys("week")[-1]).success
    assert set(keys("week")) <= set(shown(runs))


def test_the_first_partition_has_everything_before_it_too(runs: Runs, warehouse: Warehouse) -> None:
    assert runs.run(key=keys()[0]).success
    assert shown(runs) == keys()[:1]
    (row,) = history(warehouse)
    assert row["configuration"]["since"] is None
    assert row["configuration"]["until"].startswith(keys()[1])
    assert row["watermark"] is None


def test_a_window_of_dates_fills_the_partitions_within_it(runs: Runs) -> None:
    assert runs.run(config={"start_date": "2026-02-15", "end_date": "2026-05-02"}).success
    assert shown(runs) == ["2026-03-01", "2026-04-01"]
    assert runs.run(config={"end_date": "2026-02-02"}).success
    assert shown(runs) == ["2026-01-01", "2026-03-01", "2026-04-01"]


def test_a_window_up_to_now_fills_the_present_one_and_not_the_first(runs: Runs) -> None:
    assert runs.run(config={"start_date": "2026-01-01"}).success
    assert shown(runs) == keys()[1:]


def test_what_was_read_as_a_window_with_the_last_key_fills_what_it_read(runs: Runs) -> None:
    """In the UI a run has to be for a partition, whatever its dates."""
    assert runs.run(
        key=keys()[-1], config={"start_date": "2026-02-15", "end_date": "2026-05-02"}
    ).success
    assert shown(runs) == ["2026-03-01", "2026-04-01"]


@pytest.mark.parametrize(
    "config", [{"max_records": 2}, {"dry_run": True}, {"some": "yes"}], ids=str
)
@pytest.mark.parametrize(
    "window", [{}, {"key": keys()[-1]}, {"key": keys()[2]}, {"days": EVERYTHING}], ids=str
)
def test_a_part_of_the_records_fills_no_partition(
    runs: Runs, warehouse: Warehouse, config: dict[str, Any], window: dict[str, Any]
) -> None:
    runs.crm = replace(CRM, flags=(SOME,))
    result = runs.run(**window, config=config)
    assert result.success, reason(result)
    assert shown(runs) == []
    (row,) = history(warehouse)
    stored = told(result)
    assert len(stored) == (0 if "dry_run" in config else 1)
    if stored:
        assert stored[0].metadata["sync_id"].value == row["id"]
        assert stored[0].metadata["dagster/row_count"].value == row["records_created"]
    with warehouse.connection() as connection:
        assert mirror_all(runs.instance, connection, [PEOPLE], {}) == 0


@pytest.mark.parametrize("window", [{}, {"key": keys()[-1]}, {"days": EVERYTHING}], ids=str)
def test_a_sync_that_fails_fills_nothing(runs: Runs, window: dict[str, Any]) -> None:
    with failing(runs):
        assert not runs.run(**window).success
    assert shown(runs) == []


# What time does to them


def test_a_delta_that_waits_while_the_month_ends_is_still_a_delta(
    runs: Runs, warehouse: Warehouse
) -> None:
    assert runs.run().success
    with asked_for_last_month():
        assert runs.run(key=LAST_MONTH).success
    assert runs.run(key=LAST_MONTH).success
    assert strategies(warehouse) == ["initial_full", "incremental", "manual"]
    _, delta, window = history(warehouse)
    assert delta["watermark"] is not None
    assert window["watermark"] is None


def test_a_full_read_that_waits_while_the_month_ends_is_still_one(
    runs: Runs, warehouse: Warehouse
) -> None:
    """As the weekly schedule asks for it: all partitions there were, and the flag."""
    with asked_for_last_month():
        result = runs.run(days=(keys()[0], LAST_MONTH), for_all={"full": True})
    assert result.success, reason(result)
    (row,) = history(warehouse)
    assert row["configuration"]["strategy"] == "full"
    assert row["watermark"] is not None
    assert shown(runs) == keys()


def test_a_partition_whose_last_delta_failed_is_filled_by_the_next_month(runs: Runs) -> None:
    """No schedule ever runs for it again, and what it had not read is read."""
    assert runs.run().success
    with failing(runs), asked_for_last_month():
        assert not runs.run(key=LAST_MONTH).success
    assert shown_as_failed(runs) == [LAST_MONTH]
    assert runs.run(key=keys()[-1]).success
    assert shown_as_failed(runs) == []


@pytest.mark.parametrize(
    ("window", "failed"),
    [({"key": LAST_MONTH}, [LAST_MONTH]), ({"days": EVERYTHING}, keys()[:-1])],
    ids=["a window", "a full read"],
)
def test_what_a_delta_does_not_make_up_for_is_shown_as_failed_until_it_is_repeated(
    runs: Runs, window: dict[str, Any], failed: list[str]
) -> None:
    assert runs.run().success
    with failing(runs):
        assert not runs.run(**window).success
    assert runs.run(key=keys()[-1]).success
    assert shown_as_failed(runs) == failed
    assert runs.run(**window).success
    assert shown_as_failed(runs) == []
