"""The board says what the rows say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from crm_sync_assets.dashboard.board import Board, read
from crm_sync_assets.dashboard.quotas import Quota, quotas
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.dashboard.conftest import ENTITIES, NOW, SETTINGS, add, board_of
from crm_sync_assets_tests.scripted import CALLS, FakeClient, person, sync


def test_each_entity_has_the_state_of_its_newest_syncs(board: Board) -> None:
    words = {state.entity.name: state.word(board.now) for state in board.states}
    assert words == {
        "test.people": "fresh",
        "test.things": "failed",
        "test.calls": "overdue",
        "other.calls": "never synced",
    }
    people, things, calls, _ = board.states
    assert people.complete_at == NOW - timedelta(minutes=59)
    assert people.watermark == NOW - timedelta(hours=1)
    assert people.pace is not None
    assert (people.pace.seconds, people.pace.baseline_seconds) == (60.0, 60.0)
    assert (things.watermark, things.pace) == (None, None)
    assert (calls.quarantined, calls.status) == (2, "partial")


def test_what_nobody_expects_every_day_is_not_overdue(filled: Warehouse) -> None:
    rare = (replace(CALLS, in_all=False),)

    def word(settings: SyncSettings) -> str:
        with filled.connection() as connection:
            board = read(connection, rare, days_back=30, now=NOW, settings=lambda _: settings)
        assert {one.rule for one in board.findings} >= {"quarantine"}
        return board.states[0].word(NOW)

    assert word(SyncSettings()) == "partial"
    assert word(SyncSettings(fresh_hours=24)) == "overdue"


def test_days_add_up_to_the_rows_of_history(board: Board) -> None:
    people = [day for day in board.days if day.sync_type == "people"]
    assert sum(day.success for day in people) == 7
    assert sum(day.created for day in people) == 49
    assert sum(day.updated for day in people) == 14
    assert sum(day.deleted for day in people) == 28
    assert sum(day.seconds for day in people) == 420
    assert sum(day.requests for day in people) == 70
    assert sum(day.rate_limit_hits for day in people) == 7
    assert len(people) >= 2
    assert {day.day for day in people} == {
        (NOW - timedelta(hours=hours)).date() for hours in (1, 2, 3, 25, 26, 27, 28)
    }
    [things] = [day for day in board.days if day.sync_type == "things"]
    assert (things.success, things.partial, things.failed) == (0, 0, 1)
    [calls] = [day for day in board.days if day.sync_type == "calls"]
    assert (calls.partial, calls.records_failed) == (1, 2)


def test_trials_and_verifications_count_by_their_requests_alone(filled: Warehouse) -> None:
    before = board_of(filled)
    add(filled, timedelta(minutes=1), kind="dry_run", watermark=None)
    proven = (NOW - timedelta(hours=3)).isoformat()
    metrics = {"api_calls": 5, "verified_through": proven}
    add(filled, timedelta(), kind="verify", watermark=None, performance_metrics=metrics)
    after = board_of(filled)

    def totals(board: Board) -> tuple[int, ...]:
        return tuple(
            sum(getattr(day, name) for day in board.days)
            for name in ("success", "created", "deleted", "requests")
        )

    success, created, deleted, requests = totals(before)
    assert totals(after) == (success, created, deleted, requests + 15)
    assert before.states[0].verified_at is None
    assert after.states[0].verified_through == NOW - timedelta(hours=3)
    add(
        filled,
        -timedelta(minutes=2),
        kind="verify",
        status="failed",
        reason="data",
        error_message="2 missing",
        watermark=None,
        performance_metrics={"verified_through": None},
    )
    newest = board_of(filled).states[0]
    assert newest.verified_at is not None
    assert newest.verified_through is None, "what was proven before is proven no more"


def test_a_running_sync_is_no_failure_and_no_end(filled: Warehouse) -> None:
    add(filled, timedelta(minutes=5), sync_type="things", status="running", end_time=None)
    things = board_of(filled).states[1]
    assert things.is_running
    assert things.word(NOW) == "failed"


def test_the_period_is_of_utc_days_and_today_is_one(filled: Warehouse) -> None:
    assert {day.day for day in board_of(filled, days_back=1).days} <= {NOW.date()}
    assert board_of(filled, days_back=2).since.date() == NOW.date() - timedelta(days=1)


def test_reasons_are_counted_and_errors_carry_no_personal_value(board: Board) -> None:
    [reason] = board.set_aside
    assert (reason.name, reason.records, reason.field) == ("test.calls", 2, "started")
    [failure] = board.failures
    assert "jane" not in failure.error
    assert failure.error.startswith("answered 401")


def test_alerts_are_what_is_wrong_now_whoever_is_told(board: Board) -> None:
    found = {(one.rule, one.subject) for one in board.findings}
    assert found == {("failed", "test.things"), ("quarantine", "test.calls"),
                     ("overdue", "test.calls")}  # fmt: skip


def test_only_the_entities_asked_for_are_on_it(filled: Warehouse) -> None:
    with filled.connection() as connection:
        board = read(connection, ENTITIES[:1], days_back=30, now=NOW, settings=lambda _: SETTINGS)
    assert [state.entity.name for state in board.states] == ["test.people"]
    assert {day.sync_type for day in board.days} == {"people"}
    assert not board.failures
    assert not board.set_aside
    assert not [one for one in board.findings if one.subject == "test.things"]


def test_rows_of_a_table_are_told_before_and_after_it_was_analysed(warehouse: Warehouse) -> None:
    assert board_of(warehouse).states[0].rows is None
    sync(warehouse, FakeClient([person(n) for n in range(30)]))
    with warehouse.connection() as connection:
        connection.execute("ANALYZE test_people")
        connection.commit()
    assert board_of(warehouse).states[0].rows == 30


def test_a_quota_is_what_the_longest_window_holds_and_ended_syncs_took(
    filled: Warehouse,
) -> None:
    old = {"api_calls": 3}
    add(filled, timedelta(minutes=10), kind="refresh", watermark=None, performance_metrics=old)
    windows = {
        "test": [("burst", 10, 1.0), ("day", 1000, 86_400.0), ("hour", 100, 3_600.0)],
        "other": [("burst", 10, 1.0)],
    }
    with filled.connection() as connection:
        found = quotas(connection, windows, NOW)
    assert found == [Quota("test", "day", 1000, 86_400.0, used=3 * 200 + 3)]
