"""The embedded PostgreSQL for other tools: one role, its password, to read only, while it lasts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.operations.tool_access import PASSWORD_FILE, ROLE, Access, prepare
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.gateway import Gateway
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, person, sync

__all__ = ["run"]


@pytest.fixture
def access(warehouse: Warehouse, tmp_path: Path) -> Access:
    sync(warehouse, FakeClient([person(1), person(2)]))
    return prepare(warehouse, tmp_path, [PEOPLE])


@pytest.fixture
def url(access: Access) -> Iterator[str]:
    """Where tools connect to, without the password."""
    loop = asyncio.new_event_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        serving = loop.create_task(Gateway(access.socket, access.user).serve(listening))
        thread = threading.Thread(target=_run, args=(loop, serving))
        thread.start()
        yield f"postgresql://127.0.0.1:{port}/{access.database}"
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)
    loop.close()


def _run(loop: asyncio.AbstractEventLoop, serving: asyncio.Task[None]) -> None:
    asyncio.set_event_loop(loop)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(serving)


def test_a_tool_reads_over_tcp(url: str, access: Access) -> None:
    with psycopg.connect(url, user=ROLE, password=access.password) as connection:
        found = connection.execute("SELECT count(*) FROM test_people_live").fetchone()
        assert found == (2,)
        # More than one piece, both ways.
        long = connection.execute("SELECT %s || repeat('x', 300000)", ("y" * 300_000,)).fetchone()
        assert long is not None
        assert len(long[0]) == 600_000


def test_a_query_is_cancelled_over_tcp(url: str, access: Access) -> None:
    with psycopg.connect(url, user=ROLE, password=access.password) as connection:
        threading.Timer(0.3, connection.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")


@pytest.mark.parametrize("statement", ["DELETE FROM test_people", "CREATE TABLE mine ()"])
def test_a_tool_writes_nothing(url: str, access: Access, statement: str) -> None:
    with psycopg.connect(url, user=ROLE, password=access.password) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(statement.encode())
        connection.rollback()
        connection.execute("SET default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"user": "postgres"}, f"only {ROLE} is let in here"),
        ({"user": ROLE, "password": "wrong"}, "password authentication failed"),
        ({"user": ROLE}, "no password supplied"),
        ({"user": ROLE, "replication": "database"}, "nothing is replicated from here"),
        ({"user": ROLE, "password": "x", "sslmode": "require"}, "does not support SSL"),
    ],
    ids=["superuser", "wrong_password", "no_password", "replication", "tls"],
)
def test_nobody_else_is_let_in(url: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=said):
        psycopg.connect(url, passfile="nowhere", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x08\0\x02\0\0", b"\0" * 8])
def test_what_is_no_session_is_sent_away(url: str, sent: bytes) -> None:
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(sent)
        assert b"this is no session of PostgreSQL" in client.recv(1_000)


def test_the_password_is_kept_for_its_user_alone(
    warehouse: Warehouse, access: Access, tmp_path: Path
) -> None:
    path = tmp_path / PASSWORD_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == access.password
    assert len(access.password) >= 32
    assert access.password not in repr(access)
    rules = (access.socket.parent / "pg_hba.conf").read_text()
    assert prepare(warehouse, tmp_path, [PEOPLE]) == access
    assert (access.socket.parent / "pg_hba.conf").read_text() == rules


def test_the_command_opens_it_until_it_is_interrupted(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CRM_SYNC_", "PG"))}
    environment |= {"CRM_SYNC_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "crm_sync_assets.cli", "sql", "--tcp", "--port=0"]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(7)]
        with psycopg.connect(said[-1].strip()) as connection:
            history = connection.execute("SELECT count(*) FROM ingestion_sync_history").fetchone()
            assert history == (0,)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == exits.SUCCESS
    assert said[0].startswith("PostgreSQL for tools on this machine, to read only")
    assert re.fullmatch(r"  port +\d+\n", said[2])
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(said[-1].strip())


def test_a_server_of_one_s_own_is_not_opened(run: Run) -> None:
    status, _, err = run("sql", "--tcp")
    assert status == exits.USAGE
    assert "connect to that, as a role that `crm-sync migrate --grant ROLE` lets in" in err


@pytest.mark.parametrize("words", [(), ("--tcp", "SELECT 1")])
def test_a_query_or_tcp(run: Run, words: tuple[str, ...]) -> None:
    status, _, err = run("sql", *words)
    assert status == exits.USAGE
    assert "give a query, or --tcp" in err
