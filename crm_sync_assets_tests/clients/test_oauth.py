from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue

import psycopg
import pytest

from crm_sync_assets.clients.oauth import MARGIN, Grant, MemoryStore, OAuth, TableStore, Tokens
from crm_sync_assets.errors import FatalError


class Endpoint:
    """Rotates: each refresh token works once."""

    def __init__(self, expires_in: float = 1_800) -> None:
        self.expires_in = expires_in
        self.valid = "refresh-0"
        self.calls = 0

    def __call__(self, refresh_token: str) -> Grant:
        self.calls += 1
        if refresh_token != self.valid:
            raise FatalError("refresh token is invalid, expired or revoked")
        self.valid = f"refresh-{self.calls}"
        return Grant(f"access-{self.calls}", self.expires_in, self.valid)


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    endpoint = Endpoint()
    auth = OAuth(endpoint, MemoryStore("refresh-0"), "REFRESH_TOKEN")
    assert [auth.token() for _ in range(3)] == ["access-1"] * 3
    endpoint.expires_in = MARGIN.total_seconds() - 1
    assert auth.refresh("access-1")
    assert [auth.token(), auth.token()] == ["access-3", "access-4"]


def test_a_refused_token_is_replaced_once_for_all_threads() -> None:
    endpoint = Endpoint()
    auth = OAuth(endpoint, MemoryStore("refresh-0"), "REFRESH_TOKEN")
    refused = auth.token()
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: auth.refresh(refused), range(8)))
    assert endpoint.calls == 2


def test_a_new_refresh_token_is_kept_before_it_is_used(database_url: str) -> None:
    """Whoever comes after a crash finds the newest refresh token, not the one that is used up."""
    endpoint = Endpoint()
    OAuth(endpoint, TableStore(database_url, "account", "refresh-0"), "REFRESH_TOKEN").token()
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT refresh_token FROM ingestion_oauth_token").fetchone()
        connection.execute("UPDATE ingestion_oauth_token SET expires_at = now()")
    assert row == ("refresh-1",)
    later = OAuth(endpoint, TableStore(database_url, "account", "refresh-0"), "REFRESH_TOKEN")
    assert later.token() == "access-2"


def test_a_grant_that_fails_leaves_the_stored_tokens_alone(database_url: str) -> None:
    endpoint = Endpoint()
    endpoint.valid = "something else"
    auth = OAuth(endpoint, TableStore(database_url, "account", "refresh-0"), "REFRESH_TOKEN")
    with pytest.raises(FatalError, match="revoked"):
        auth.token()
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT access_token, refresh_token FROM ingestion_oauth_token"
        ).fetchone()
    assert row == (None, "refresh-0")


def test_tokens_do_not_show_in_a_traceback() -> None:
    tokens = Tokens("access-secret", "refresh-secret", datetime.now(UTC) + timedelta(hours=1))
    assert "secret" not in repr(tokens)
    assert "secret" not in repr(Grant("access-secret", 1.0, "refresh-secret"))


def _refresh(url: str, outcome: Queue[tuple[str, int]]) -> None:
    calls = 0

    def endpoint(refresh_token: str) -> Grant:
        """Works once per refresh token; the database remembers, as the server would."""
        nonlocal calls
        calls += 1
        time.sleep(0.1)
        with psycopg.connect(url) as connection:
            used = connection.execute(
                "INSERT INTO used (token) VALUES (%s) ON CONFLICT DO NOTHING RETURNING token",
                (refresh_token,),
            ).fetchone()
        if used is None:
            raise FatalError("reused")
        return Grant(f"access after {refresh_token}", 1_800, f"{refresh_token}+")

    auth = OAuth(endpoint, TableStore(url, "account", "refresh"), "REFRESH_TOKEN")
    outcome.put((auth.token(), calls))


def test_eight_processes_refresh_a_single_use_token_once(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE used (token text PRIMARY KEY)")
    context = multiprocessing.get_context("spawn")
    outcome: Queue[tuple[str, int]] = context.Queue()
    processes = [context.Process(target=_refresh, args=(database_url, outcome)) for _ in range(8)]
    for process in processes:
        process.start()
    found = [outcome.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    outcome.close()
    outcome.join_thread()
    assert {token for token, _ in found} == {"access after refresh"}
    assert sum(calls for _, calls in found) == 1
