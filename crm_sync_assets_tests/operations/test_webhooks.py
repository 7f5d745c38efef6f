"""Records that webhooks named are read and stored; nothing of it counts as a sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.declarations.proofs import Token
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.declarations.webhooks import Event, Webhooks
from crm_sync_assets.engine import session as session_module
from crm_sync_assets.errors import (
    AlreadyRunning,
    BadRequest,
    Deferred,
    SyncError,
    TransientError,
    Unavailable,
)
from crm_sync_assets.operations import webhook_prospects
from crm_sync_assets.operations import webhooks as module
from crm_sync_assets.operations.webhooks import Taken, take
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse import locks, webhook_events
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import MOST_ATTEMPTS, Received
from crm_sync_assets_tests.scripted import (
    PEOPLE,
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

SEEN = frozenset({"created", "changed"})
WEBHOOKS = Webhooks(
    Token(Variable("TEST_SECRET", "a secret", secret=True), header="x"),
    lambda *_: (),
    Setup("its settings"),
    deltas_see=SEEN,  # type: ignore[arg-type]
)
NOW = START + timedelta(days=1)


class ByKeyClient(FakeClient):
    """The scripted client, with its records by key too; `asked_keys` keeps what was asked for."""

    asked_keys: list[Key]
    before_key: Callable[[Sequence[Key]], None] = staticmethod(lambda _: None)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        return self.pages(read, usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        self.before_key(keys)
        usage.api_calls += 1
        self.asked_keys = [*getattr(self, "asked_keys", []), *keys]
        return asked_for(iter([Page(self.records, {})]), read.entity, keys)


@pytest.fixture
def source(warehouse: Warehouse) -> ByKeyClient:
    """Ten people, who are stored; its clock says a day later."""
    found = ByKeyClient([person(n) for n in range(10)], now=NOW)
    sync(warehouse, found)
    return found


_numbers = iter(range(10**9))


def tell(warehouse: Warehouse, *ids: object, happened: Any = "changed", **values: Any) -> None:
    """An event for each id; of one that is None a delta has to find the record."""
    entity = values.pop("entity", "people")
    received = [
        Received(
            "test",
            Event(f"{next(_numbers)}", "x", entity, () if one is None else (str(one),), happened),
        )
        for one in ids
    ]
    with warehouse.connection() as connection:
        assert webhook_events.add(connection, received, None) == len(ids)
        connection.commit()


def take_it(warehouse: Warehouse, source: Any, entity: Any = PEOPLE, **options: Any) -> Taken:
    return take(warehouse, entity, WEBHOOKS, source, SETTINGS, **options)


def states(warehouse: Warehouse) -> list[str]:
    return [s for (s,) in rows(warehouse, "SELECT status FROM ingestion_webhook_event ORDER BY id")]


def events(warehouse: Warehouse, columns: str) -> list[tuple[Any, ...]]:
    return rows(warehouse, f"SELECT {columns} FROM ingestion_webhook_event ORDER BY id")  # noqa: S608


def change(warehouse: Warehouse, *statements: Any) -> None:
    with warehouse.connection() as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_the_records_that_are_named_are_read_and_no_others(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    (first,) = history(warehouse)
    source.records[3] = person(3, at=60, name="Ann")
    source.records[4] = person(4, at=60, name="not told of")
    source.records += [person(10), person(11)]
    tell(warehouse, 3, 10, 5, 3, 10)
    taken = take_it(warehouse, source, run_id="a-run")
    assert set(source.asked_keys) == {("3",), ("10",), ("5",)}
    assert len(source.asked_keys) == 3
    counts = taken.counts
    assert (counts.processed, counts.created, counts.updated, counts.unchanged) == (3, 1, 1, 1)
    assert (taken.events, taken.failed, taken.left, taken.status) == (5, 0, 0, "success")
    assert people(warehouse)["3"] == "Ann"
    assert people(warehouse)["4"] == "Person 4"
    assert "11" not in people(warehouse)
    row = history(warehouse)[-1]
    assert (row["kind"], row["status"], row["watermark"]) == ("webhook", "success", None)
    assert (row["run_id"], row["checkpoint"]) == ("a-run", None)
    assert (row["records_processed"], row["records_created"], row["records_updated"]) == (3, 1, 1)
    assert row["performance_metrics"]["webhook_events"] == 5
    assert events(warehouse, "status, sync_id") == [("done", row["id"])] * 5
    with warehouse.connection() as connection:
        assert sync_history.past(connection, PEOPLE).watermark == first["watermark"]
    assert take_it(warehouse, source).sync_id is None, "nothing is pending: no row, no request"
    assert len(history(warehouse)) == 2


def test_what_is_told_again_and_in_any_order_changes_nothing(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    source.records[3] = person(3, at=60, name="Ann")
    tell(warehouse, 3)
    take_it(warehouse, source)
    tell(warehouse, 3, 3, happened="created")
    tell(warehouse, 3, happened="deleted")
    counts = take_it(warehouse, source).counts
    assert (counts.processed, counts.unchanged) == (1, 1)
    assert people(warehouse)["3"] == "Ann", "it is there, whatever was told of it"


def test_a_newer_row_stays(warehouse: Warehouse, source: ByKeyClient) -> None:
    """What the source answers may be older than what a sync has just stored."""
    newer = "UPDATE test_people SET name = 'new', modified = modified + interval '1 hour'"
    change(warehouse, f"{newer} WHERE id = '3'")
    tell(warehouse, 3)
    assert take_it(warehouse, source).counts.unchanged == 1
    assert people(warehouse)["3"] == "new"


@pytest.mark.parametrize("happened", ["deleted", "changed", "merged"])
def test_a_record_that_is_gone_is_marked_and_one_that_is_back_is_not(
    warehouse: Warehouse, source: ByKeyClient, happened: str
) -> None:
    gone = source.records.pop(3)
    tell(warehouse, 3, "never-here", happened=happened)
    taken = take_it(warehouse, source)
    counts = taken.counts
    assert (counts.processed, counts.updated, counts.unchanged, counts.deleted) == (2, 1, 1, 1)
    assert "3" not in people(warehouse)
    assert states(warehouse) == ["done", "done"]
    source.records.append(gone)
    tell(warehouse, 3, happened="restored")
    assert take_it(warehouse, source).counts.updated == 1
    assert people(warehouse)["3"] == "Person 3"


def forty(warehouse: Warehouse) -> ByKeyClient:
    """Forty people, who are stored."""
    found = ByKeyClient([person(n) for n in range(40)], now=NOW)
    sync(warehouse, found)
    return found


def test_many_that_are_gone_without_a_word_are_not_believed(warehouse: Warehouse) -> None:
    """Credentials that see nothing any more must not empty the table, nor keep out the others."""
    source = forty(warehouse)
    source.records = [person(n, at=60, name="Ann") for n in (30, 31)]
    tell(warehouse, *range(32))
    tell(warehouse, 39, happened="deleted")
    taken = take_it(warehouse, source)
    assert (taken.events, taken.failed, taken.status) == (3, 30, "partial")
    assert taken.counts.add_up
    assert set(people(warehouse)) == set(map(str, range(39))), "what was told of is believed"
    assert people(warehouse)["30"] == "Ann"
    (why,) = set(events(warehouse, "error_message")) - {(None,)}
    assert "lost 30 of the 33 records that webhooks named within an hour, of 40 live rows" in why[0]
    assert "crm-sync test people --full" in why[0]
    assert history(warehouse)[-1]["performance_metrics"]["webhook_gone"] == 30
    change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = now()")
    assert take_it(warehouse, source).failed == 30, "nor one by one"
    assert len(people(warehouse)) == 39
    tell(warehouse, *range(30), happened="deleted")
    change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = now()")
    assert take_it(warehouse, source).counts.deleted == 30, "now they were told of"


def test_records_lost_one_by_one_add_up_over_the_turns_of_an_hour(warehouse: Warehouse) -> None:
    source = forty(warehouse)
    source.records = []
    failed = 0
    for number in range(20):
        tell(warehouse, number)
        failed += take_it(warehouse, source).failed
    assert len(people(warehouse)) == 31, "up to nine may be chance"
    assert failed == 11
    hour_ago = "start_time = start_time - interval '61 minutes'"
    change(warehouse, f"UPDATE ingestion_sync_history SET {hour_ago} WHERE kind = 'webhook'")  # noqa: S608
    tell(warehouse, 30)
    assert take_it(warehouse, source).failed == 0


def test_a_fifth_of_the_table_is_too_much_however_many_were_asked_for(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 6)
    source = forty(warehouse)
    source.records = [person(n) for n in range(12, 40)]
    tell(warehouse, *(number for pair in zip(range(12), range(12, 24), strict=True)
                      for number in pair))  # fmt: skip
    tell(warehouse, *range(24, 40))
    taken = take_it(warehouse, source)
    assert taken.failed == 3, "the twelve are not half of those asked for, but over a fifth of all"
    assert len(people(warehouse)) == 31


def test_what_is_marked_already_is_no_loss(warehouse: Warehouse) -> None:
    source = forty(warehouse)
    source.records = []
    change(warehouse, "UPDATE test_people SET deleted_at = now()")
    tell(warehouse, *range(30))
    assert take_it(warehouse, source).failed == 0
    assert set(states(warehouse)) == {"done"}


def test_what_arrives_while_its_record_is_read_is_read_again(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    told: list[int] = []

    def meanwhile(_: Sequence[Key]) -> None:
        if not told:
            told.append(1)
            tell(warehouse, 3)

    source.before_key = meanwhile
    tell(warehouse, 3)
    assert take_it(warehouse, source).events == 2
    assert source.asked_keys == [("3",), ("3",)]
    assert states(warehouse) == ["done", "done"]


def test_a_record_that_cannot_be_read_is_tried_again_later_and_then_left_to_people(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    def broken(_: Sequence[Key]) -> None:
        raise BadRequest("POST /x answered 400: bad id")

    source.before_key = broken
    tell(warehouse, 3, 4)
    began = datetime.now(UTC)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert take_it(warehouse, source).failed == 2
        (status, attempts, later, why) = events(
            warehouse, "status, attempts, next_attempt_at, error_message"
        )[0]
        assert (attempts, why) == (attempt, "POST /x answered 400: bad id")
        assert later - began >= timedelta(seconds=min(10 * 2 ** (attempt - 1), 3_600))
        assert status == ("failed" if attempt == MOST_ATTEMPTS else "pending")
        assert take_it(warehouse, source).sync_id is None, "it is not due yet"
        change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = now()")
    assert later - began < timedelta(hours=2)
    source.before_key = lambda _: None
    assert take_it(warehouse, source).sync_id is None
    with warehouse.connection() as connection:
        assert webhook_events.again(connection, source="test") == 2
    assert take_it(warehouse, source).events == 2
    assert states(warehouse) == ["done", "done"]


def test_an_outage_is_outlived_however_long_it_lasts(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    def broken(_: Sequence[Key]) -> None:
        raise TransientError("GET /x answered 502; given up")

    source.before_key = broken
    tell(warehouse, 3, 4)
    change(
        warehouse,
        "UPDATE ingestion_webhook_event SET received_at = now() - interval '1 minute' "
        "WHERE record_id = '4'",
    )
    columns = "attempts, status, next_attempt_at > now() + interval '30 seconds', error_message"
    why = "GET /x answered 502; given up"
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(TransientError):
            take_it(warehouse, source)
        assert take_it(warehouse, source).sync_id is None, "it is not due yet"
        late = (0, "pending", True, why)
        assert events(warehouse, columns)[1] == late, "the longer it lasts, the longer the pause"
        change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = now()")
    row = history(warehouse)[-1]
    assert (row["kind"], row["status"], row["reason"]) == ("webhook", "failed", "system")
    source.before_key = lambda _: None
    assert take_it(warehouse, source).events == 2


def poisoned(*bad: str) -> Callable[[Sequence[Key]], None]:
    """The source fails whenever one of these is asked for."""

    def broken(keys: Sequence[Key]) -> None:
        if {(one,) for one in bad} & set(keys):
            raise TransientError("POST /x answered 500; given up.")

    return broken


def again_now(warehouse: Warehouse) -> None:
    change(
        warehouse,
        "UPDATE ingestion_webhook_event SET next_attempt_at = now() "
        "WHERE next_attempt_at IS NOT NULL",
    )


def test_a_record_that_always_fails_is_found_and_ends_and_its_neighbours_are_read(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    source.before_key = poisoned("4", "7")
    tell(warehouse, *range(10))
    with pytest.raises(TransientError):
        take_it(warehouse, source)
    again_now(warehouse)
    taken = take_it(warehouse, source)
    assert (taken.events, taken.failed, taken.status) == (8, 2, "partial")
    why = "POST /x answered 500; given up. The source answers for other records"
    waits = [
        row for row in events(warehouse, "record_id, status, attempts, error_message") if row[2]
    ]
    assert waits == [("4", "pending", 1, why), ("7", "pending", 1, why)]
    for attempt in range(2, MOST_ATTEMPTS + 1):
        again_now(warehouse)
        assert take_it(warehouse, source).failed == 2, attempt
    failed = events(warehouse, "record_id, status, attempts")
    assert [row for row in failed if row[2]] == [("4", "failed", 12), ("7", "failed", 12)]
    tell(warehouse, 4, 5)
    assert (taken := take_it(warehouse, source)).events == 1, "what is told later is read beside it"
    assert taken.failed == 1
    source.before_key = lambda _: None
    with warehouse.connection() as connection:
        assert webhook_events.again(connection, source="test") == 2
    again_now(warehouse)
    assert take_it(warehouse, source).events == 3
    assert set(states(warehouse)) == {"done"}


def test_a_single_record_that_fails_is_to_blame_if_a_stored_one_is_answered_for(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    source.before_key = poisoned("4")
    tell(warehouse, 4)
    with pytest.raises(TransientError):
        take_it(warehouse, source)
    again_now(warehouse)
    assert take_it(warehouse, source).failed == 1
    assert events(warehouse, "attempts") == [(1,)]
    source.before_key = poisoned(*map(str, range(10)))
    again_now(warehouse)
    with pytest.raises(TransientError):
        take_it(warehouse, source)
    assert events(warehouse, "status, attempts") == [("pending", 1)], "an outage is not its fault"


def test_in_an_outage_all_that_is_due_waits(warehouse: Warehouse, source: ByKeyClient) -> None:
    """Else each record would be asked for by itself, one failure after the other."""
    source.before_key = poisoned(*map(str, range(10)))
    tell(warehouse, *range(10))
    with pytest.raises(TransientError):
        take_it(warehouse, source)
    again_now(warehouse)
    source.asked_keys = []
    with pytest.raises(TransientError):
        take_it(warehouse, source)
    assert take_it(warehouse, source).sync_id is None
    columns = "status, attempts, next_attempt_at > now()"
    assert set(events(warehouse, columns)) == {("pending", 0, True)}


def test_a_source_that_names_a_moment_is_asked_then_and_no_event_is_to_blame(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    until = datetime.now(UTC) + timedelta(hours=3)

    def later(_: Sequence[Key]) -> None:
        raise Deferred("deferred", until=until)

    source.before_key = later
    tell(warehouse, 3)
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(Deferred):
            take_it(warehouse, source)
        change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = now()")
    with pytest.raises(Deferred):
        take_it(warehouse, source)
    assert events(warehouse, "status, attempts, next_attempt_at") == [("pending", 0, until)]


def test_one_record_that_cannot_be_asked_for_keeps_out_no_other(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    def picky(keys: Sequence[Key]) -> None:
        if ("bad",) in keys:
            raise BadRequest("POST /x answered 400: bad id")

    source.before_key = picky
    source.records[3] = person(3, at=60, name="Ann")
    tell(warehouse, 1, "bad", 3, 5, "a/b")
    taken = take_it(warehouse, source)
    assert (taken.events, taken.failed, taken.status) == (3, 2, "partial")
    assert (taken.counts.processed, taken.counts.failed) == (5, 2)
    assert people(warehouse)["3"] == "Ann"
    assert events(warehouse, "status, attempts") == [
        ("done", 0), ("pending", 1), ("done", 0), ("done", 0), ("pending", 1)
    ]  # fmt: skip


def test_a_source_that_says_nothing_of_a_record_has_not_answered(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        return iter([Page(source.records[:4], {}, kept=[("5",)])])

    monkeypatch.setattr(source, "by_key", silent)
    tell(warehouse, 3, 5, 9)
    taken = take_it(warehouse, source)
    assert taken.failed == 1
    assert taken.counts.add_up
    assert events(warehouse, "status, error_message") == [
        ("done", None), ("done", None), ("pending", "the source said nothing about it")
    ]  # fmt: skip


def test_a_bad_record_goes_to_quarantine_and_leaves_it_when_it_is_mended(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    source.records[3] = {**person(3, at=60), "modified": "soon"}
    source.records[4] = person(4, at=60, name="Ann")
    source.records.append({"id": "77", "name": "x" * 10, "modified": None, "balance": "1e500000"})
    tell(warehouse, 4, 77)
    strict = SETTINGS.model_copy(update={"mode": "strict"})
    taken = take(warehouse, PEOPLE, WEBHOOKS, source, strict)
    assert people(warehouse)["4"] == "Ann"
    quarantined = rows(warehouse, "SELECT record_id, sync_id FROM ingestion_quarantine")
    assert quarantined == [("77", taken.sync_id)]
    assert (taken.status, taken.counts.failed) == ("partial", 1)
    assert states(warehouse) == ["done", "done"], "the quarantine has it"
    source.records[-1] = person(77)
    tell(warehouse, 77)
    take(warehouse, PEOPLE, WEBHOOKS, source, strict)
    assert rows(warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(0,)]
    assert "77" in people(warehouse)


def test_nothing_of_a_turn_that_fails_in_the_middle_is_there(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, counts and events are one transaction."""
    source.records[3] = person(3, at=60, name="Ann")
    tell(warehouse, 3)

    def broken(*_: Any) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(module.history, "record_progress", broken)
        with pytest.raises(RuntimeError):
            take_it(warehouse, source)
    assert people(warehouse)["3"] == "Person 3"
    assert events(warehouse, "status, attempts") == [("pending", 1)]
    change(warehouse, "UPDATE ingestion_webhook_event SET next_attempt_at = NULL")
    assert take_it(warehouse, source).events == 1
    assert people(warehouse)["3"] == "Ann"


