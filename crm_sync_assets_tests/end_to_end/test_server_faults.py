"""PostgreSQL restarts, stays away, is full, read-only or out of memory in the middle of a sync."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm_sync_assets.engine import session
from crm_sync_assets.engine.run import drain
from crm_sync_assets.errors import FatalError
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets_tests.end_to_end.killing import leftovers
from crm_sync_assets_tests.scripted import (
    SETTINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    start,
    sync,
)
from crm_sync_assets_tests.surroundings import Server, database

SMALL = SETTINGS.model_copy(update={"load_rows": 40})
BEFORE = [person(n) for n in range(60)]
AFTER = [
    *(person(n, at=60, name="changed") for n in range(10, 50)),
    *(person(n, at=60) for n in range(100, 180)),
]
DELTA: dict[str, Any] = {}
REPLACEMENT = {"full": True, "force": True}
FLAGS = pytest.mark.parametrize("flags", [DELTA, REPLACEMENT], ids=["delta", "replacement"])

# The exchange with the server that is struck, counted within the second batch.
STEPS = {
    "during COPY": ("copy_to", 2, "before"),
    "between COPY and upsert": ("copy_end", 2, "after"),
    "at the commit": ("BaseTransaction._exit_gen", 4, "before"),
    "after the commit": ("BaseTransaction._exit_gen", 4, "after"),
    "at the commit of the close": ("BaseTransaction._exit_gen", -1, "before"),
    "after the commit of the close": ("BaseTransaction._exit_gen", -1, "after"),
}


def client(records: list[Any]) -> FakeClient:
    return FakeClient(list(records), page_size=40)


@contextlib.contextmanager
def struck(step: str, blow: Callable[[], object], *, exchanges: int = 7) -> Iterator[list[str]]:
    """`blow` falls once, at this step of the sync in the block; says when it has fallen.

    A batch has two transactions, the outer of which commits, and the close has one.
    """
    name, nth, when = STEPS[step]
    nth = exchanges if nth < 0 else nth
    original = psycopg.Connection.wait
    passed = 0
    fallen: list[str] = []

    def wait(connection: Any, exchange: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal passed
        passed += exchange.__qualname__ == name
        strike = exchange.__qualname__ == name and passed == nth and not fallen
        if strike and when == "before":
            fallen.append(step)
            blow()
        found = original(connection, exchange, *arguments, **options)
        if strike and when == "after":
            fallen.append(step)
            blow()
            connection.pgconn.finish()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return found

    psycopg.Connection.wait = wait  # type: ignore[method-assign]
    try:
        yield fallen
    finally:
        psycopg.Connection.wait = original  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="crm_sync_faults_", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        server = Server(Path(home) / "postgres")
        # The machine stays up, so what a stopped server wrote is there without waiting for disks.
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
        server.stop()


_numbers = iter(range(1_000))


@pytest.fixture
def stored(server: Server) -> Iterator[Warehouse]:
    """A database of a server that may be stopped, with the people of BEFORE."""
    name = f"faults_{next(_numbers)}"
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    warehouse = Warehouse(database(server.url, name))
    migrate(warehouse)
    sync(warehouse, client(BEFORE))
    yield warehouse
    warehouse.close()


def expected(flags: dict[str, Any]) -> dict[str, str | None]:
    kept = [] if flags else BEFORE
    return {record["id"]: record["name"] for record in [*kept, *AFTER]}


def check(warehouse: Warehouse, flags: dict[str, Any], *, failed: int = 0) -> None:
    """The truth is stored, and history tells of one sync and of so many that failed."""
    _, *dead, last = history(warehouse)
    assert last["status"] == "success"
    assert [row["status"] for row in dead] == ["failed"] * failed
    assert people(warehouse) == expected(flags)
    counted = [last[f"records_{name}"] for name in ("processed", "created", "updated", "failed")]
    assert counted == [120, 80, 40, 0]
    assert last["watermark"] is not None
    assert last["watermark"] <= (dead or [last])[0]["start_time"]
    assert leftovers(warehouse) == []


@FLAGS
@pytest.mark.parametrize("step", STEPS)
def test_a_server_restarted_in_the_middle_of_a_batch_costs_a_pause(
    server: Server, stored: Warehouse, flags: dict[str, Any], step: str
) -> None:
    with struck(step, lambda: server.restart(0)) as fallen:
        begun = sync(stored, client(AFTER), settings=SMALL, **flags)
    assert fallen == [step]
    assert begun.status == "success"
    check(stored, flags)


@FLAGS
def test_a_server_that_stays_away_ends_the_sync_with_the_reason_and_the_next_one_resumes(
    server: Server, stored: Warehouse, flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RECONNECT_SECONDS", 0.5)
    begun = start(stored, client(AFTER), settings=SMALL, **flags)
    with (
        struck("at the commit", server.cut) as fallen,
        pytest.raises(FatalError, match=r"(?s)cannot be reached: .*CRM_SYNC_WAREHOUSE"),
    ):
        drain(begun)
    assert (fallen, begun.status) == (["at the commit"], "failed")
    server.start()
    assert [row["status"] for row in history(stored)] == ["success", "running"]
    resumed = sync(stored, client(AFTER), settings=SMALL, **flags)
    assert resumed.resumed
    assert "the process of this sync died" in history(stored)[1]["error_message"]
    check(stored, flags, failed=1)


# What the server says itself


def cut_off(warehouse: Warehouse) -> None:
    """End every session of this database but the one that asks."""
    rows(
        warehouse,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_a_server_that_became_read_only_ends_the_sync(
    server: Server, stored: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover: the new connection leads to a standby, which only answers questions."""
    monkeypatch.setattr(session, "RECONNECT_SECONDS", 1)

    def fail_over() -> None:
        server.stop()
        server.standby.touch()
        server.start()

    with (
        struck("between COPY and upsert", fail_over),
        pytest.raises(FatalError, match=r"\[25006\]"),
    ):
        sync(stored, client(AFTER), settings=SMALL)
    with pytest.raises(FatalError, match=r"failed before anything was read.*\[25006\]"):
        start(stored, client(AFTER))
    server.stop()
    server.standby.unlink()
    server.start()
    stored.engine.dispose()
    assert sync(stored, client(AFTER), settings=SMALL).resumed
    check(stored, DELTA, failed=1)


