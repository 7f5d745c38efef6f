"""Rules over what syncs took and brought, each from its first sign until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.operations import alerts
from crm_sync_assets.operations.channels import Channels
from crm_sync_assets.operations.health import examine
from crm_sync_assets.operations.incidents import Incident
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests import past
from crm_sync_assets_tests.scripted import CALLS, PEOPLE, THINGS

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ENTITIES = {entity.name: entity for entity in (PEOPLE, THINGS, CALLS)}
LIMITS = Limits(rate_limit_hits=50, failure_rate=0.05, failure_syncs=20)


def add(
    warehouse: Warehouse,
    ago: timedelta,
    *,
    took: timedelta = MINUTE,
    strategy: str = "incremental",
    metrics: dict[str, Any] | None = None,
    span: dict[str, Any] | None = None,
    **values: Any,
) -> int:
    """A sync of people that began `ago`; complete unless it failed."""
    started = NOW - ago
    ended = None if values.get("status") == "running" else started + took
    complete = values.get("status", "success") == "success"
    given = {"records_processed": 5, "records_updated": 5, **values}
    if values.get("status") == "failed":
        given = {"error_message": "answered 500", "reason": "system", **given}
    return past.add(
        warehouse,
        start_time=started,
        end_time=ended,
        heartbeat=NOW,
        watermark=started if complete else None,
        configuration={"strategy": strategy, "since": None, "until": None, **(span or {})},
        performance_metrics=metrics or {},
        **given,
    )


def found(
    warehouse: Warehouse, *rules: str, settings: SyncSettings | None = None
) -> Sequence[Incident]:
    """What is open now of these rules, after an evaluation."""
    done = alerts.evaluate(
        warehouse,
        Channels(),
        ENTITIES,
        silence=timedelta(hours=1000),
        limits=LIMITS,
        repeat=timedelta(hours=24),
        settings=lambda _: settings or SyncSettings(fresh_hours=10_000),
        now=NOW,
    )
    return [one for one in done.open if one.rule in rules]


# Slow


def test_a_sync_far_above_its_baseline_is_slow_until_one_is_not(warehouse: Warehouse) -> None:
    for n in range(5, 10):
        add(warehouse, n * HOUR)
    add(warehouse, 4 * HOUR, took=timedelta(minutes=2, seconds=59))
    assert not found(warehouse, "slow"), "within the factor"
    add(warehouse, 3 * HOUR, took=timedelta(minutes=4))
    [slow] = found(warehouse, "slow")
    assert (slow.subject, slow.size) == ("test.people", 240)
    assert slow.what == "its incremental sync took 240 s, where 60 s are usual"
    assert not found(warehouse, "slow", settings=SyncSettings(slow_factor=5, fresh_hours=10_000))
    add(warehouse, 2 * HOUR)
    assert not found(warehouse, "slow")


def test_what_is_slow_in_parts_of_a_minute_is_nobodys_trouble(warehouse: Warehouse) -> None:
    for n in range(2, 9):
        add(warehouse, n * HOUR, took=timedelta(seconds=1))
    add(warehouse, HOUR, took=timedelta(seconds=50))
    assert not found(warehouse, "slow")
    assert found(warehouse, "slow", settings=SyncSettings(slow_seconds=10, fresh_hours=10_000))


def test_a_full_read_is_not_measured_by_deltas_nor_by_four_of_its_kind(
    warehouse: Warehouse,
) -> None:
    for n in range(20, 40):
        add(warehouse, n * HOUR)
    for n in range(10, 14):
        add(warehouse, n * HOUR, strategy="full")
    add(warehouse, 5 * HOUR, strategy="full", took=HOUR)
    assert not found(warehouse, "slow")
    add(warehouse, 3 * HOUR, strategy="full", took=HOUR)
    assert found(warehouse, "slow"), "now there are five before it, with a median of a minute"


def test_a_running_sync_is_slow_before_it_ends_and_a_failed_one_hides_nothing(
    warehouse: Warehouse,
) -> None:
    for n in range(10, 16):
        add(warehouse, n * HOUR)
    add(warehouse, 2 * HOUR, status="running")
    [slow] = found(warehouse, "slow")
    assert "is at it for 7,200 s" in slow.what
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET status = 'success', end_time = %s "
            "WHERE status = 'running'",
            (NOW - HOUR,),
        )
        connection.commit()
    add(warehouse, MINUTE, status="failed")
    assert [one.id for one in found(warehouse, "slow")] == [slow.id]


# Nothing


@pytest.mark.parametrize("per_day", [1, 24])
def test_a_day_without_records_after_days_that_all_had_some(
    warehouse: Warehouse, per_day: int
) -> None:
    every = timedelta(days=1) / per_day
    for n in range(per_day, 8 * per_day):
        add(warehouse, n * every, records_processed=5 if n % per_day == 0 else 0)
    assert not found(warehouse, "nothing")
    for n in range(per_day):
        add(warehouse, n * every, records_processed=0)
    [odd] = found(warehouse, "nothing")
    assert odd.advice == "crm-sync verify test people"
    assert odd.size == per_day
    since = NOW - (per_day - 1) * every
    assert odd.what == (
        f"{per_day} {'delta' if per_day == 1 else 'deltas'} since {since:%Y-%m-%d %H:%M} UTC "
        "brought no record, where each of the 7 days before brought some"
    )
    more = SyncSettings(expected_days=8, fresh_hours=10_000)
    assert found(warehouse, "nothing", settings=more), "what is open is open until it is over"
    off = SyncSettings(expected_days=0, fresh_hours=10_000)
    assert not found(warehouse, "nothing", settings=off)
    assert not found(warehouse, "nothing", settings=more), "only seven days are known"


def test_nothing_lasts_until_records_come_however_many_days(warehouse: Warehouse) -> None:
    day = timedelta(days=1)
    for n in range(3, 12):
        add(warehouse, n * day)
    for n in (2, 1, 0):
        add(warehouse, n * day, records_processed=0)
        assert found(warehouse, "nothing"), f"{n} days ago"
    add(warehouse, -MINUTE, records_processed=1)
    assert not found(warehouse, "nothing")


def test_where_a_day_without_records_is_usual_it_is_not_odd(warehouse: Warehouse) -> None:
    day = timedelta(days=1)
    for n in range(1, 20):
        add(warehouse, n * day, records_processed=0 if n % 7 == 0 else 5)
    add(warehouse, 0 * day, records_processed=0)
    assert not found(warehouse, "nothing")


# Rate limits


def test_answers_429_of_a_day_add_up_over_a_crm_and_fade(warehouse: Warehouse) -> None:
    hits = {"rate_limit_hits": 20}
    add(warehouse, 30 * HOUR, metrics=hits)
    add(warehouse, 20 * HOUR, metrics=hits)
    add(warehouse, 10 * HOUR, metrics={"rate_limit_hits": 29}, status="failed", sync_type="things")
    assert not found(warehouse, "throttled"), "49 within the day"
    add(warehouse, 5 * HOUR, metrics={"rate_limit_hits": 1}, kind="verify")
    [throttled] = found(warehouse, "throttled")
    assert (throttled.subject, throttled.size) == ("test", 50)
    assert throttled.since == NOW - 20 * HOUR
    assert throttled.what.startswith("50 requests were answered with 429 within a day: ")
    assert "CRM_SYNC_TEST__RATE_WINDOWS" in throttled.advice
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET start_time = start_time - '5h'::interval"
        )
        connection.commit()
    assert not found(warehouse, "throttled")


# The share of failures


def test_over_five_percent_of_a_days_syncs_failed(warehouse: Warehouse) -> None:
    for n in range(19):
        add(warehouse, n * HOUR)
    add(warehouse, 19 * HOUR, status="failed", sync_type="things")
    assert not found(warehouse, "failure_rate"), "5 % is not over 5 %"
    add(warehouse, 20 * HOUR, status="failed", reason="cancelled")
    add(warehouse, 25 * HOUR, status="failed")
    add(warehouse, 19 * HOUR, status="failed", kind="dry_run")
    assert not found(warehouse, "failure_rate"), "neither cancelled, nor yesterday's, nor trials"
    add(warehouse, 18 * HOUR, status="failed", sync_type="calls")
    [rate] = found(warehouse, "failure_rate")
    assert rate.subject == "everything"
    assert rate.what == "2 of 21 syncs failed within a day (10%, of 2 entities); 5% may"
    for n in range(20):
        add(warehouse, n * HOUR, sync_type="things")
    assert not found(warehouse, "failure_rate")


def test_one_failure_of_three_alarms_once(warehouse: Warehouse) -> None:
    for n in (3, 2):
        add(warehouse, n * HOUR)
    add(warehouse, HOUR, status="failed")
    assert [one.rule for one in found(warehouse, "failed", "failure_rate")] == ["failed"]


def test_the_limits_are_those_of_the_environment(environment: pytest.MonkeyPatch) -> None:
    assert Limits.of(read_environment()) == LIMITS
    environment.setenv("CRM_SYNC_ALERT_RATE_LIMIT_HITS", "7")
    environment.setenv("CRM_SYNC_ALERT_FAILURE_RATE", "0.2")
    environment.setenv("CRM_SYNC_ALERT_FAILURE_SYNCS", "3")
    assert Limits.of(read_environment()) == Limits(7, 0.2, 3)


# Reads that failed and that no delta makes good


def days_ago(days: int) -> str:
    return (NOW - timedelta(days=days)).date().isoformat() + "T00:00:00+00:00"


def owed(warehouse: Warehouse) -> list[str]:
    """The commands that alerts name; health must say the same."""
    told = [one.advice for one in found(warehouse, "unrepeated")]
    with warehouse.connection() as connection:
        problems = examine(connection, ENTITIES, crm=None, now=NOW).problems
        ours = [str(one) for one in problems if "repeat it" in str(one)]
        other = examine(connection, ENTITIES, crm="other", now=NOW).problems
    assert len(ours) == len(told)
    assert all(command in line for command, line in zip(told, ours, strict=True))
    assert not [one for one in other if "repeat it" in str(one)]
    return told


@pytest.mark.parametrize(
    ("strategy", "span", "command"),
    [
        ("full", {}, "crm-sync test people --full"),
        (
            "manual",
            {"since": days_ago(90)},
            f"crm-sync test people --start-date={days_ago(90)[:10]}",
        ),
        (
            "manual",
            {"since": "2026-01-01T00:00:00+00:00", "until": "2026-02-01T00:00:00+00:00"},
            "crm-sync test people --start-date=2026-01-01 --end-date=2026-02-01",
        ),
    ],
    ids=["full", "resweep", "window"],
)
def test_a_read_that_failed_is_owed_although_deltas_end_well(
    warehouse: Warehouse, strategy: str, span: dict[str, Any], command: str
) -> None:
    add(warehouse, 9 * HOUR)
    add(warehouse, 8 * HOUR, strategy=strategy, span=span, status="failed")
    assert owed(warehouse) == [], "that the newest sync failed is told as such"
    assert found(warehouse, "failed")
    add(warehouse, 7 * HOUR)
    add(warehouse, 6 * HOUR, kind="dry_run", strategy="full")
    assert owed(warehouse) == [command]
    [told] = found(warehouse, "unrepeated")
    assert told.what.endswith(
        "again failed (sync 2), and only deltas ended well since: answered 500"
    )
    assert not found(warehouse, "failed")
    add(warehouse, 5 * HOUR, strategy=strategy, span=span, status="failed")
    add(warehouse, 4 * HOUR)
    assert owed(warehouse) == [command], "once, the newest"
    add(warehouse, 3 * HOUR, strategy=strategy, span=span)
    assert owed(warehouse) == []


def test_a_whole_read_and_the_next_resweep_make_good_what_failed_and_a_shorter_one_does_not(
    warehouse: Warehouse,
) -> None:
    week = timedelta(days=7)
    resweep: dict[str, Any] = {"strategy": "manual", "span": {"since": days_ago(97)}}
    add(warehouse, week, **resweep, status="failed")
    add(warehouse, 5 * HOUR)
    add(warehouse, 4 * HOUR, strategy="manual", span={"since": days_ago(30)})
    assert owed(warehouse)
    add(warehouse, 3 * HOUR, strategy="manual", span={"since": days_ago(90)})
    assert owed(warehouse) == [], "90 days back from its own start, as the one a week ago"
    add(warehouse, 2 * HOUR, **resweep, status="failed")
    add(warehouse, HOUR, strategy="full")
    assert owed(warehouse) == []


def test_a_resweep_does_not_make_good_a_full_read_nor_a_cancelled_one_owe_anything(
    warehouse: Warehouse,
) -> None:
    add(warehouse, 9 * HOUR, strategy="full", status="failed", reason="cancelled")
    add(warehouse, 8 * HOUR)
    assert owed(warehouse) == []
    add(warehouse, 7 * HOUR, strategy="full", status="failed")
    add(warehouse, 6 * HOUR, strategy="manual", span={"since": days_ago(400)})
    assert owed(warehouse) == ["crm-sync test people --full"]