def test_a_connection_that_is_lost_costs_nothing(warehouse: Warehouse, source: ByKeyClient) -> None:
    source.records[3] = person(3, at=60, name="Ann")

    def cut(_: Sequence[Key]) -> None:
        with psycopg.connect(warehouse.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        source.before_key = lambda _: None

    source.before_key = cut
    tell(warehouse, 3)
    assert take_it(warehouse, source).events == 1
    assert people(warehouse)["3"] == "Ann"
    with warehouse.connection() as connection:
        for name in (locks.entity("test.people"), locks.passing("test.people")):
            assert locks.holder(connection, name) is None


def test_a_turn_passes_on_a_new_connection_too(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else syncs would be refused for the rest of it."""
    holders: list[int | None] = []
    progress = sync_history.record_progress

    def looking(*arguments: Any) -> None:
        with psycopg.connect(warehouse.url) as other:
            holders.append(locks.holder(other, locks.passing("test.people")))
        progress(*arguments)

    def cut(_: Sequence[Key]) -> None:
        with psycopg.connect(warehouse.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    source.before_key = cut
    monkeypatch.setattr(module.history, "record_progress", looking)
    tell(warehouse, 3)
    assert take_it(warehouse, source).events == 1
    assert holders
    assert None not in holders


def test_a_commit_whose_answer_is_lost_is_found_on_a_new_connection(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, transaction = sync_history.record_progress, psycopg.Connection.transaction
    steps = ["not yet"]

    def at_its_end(*arguments: Any) -> None:
        progress(*arguments)
        steps.append("lose it")

    @contextmanager
    def losing(connection: Any, *arguments: Any) -> Iterator[Any]:
        with transaction(connection, *arguments) as found:
            yield found
        if steps[-1] == "lose it":
            steps.append("lost")
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    source.records[3] = person(3, at=60, name="Ann")
    tell(warehouse, 3)
    monkeypatch.setattr(module.history, "record_progress", at_its_end)
    monkeypatch.setattr(psycopg.Connection, "transaction", losing)
    assert take_it(warehouse, source).counts.updated == 1
    assert steps == ["not yet", "lose it", "lost"]
    assert people(warehouse)["3"] == "Ann"
    assert states(warehouse) == ["done"]


def test_a_version_of_the_far_future_is_replaced(warehouse: Warehouse, source: ByKeyClient) -> None:
    """As in any sync: a wrong date must not keep out every later change."""
    source.now = datetime.now(UTC)
    change(warehouse, "UPDATE test_people SET modified = now() + interval '9 days', name = 'odd'")
    tell(warehouse, 3)
    assert take_it(warehouse, source).counts.updated == 1
    assert people(warehouse)["3"] == "Person 3"


def test_two_who_keep_the_same_events_wait_for_each_other(warehouse: Warehouse) -> None:
    """In whichever order they were told: nobody locks anybody."""
    early, late = (Received("test", Event(key, "x", "people", ("1",))) for key in ("a", "z"))
    with (
        warehouse.connection() as first,
        warehouse.connection() as second,
        ThreadPoolExecutor(1) as thread,
    ):
        assert webhook_events.add(first, [early], None) == 1
        other = thread.submit(webhook_events.add, second, [late, early], None)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while rows(warehouse, waiting) == [(0,)]:
            time.sleep(0.01)
        assert webhook_events.add(first, [late], None) == 1
        first.commit()
        assert other.result(timeout=60) == 0
        second.commit()
    assert len(states(warehouse)) == 2


def test_while_a_sync_runs_events_wait(warehouse: Warehouse, source: ByKeyClient) -> None:
    running = start(warehouse, source)
    tell(warehouse, 3)
    taken = take_it(warehouse, source)
    assert taken.why is not None
    assert "a sync of it is running already" in taken.why
    assert events(warehouse, "status, attempts, next_attempt_at") == [("pending", 0, None)]
    running.session.release()
    assert take_it(warehouse, source).events == 1


def test_a_sync_waits_for_a_turn_and_is_not_refused(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_LOCK_POLL_SECONDS", 0.02)
    reading, go = threading.Event(), threading.Event()

    def hold(_: Sequence[Key]) -> None:
        reading.set()
        assert go.wait(60)

    source.before_key = hold
    tell(warehouse, 3)
    with ThreadPoolExecutor(2) as threads:
        turn = threads.submit(take_it, warehouse, source)
        assert reading.wait(60)
        another = threads.submit(take_it, warehouse, source)
        assert "running already" in str(another.result(timeout=60).why)
        begun = threads.submit(sync, warehouse, source)
        with pytest.raises(TimeoutError):
            begun.result(timeout=0.5)
        go.set()
        assert turn.result(timeout=60).events == 1
        assert begun.result(timeout=60).status == "success"
    with warehouse.connection() as connection:
        assert locks.holder(connection, locks.passing("test.people")) is None
    running = start(warehouse, source)
    with pytest.raises(AlreadyRunning):
        start(warehouse, source)
    running.session.release()


def test_a_sync_that_begins_while_a_turn_gives_its_locks_back_is_not_refused(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(warehouse, 3)
    passing, real = locks.passing("test.people"), locks.release
    begun: list[Any] = []

    def release(connection: Any, name: str) -> None:
        real(connection, name)
        if name == passing and not begun:
            begun.append(start(warehouse, source))

    monkeypatch.setattr(locks, "release", release)
    assert take_it(warehouse, source).events == 1
    (sync_then,) = begun
    sync_then.session.release()


def test_a_sync_that_finds_the_turn_gone_when_it_looks_is_not_refused(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = threading.Event(), threading.Event()

    def hold(_: Sequence[Key]) -> None:
        reading.set()
        assert go.wait(60)

    source.before_key = hold
    tell(warehouse, 3)
    looks = session_module.Session._meets_one_passing
    with ThreadPoolExecutor(1) as threads:
        turn = threads.submit(take_it, warehouse, source)
        assert reading.wait(60)

        def late(session: Any) -> bool:
            go.set()
            assert turn.result(timeout=60).events == 1
            return looks(session)

        monkeypatch.setattr(session_module.Session, "_meets_one_passing", late)
        start(warehouse, source).session.release()


def test_an_entity_that_was_never_synced_waits_for_its_first_sync(warehouse: Warehouse) -> None:
    source = ByKeyClient([person(n) for n in range(3)], now=NOW)
    tell(warehouse, 1)
    taken = take_it(warehouse, source)
    assert "never synced completely" in str(taken.why)
    assert history(warehouse) == []
    assert states(warehouse) == ["pending"]
    sync(warehouse, source)
    assert take_it(warehouse, source).events == 1


def test_what_names_no_record_is_done_by_the_next_delta_alone(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    tell(warehouse, None, happened="created")
    tell(warehouse, None, happened="deleted")
    assert (take_it(warehouse, source).left, take_it(warehouse, source).settled) == (2, 0)
    source.now = datetime.now(UTC) + timedelta(minutes=1)
    sync(warehouse, source, max_records=5)
    assert take_it(warehouse, source).settled == 0, "a limited run has not read it"
    done = sync(warehouse, source)
    taken = take_it(warehouse, source)
    assert (taken.settled, taken.left) == (1, 1), "no delta sees what is gone"
    assert events(warehouse, "status, sync_id") == [("done", done.sync_id), ("pending", None)]


def test_what_arrived_after_a_sync_began_is_not_done_by_it(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    tell(warehouse, None, happened="created")
    source.now = datetime.now(UTC) - timedelta(minutes=1)
    sync(warehouse, source)
    assert take_it(warehouse, source).settled == 0


def test_a_source_whose_clock_is_ahead_has_not_read_what_arrives_later(
    warehouse: Warehouse, source: ByKeyClient
) -> None:
    """Its watermark says so, and that is a moment that has not come here."""
    source.now = datetime.now(UTC) + timedelta(minutes=5)
    sync(warehouse, source)
    tell(warehouse, None, happened="created")
    assert take_it(warehouse, source).settled == 0
    sync(warehouse, source)
    assert take_it(warehouse, source).settled == 1


def test_a_burst_is_left_to_a_delta_but_for_what_that_does_not_see(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_prospects, "MOST", 5)
    gone = source.records.pop(9)
    assert gone["id"] == "9"
    tell(warehouse, *range(8))
    tell(warehouse, 9, happened="deleted")
    taken = take_it(warehouse, source)
    assert (taken.events, taken.left) == (1, 8)
    assert source.asked_keys == [("9",)]
    assert "9" not in people(warehouse)
    assert take_it(warehouse, source).sync_id is None
    source.now = datetime.now(UTC) + timedelta(minutes=1)
    sync(warehouse, source)
    tell(warehouse, 3)
    newest = "WHERE id = (SELECT max(id) FROM ingestion_webhook_event)"
    later = "UPDATE ingestion_webhook_event SET received_at = received_at + interval '1 hour'"
    change(warehouse, f"{later} {newest}")
    taken = take_it(warehouse, source)
    assert (taken.settled, taken.events, taken.left) == (8, 1, 0)
    assert set(states(warehouse)) == {"done"}


def test_a_hundred_events_of_one_record_are_one_request(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    tell(warehouse, *[1, 2, 3] * 100)
    assert take_it(warehouse, source).events == 300
    assert sorted(source.asked_keys) == [("1",), ("2",), ("3",)]


def test_a_turn_ends_in_time_and_the_next_goes_on(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.0)
    tell(warehouse, 1)
    taken = take_it(warehouse, source)
    assert (taken.events, taken.status) == (0, "success")
    monkeypatch.setattr(module, "LONGEST_SECONDS", 30.0)
    assert take_it(warehouse, source).events == 1


def test_an_entity_without_versions_is_stored_too(warehouse: Warehouse) -> None:
    source = ByKeyClient([{"id": "1", "name": "a"}], now=NOW)
    sync(warehouse, source, THINGS)
    source.records = [{"id": "1", "name": "b"}]
    tell(warehouse, 1, entity="things")
    assert take_it(warehouse, source, THINGS).counts.updated == 1


def test_a_client_that_knows_no_keys_leaves_it_to_syncs(warehouse: Warehouse) -> None:
    source = FakeClient([person(1)], now=NOW)
    sync(warehouse, source)
    tell(warehouse, 1)
    assert "cannot be asked for by their keys" in str(take_it(warehouse, source).why)
    assert states(warehouse) == ["pending"]


def test_whatever_goes_wrong_before_anything_is_read_is_not_repeated_at_once(
    warehouse: Warehouse, source: ByKeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise Unavailable("no disk")

    tell(warehouse, 1)
    with monkeypatch.context() as patch:
        patch.setattr(module.encryption, "vault_for_writing", broken)
        with pytest.raises(SyncError):
            take_it(warehouse, source)
    assert events(warehouse, "attempts, error_message") == [(0, "no disk")]
    assert take_it(warehouse, source).sync_id is None