def test_a_server_without_a_free_connection_is_waited_for_then_named(
    server: Server, stored: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RECONNECT_SECONDS", 0.5)
    others: list[psycopg.Connection[Any]] = []

    def occupy() -> None:
        cut_off(stored)
        stored.engine.dispose()
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                others.append(psycopg.connect(server.url))

    with (
        struck("at the commit", occupy),
        pytest.raises(FatalError, match="too many clients already"),
    ):
        sync(stored, client(AFTER), settings=SMALL)
    with pytest.raises(FatalError, match="too many clients already"):
        start(stored, client(AFTER))
    for other in others:
        other.close()
    assert until_connected(stored)
    assert sync(stored, client(AFTER), settings=SMALL).resumed
    check(stored, DELTA, failed=1)


def until_connected(warehouse: Warehouse) -> bool:
    """The server needs a moment to see that its clients went."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(FatalError), warehouse.connection():
            return True
        time.sleep(0.05)
    return False


def refuse(warehouse: Warehouse, sqlstate: str, times: int) -> None:
    """Have the server itself refuse the first so many statements that touch Person 100."""
    with warehouse.connection() as connection:
        connection.execute("CREATE SEQUENCE refusals")
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # type: ignore[arg-type]
            f"IF nextval('refusals') <= {times} THEN "
            f"RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{sqlstate}'; "
            "END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON test_people FOR EACH ROW "
            "WHEN (NEW.id = '140') EXECUTE FUNCTION refuse()"
        )
        connection.commit()


def refusals(warehouse: Warehouse) -> int:
    return int(rows(warehouse, "SELECT last_value FROM refusals")[0][0])


@FLAGS
@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "55P03"])
def test_what_passes_is_tried_again_in_the_same_sync(
    warehouse: Warehouse, flags: dict[str, Any], sqlstate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PAUSE_SECONDS", 0.01)
    sync(warehouse, client(BEFORE))
    refuse(warehouse, sqlstate, 2)
    assert sync(warehouse, client(AFTER), settings=SMALL, **flags).status == "success"
    assert refusals(warehouse) == 3
    check(warehouse, flags)


@FLAGS
@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300", "25006", "57014", "XX000"])
def test_a_fault_of_the_server_is_not_tried_again_and_stores_nothing_of_its_batch(
    warehouse: Warehouse, flags: dict[str, Any], sqlstate: str
) -> None:
    sync(warehouse, client(BEFORE))
    refuse(warehouse, sqlstate, 1)
    with pytest.raises(FatalError, match=rf"refused by the test \[{sqlstate}\]"):
        sync(warehouse, client(AFTER), settings=SMALL, **flags)
    assert refusals(warehouse) == 1
    failed = history(warehouse)[-1]
    assert (failed["status"], failed["watermark"]) == ("failed", None)
    assert f"[{sqlstate}]" in failed["error_message"]
    first_batches = set() if flags else {"100", "139"}
    touched = {"100", "139", "140", "179"} & people(warehouse).keys()
    assert touched == first_batches, "batches before it are stored, and nothing of it"
    assert sync(warehouse, client(AFTER), settings=SMALL, **flags).resumed
    check(warehouse, flags, failed=1)


# Constraints that the user added to the table

CONSTRAINTS = {
    "23505": "CREATE UNIQUE INDEX ON test_people (name) WHERE name LIKE 'Person %'",
    "23503": "ALTER TABLE test_people ADD FOREIGN KEY (name) REFERENCES names (name)",
    "23502": "ALTER TABLE test_people ALTER COLUMN name SET NOT NULL",
    "23514": "ALTER TABLE test_people ADD CHECK (name <> 'nobody')",
}
CULPRITS = {"23505": "Person 3", "23503": "unheard of", "23502": None, "23514": "nobody"}


@pytest.mark.parametrize("sqlstate", CONSTRAINTS)
def test_a_row_that_breaks_a_constraint_of_the_users_is_set_aside_alone(
    warehouse: Warehouse, sqlstate: str
) -> None:
    sync(warehouse, client(BEFORE))
    with warehouse.connection() as connection:
        connection.execute("CREATE TABLE names (name text PRIMARY KEY)")
        connection.execute("INSERT INTO names SELECT name FROM test_people")
        connection.execute(
            "INSERT INTO names SELECT 'Person ' || n FROM generate_series(60, 200) n"
        )
        connection.execute("INSERT INTO names VALUES ('changed')")
        connection.execute(CONSTRAINTS[sqlstate])  # type: ignore[arg-type]
        connection.commit()
    culprit = person(120, at=60, name=CULPRITS[sqlstate])
    records = [culprit if record["id"] == "120" else record for record in AFTER]
    begun = sync(warehouse, client(records))
    assert (begun.status, begun.counts.failed, begun.counts.processed) == ("partial", 1, 120)
    ((record_id, stage, reason),) = rows(
        warehouse, "SELECT record_id, stage, reason FROM ingestion_quarantine"
    )
    assert (record_id, stage) == ("120", "load")
    assert f"[{sqlstate}]" in reason
    truth = expected(DELTA)
    del truth["120"]
    assert people(warehouse) == truth
