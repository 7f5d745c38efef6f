"""The session of a sync: its lock dies with it, and a lost server is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import AlreadyRunning, FatalError
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.migrations import revision
from crm_sync_assets_tests.scripted import PEOPLE, rows


def kill(warehouse: Warehouse, session: Session) -> None:
    pid = session.connection.info.backend_pid
    rows(warehouse, "SELECT pg_terminate_backend(%s)", pid)


def fails(times: int, error: Callable[[], Exception]) -> tuple[Callable[[], str], list[int]]:
    """A transaction that fails so often before it succeeds."""
    tries: list[int] = []

    def transaction() -> str:
        tries.append(len(tries))
        if len(tries) <= times:
            raise error()
        return "done"

    return transaction, tries


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
        psycopg.errors.LockNotAvailable,
    ],
)
def test_a_transaction_worth_repeating_is_repeated(
    warehouse: Warehouse, error: type[Exception]
) -> None:
    session = Session(warehouse, PEOPLE)
    transaction, tries = fails(3, error)
    assert session.committed(transaction) == "done"
    assert len(tries) == 4
    session.release()


def test_it_is_given_up_after_five_tries(warehouse: Warehouse) -> None:
    session = Session(warehouse, PEOPLE)
    transaction, tries = fails(99, psycopg.errors.DeadlockDetected)
    with pytest.raises(FatalError, match="the warehouse refused a batch"):
        session.committed(transaction)
    assert len(tries) == 5
    session.release()


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DiskFull,
        psycopg.errors.OutOfMemory,
        psycopg.errors.ReadOnlySqlTransaction,
        psycopg.errors.QueryCanceled,
    ],
)
def test_what_no_repetition_mends_fails_at_once(
    warehouse: Warehouse, error: type[Exception]
) -> None:
    session = Session(warehouse, PEOPLE)
    transaction, tries = fails(99, error)
    with pytest.raises(FatalError, match="Nothing of that batch was stored"):
        session.committed(transaction)
    assert len(tries) == 1
    session.release()


def test_a_transaction_that_may_not_be_repeated_is_not(warehouse: Warehouse) -> None:
    session = Session(warehouse, PEOPLE)
    transaction, tries = fails(1, psycopg.errors.DeadlockDetected)
    with pytest.raises(FatalError):
        session.committed(transaction, repeatable=False)
    assert len(tries) == 1
    session.release()


def test_a_lost_connection_is_replaced_with_its_lock_and_its_temporary_tables(
    warehouse: Warehouse,
) -> None:
    session = Session(warehouse, PEOPLE)
    before = session.connection.info.backend_pid

    def make_again(connection: Connection) -> None:
        connection.execute("CREATE TEMP TABLE again (x int)")

    session.on_reconnect = make_again
    tries: list[int] = []

    def transaction() -> int:
        tries.append(1)
        if len(tries) == 1:
            kill(warehouse, session)
        session.connection.execute("SELECT 1")
        if len(tries) > 1:
            session.connection.execute("INSERT INTO again VALUES (1)")
        return session.connection.info.backend_pid

    assert session.committed(transaction) != before
    with pytest.raises(AlreadyRunning):
        Session(warehouse, PEOPLE)
    session.release()
    Session(warehouse, PEOPLE).release()


def test_nothing_of_an_interrupted_transaction_stays(warehouse: Warehouse) -> None:
    session = Session(warehouse, PEOPLE)
    tries: list[int] = []

    def transaction() -> None:
        tries.append(1)
        session.connection.execute("CREATE TABLE written_once (x int)")
        session.connection.execute("INSERT INTO written_once VALUES (1)")
        if len(tries) == 1:
            kill(warehouse, session)
            session.connection.execute("SELECT 1")

    session.committed(transaction)
    session.release()
    assert rows(warehouse, "SELECT count(*) FROM written_once") == [(1,)]


def test_a_lock_another_sync_took_meanwhile_ends_this_one(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    relock = sync_history.relock
    monkeypatch.setattr(sync_history, "relock", lambda c, e: relock(c, e, patience_seconds=0.05))
    first = Session(warehouse, PEOPLE)
    kill(warehouse, first)
    second: list[Session] = []
    while not second:
        try:
            second.append(Session(warehouse, PEOPLE))
        except AlreadyRunning:
            continue
    with pytest.raises(AlreadyRunning):
        first.committed(lambda: first.connection.execute("SELECT 1"))
    first.release()
    with pytest.raises(AlreadyRunning):
        Session(warehouse, PEOPLE)
    second[0].release()


def test_releasing_twice_or_after_the_server_hung_up_is_no_error(warehouse: Warehouse) -> None:
    session = Session(warehouse, PEOPLE)
    session.release()
    session.release()
    assert not session.is_usable
    lost = Session(warehouse, PEOPLE)
    kill(warehouse, lost)
    lost.release()
    Session(warehouse, PEOPLE).release()


def test_a_released_connection_leaves_no_lock_and_no_table_to_the_next_user(
    warehouse: Warehouse,
) -> None:
    session = Session(warehouse, PEOPLE)
    session.connection.execute("CREATE TEMP TABLE stage_left (x int)")
    session.connection.commit()
    session.release()
    assert rows(warehouse, "SELECT count(*) FROM pg_class WHERE relname = 'stage_left'") == [(0,)]
    assert rows(warehouse, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_warehouse_without_history_says_what_to_run(server_url: str) -> None:
    warehouse = Warehouse(server_url)
    with warehouse.connection() as connection:
        assert revision(connection) is None
    with pytest.raises(FatalError, match="crm-sync migrate"):
        Session(warehouse, PEOPLE)
    warehouse.close()


def test_of_many_sessions_at_once_exactly_one_gets_the_lock(warehouse: Warehouse) -> None:
    barrier = threading.Barrier(8)
    got: list[Session] = []
    refused: list[str] = []

    def work() -> None:
        barrier.wait()
        try:
            got.append(Session(warehouse, PEOPLE))
        except AlreadyRunning as error:
            refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)
    got[0].release()
