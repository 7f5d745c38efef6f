"""What an account opens, shares with other processes, remembers and closes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_sync_assets.clients.limits import account_key
from crm_sync_assets.clients.rest import account as module
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.clients.rest.auth import Bearer, Header
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import Deferred, UsageError
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets_tests.clients.rest.conftest import Accounts, Serve
from crm_sync_assets_tests.faults.server import Answer

TOKEN = Variable("THINGS_TOKEN", "a token", secret=True)
KEY = Variable("THINGS_KEY", "a key", secret=True)


def account(database_url: str | None = None, **settings: object) -> RestAccount:
    given = SyncSettings.model_validate(settings)
    return RestAccount("things", Environment(), given, database_url=database_url)


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THINGS_TOKEN", "tok-0123456789")
    monkeypatch.setenv("THINGS_KEY", "key-0123456789")


def test_several_hosts_have_their_own_credentials_and_end_together(serve: Serve) -> None:
    one, other = serve(), serve()
    ours = account()
    ours.open_api(one.url, Bearer(TOKEN)).session("things.a").get("/a")
    ours.open_api(other.url, Header("X-Key", KEY)).session("things.b").get("/b")
    ours.close()
    assert one.requests[0].headers["authorization"] == "Bearer tok-0123456789"
    assert "x-key" not in one.requests[0].headers
    assert other.requests[0].headers["x-key"] == "key-0123456789"
    assert "authorization" not in other.requests[0].headers


def test_what_is_public_needs_no_credentials(serve: Serve, accounts: Accounts) -> None:
    server = serve()
    accounts.api(server.url, None).session("things.a").get("/a")
    assert "authorization" not in server.requests[0].headers


def test_the_budget_is_the_account_s_in_every_process(
    serve: Serve, accounts: Accounts, database_url: str
) -> None:
    server = serve()
    windows = {"rate_windows": [("day", 2, 86_400)], "rate_reserve": 0}
    first = accounts.api(server.url, Bearer(TOKEN), database_url, **windows)
    first.session("things.a").get("/a", windows=["day"], cost=2)
    second = accounts.api(server.url, Bearer(TOKEN), database_url, **windows)
    with pytest.raises(Deferred, match=r"things\.a: .*day"):
        second.session("things.a").get("/a", windows=["day"])
    another = accounts.api(server.url, Bearer(KEY), database_url, **windows)
    another.session("things.a").get("/a", windows=["day"])
    assert len(server.requests) == 2


def test_so_is_what_may_run_at_once(serve: Serve, accounts: Accounts, database_url: str) -> None:
    server = serve()
    ours, theirs = (
        accounts.api(server.url, Bearer(TOKEN), database_url, requests_at_once=1, budget_seconds=1)
        for _ in range(2)
    )
    lease = ours.budget.lease()
    ours.budget.take([], lease=lease)
    with pytest.raises(Deferred, match=r"things\.a: .*all 1 requests that may run at once"):
        theirs.session("things.a").get("/a")
    ours.budget.release(lease)
    assert theirs.session("things.a").get("/a").status == 200


@pytest.mark.parametrize("given", ["-1", "two"])
def test_what_may_run_at_once_is_a_number(given: str) -> None:
    with pytest.raises(ValueError, match="requests_at_once"):
        SyncSettings.model_validate({"requests_at_once": given})


def test_tokens_are_kept_by_a_name_that_tells_nothing(database_url: str) -> None:
    ours = account(database_url)
    key = account_key("things", "https://api.example.com", "client", "refresh")
    with ours.token_store(key, "refresh").locked() as slot:
        assert (slot.tokens.access, slot.tokens.refresh) == (None, "refresh")
    with account().token_store(key, "refresh").locked() as slot:
        assert (slot.tokens.access, slot.tokens.refresh) == (None, "refresh")
    assert "refresh" not in key


def test_what_was_asked_is_remembered_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    ours, asked = account(), []

    def fetch() -> int:
        asked.append(now)
        return len(asked)

    assert [ours.remember("a", fetch), ours.remember("a", fetch)] == [1, 1]
    now += 601
    assert ours.remember("a", fetch) == 2
    ours.note("a", 7)
    assert ours.remember("a", fetch) == 7


def test_what_could_not_be_asked_is_asked_again() -> None:
    ours = account()

    def broken() -> None:
        raise UsageError("no")

    with pytest.raises(UsageError):
        ours.remember("a", broken)
    assert ours.remember("a", lambda: 1) == 1


def test_a_thing_is_said_once() -> None:
    ours = account()
    assert [ours.first_time("a"), ours.first_time("a"), ours.first_time("b")] == [True, False, True]


def test_the_slowest_of_its_clocks_is_the_account_s(serve: Serve) -> None:
    def at(minute: int) -> Answer:
        headers = {"Content-Type": "application/json"}
        return Answer(b"{}", 200, {**headers, "Date": f"Mon, 23 Nov 2026 12:{minute:02}:30 GMT"})

    ours = account()
    fast = ours.open_api(serve(lambda _: at(7)).url, None)
    slow = ours.open_api(serve(lambda _: at(3)).url, None)
    assert ours.source_time() is None
    fast.session("things.a").get("/a")
    slow.session("things.b").get("/b")
    told = ours.source_time()
    assert told is not None
    assert datetime(2026, 11, 23, 12, 3, 28, tzinfo=UTC) <= told
    assert told <= datetime(2026, 11, 23, 12, 3, 40, tzinfo=UTC)
    ours.close()
