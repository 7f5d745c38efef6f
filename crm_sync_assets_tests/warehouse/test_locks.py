"""Advisory locks: one holder, and everybody can tell who."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

import crm_sync_assets
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Warehouse


def test_a_lock_has_one_holder_until_its_block_ends(warehouse: Warehouse) -> None:
    with warehouse.connection() as mine, warehouse.connection() as other:
        with locks.held(mine, "a") as first, locks.held(other, "a") as second:
            assert (first, second) == (True, False)
            assert locks.holder(other, "a") == mine.info.backend_pid
            with locks.held(other, "b") as another:
                assert another
        assert locks.holder(mine, "a") is None
        with locks.held(other, "a", wait=True) as later:
            assert later


def test_who_did_not_get_a_lock_releases_none(warehouse: Warehouse) -> None:
    with warehouse.connection() as mine, warehouse.connection() as other:
        locks.take(mine, "a")
        with locks.held(other, "a") as taken:
            assert not taken
        assert locks.holder(other, "a") == mine.info.backend_pid
        locks.release(mine, "a")
        assert locks.holder(other, "a") is None


def test_a_failed_transaction_inside_the_block_does_not_keep_the_lock(warehouse: Warehouse) -> None:
    with warehouse.connection() as mine, warehouse.connection() as other:
        with pytest.raises(psycopg.errors.DivisionByZero), locks.held(mine, "a"):
            mine.execute("SELECT 1 / 0")
        assert locks.holder(other, "a") is None
        with locks.held(mine, "a"):
            mine.close()
        # The server may need a moment to notice that the session is gone.
        deadline = time.monotonic() + 10
        while not (taken := locks.try_take(other, "a")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert taken, "the lock went with its session"
        locks.release(other, "a")


def test_a_lock_until_the_commit_ends_with_it(warehouse: Warehouse) -> None:
    with warehouse.connection() as mine, warehouse.connection() as other:
        locks.take_until_commit(mine, "a")
        assert not locks.try_take(other, "a")
        mine.commit()
        assert locks.try_take(other, "a")
        locks.release(other, "a")


def test_no_other_module_makes_a_lock_by_hand() -> None:
    root = Path(crm_sync_assets.__file__).parent
    assert [
        str(file.relative_to(root))
        for file in sorted(root.rglob("*.py"))
        if "advisory_" in file.read_text() or "hashtextextended" in file.read_text()
    ] == ["warehouse/locks.py"]


def test_the_names_are_those_that_running_processes_of_older_versions_use() -> None:
    assert [locks.ALERTS, locks.MIGRATION, locks.PRUNING, locks.ROTATION] == [
        "crm_sync alerts",
        "crm_sync migrate",
        "crm_sync prune",
        "crm_sync rotate keys",
    ]
    assert locks.entity("hubspot.contacts") == "crm_sync hubspot.contacts"
    assert locks.table("t") == "schema t"
    assert locks.rate_budget("a") == "rate budget a"
    assert locks.oauth_token("a") == "oauth token a"


def test_only_the_very_lock_has_a_holder(warehouse: Warehouse, server_url: str) -> None:
    """Neither a key that shares a half, nor a pair of numbers, nor another database's lock."""
    name = "crm_sync test.people"
    key = f"hashtextextended('{name}', 0)"
    low = f"(({key} << 32) >> 32)::int"
    with warehouse.connection() as connection, psycopg.connect(server_url) as elsewhere:
        connection.execute(f"SELECT pg_advisory_lock({key} # 1)")
        connection.execute(f"SELECT pg_advisory_lock({key} # (1::bigint << 32))")
        connection.execute(f"SELECT pg_advisory_lock(({key} >> 32)::int, {low})")
        elsewhere.execute(f"SELECT pg_advisory_lock({key})")
        assert locks.holder(connection, name) is None
        connection.execute("SELECT pg_advisory_unlock_all()")


def test_the_holder_of_any_name_is_found(warehouse: Warehouse) -> None:
    """A hash below zero once has its halves compared as unsigned numbers."""
    with warehouse.connection() as connection:
        for number in range(40):
            name = f"crm_sync some.thing_{number}"
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            holder = locks.holder(connection, name)
            assert holder == connection.info.backend_pid
            connection.execute("SELECT pg_advisory_unlock_all()")
            assert locks.holder(connection, name) is None
