"""What runs at once is bounded, over threads and processes; who is killed takes no slot along."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from crm_sync_assets.clients import http, slots
from crm_sync_assets.clients.auth import Bearer, Proof, Request
from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.limits import Budget, State, Window, shared_budget
from crm_sync_assets.errors import Deferred, FatalError, TransientError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests.faults.server import Answer, FaultServer
from crm_sync_assets_tests.faults.server import Request as Received


class Busy:
    """Takes a moment for each answer, and counts how many it is asked for at the same time."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds = seconds
        self.running = self.most = 0
        self.status = 200
        self.began = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Answer:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.began.set()
        time.sleep(30 if request.target == "/for-ever" else self.seconds)
        with self._lock:
            self.running -= 1
        return Answer(status=self.status)


@pytest.fixture
def busy() -> Iterator[Callable[..., tuple[Busy, str]]]:
    with ExitStack() as servers:

        def start(seconds: float = 0.1) -> tuple[Busy, str]:
            origin = Busy(seconds)
            return origin, servers.enter_context(FaultServer(origin)).url

        yield start


def client(url: str, budget: Budget, **settings: Any) -> Http:
    return Http(url, auth=Bearer("t", "T"), budget=budget, settings=SyncSettings(**settings))


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_threads_ask_at_once_than_may(
    busy: Callable[..., tuple[Busy, str]], most: int
) -> None:
    origin, url = busy()
    session = (api := client(url, Budget({}, at_once=most))).session("crm.things")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: session.get("/things").status, range(12)))
    assert answers == [200] * 12
    assert origin.most == most
    assert session.usage.rate_limit_wait_seconds > 0
    api.close()


def test_without_a_bound_all_ask_at_once(busy: Callable[..., tuple[Busy, str]]) -> None:
    origin, url = busy(0.5)
    session = (api := client(url, Budget({}))).session("crm.things")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: session.get("/things"), range(4)))
    assert origin.most == 4
    assert session.usage.rate_limit_wait_seconds == 0
    api.close()


class Unable(Bearer):
    def proof(self, request: Request) -> Proof:
        raise FatalError("no token to be had")


def test_a_request_that_fails_gives_its_slot_back(
    busy: Callable[..., tuple[Busy, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, url = busy(0.0)
    budget = Budget({"day": Window("day", 3, 86_400)}, at_once=1)
    api = client(url, budget, max_attempts=2)
    api.sleep = lambda _: None
    session = api.session("crm.things")
    origin.status = 503
    with pytest.raises(TransientError):
        session.get("/things")
    origin.status = 404
    with pytest.raises(FatalError):
        session.get("/things")
    api.auth = Unable("t", "T")
    with pytest.raises(FatalError, match="no token"):
        session.get("/things")
    api.auth = Bearer("t", "T")
    session.get("/things", windows=["day"], cost=3, accept=(404,))
    with pytest.raises(Deferred, match="day"):
        session.get("/things", windows=["day"])
    with budget._store.state() as (state, _):
        assert state[slots.AT_ONCE] == {"leases": {}}
    api.close()


def test_a_wait_between_tries_holds_no_slot(busy: Callable[..., tuple[Busy, str]]) -> None:
    origin, url = busy(0.0)
    api = client(url, Budget({}, at_once=1))
    held: list[dict[str, Any]] = []

    def looking(_: float) -> None:
        with api.budget._store.state() as (state, _now):
            held.append(dict(state[slots.AT_ONCE]["leases"]))

    api.sleep = looking
    origin.status = 503
    with pytest.raises(TransientError):
        api.session("crm.things").get("/things")
    assert held == [{}] * 4
    api.close()


def test_a_place_booked_ahead_holds_no_slot(busy: Callable[..., tuple[Busy, str]]) -> None:
    """While a page is stored, another request may run; the place is the next request's."""
    _, url = busy(0.0)
    budget = Budget({"day": Window("day", 40, 86_400)}, at_once=1)
    api = client(url, budget)
    session = api.session("crm.things")
    session.book_ahead(["day"], cost=20)
    api.session("crm.others").get("/others")
    session.get("/things", windows=["day"], cost=20)
    budget.take(["day"], cost=20)
    with pytest.raises(Deferred):
        budget.take(["day"])
    api.close()


def test_who_waits_too_long_for_a_slot_is_deferred() -> None:
    budget = Budget({}, at_once=1)
    first = budget.lease()
    waits: list[float] = []
    budget.take([], lease=first, lease_seconds=60)
    with pytest.raises(Deferred, match="all 1 requests that may run at once do"):
        budget.take([], lease=budget.lease(), most_wait=2, sleep=waits.append)
    assert 2 < sum(waits) < 3
    budget.release(first)
    assert budget.take([], lease=budget.lease(), most_wait=2) == 0


def test_a_lease_ends_by_itself_and_may_be_renewed() -> None:
    state = State()
    assert slots.hold(state, "a", 2, now=100, until=110) is None
    assert slots.hold(state, "b", 2, now=100, until=120) is None
    assert slots.hold(state, "c", 2, now=105, until=115) == 110
    assert slots.hold(state, "b", 2, now=105, until=130) is None
    assert slots.hold(state, "c", 2, now=110, until=140) is None
    assert state[slots.AT_ONCE] == {"leases": {"b": 130, "c": 140}}
    slots.free(state, "b", now=111)
    slots.free(state, "nobody's", now=111)
    assert state[slots.AT_ONCE] == {"leases": {"c": 140}}


# Processes


def shared(url: str, most: int = 2) -> Budget:
    windows = [("burst", 1_000, 1.0)]
    return shared_budget("account", windows, reserve=0, database_url=url, at_once=most)


def _ask(url: str, database_url: str, path: str, times: int, margin: float) -> None:
    http.LEASE_MARGIN = margin  # type: ignore[misc]
    budget = shared(database_url)
    api = client(url, budget, timeout_seconds=2.0 if margin < 30 else 30.0)
    session = api.session("crm.things")
    for _ in range(times):
        session.get(path, windows=["burst"])
    api.close()
    budget.close()


def start(*arguments: Any) -> Any:
    process = multiprocessing.get_context("spawn").Process(target=_ask, args=arguments)
    process.start()
    return process


def test_processes_share_what_may_run_at_once(
    busy: Callable[..., tuple[Busy, str]], database_url: str
) -> None:
    origin, url = busy()
    processes = [start(url, database_url, "/things", 5, 30.0) for _ in range(4)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert origin.most == 2


def test_the_slots_of_killed_processes_come_back(
    busy: Callable[..., tuple[Busy, str]], database_url: str
) -> None:
    """Each of the two has one of two slots, for 2 s of timeout and 2 s of margin."""
    origin, url = busy()
    killed = [start(url, database_url, "/for-ever", 1, 2.0) for _ in range(2)]
    due = time.monotonic() + 60
    while origin.running < 2:
        assert time.monotonic() < due, "the two never asked"
        time.sleep(0.01)
    for process in killed:
        process.kill()
        process.join()
    budget = shared(database_url)
    with pytest.raises(Deferred, match="all 2 requests"):
        budget.take([], lease=budget.lease(), most_wait=0.5)
    began = time.monotonic()
    waited = budget.take([], lease=budget.lease(), most_wait=30)
    assert 0 < waited <= 5
    assert time.monotonic() - began < 5
    budget.close()


def test_a_database_that_is_away_when_a_request_ends_spoils_nothing(
    busy: Callable[..., tuple[Busy, str]], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = busy(0.0)
    budget = shared(database_url, most=1)
    api = client(url, budget)

    def away(*_: Any) -> None:
        raise TransientError("the warehouse that keeps the rate budget is not reachable")

    monkeypatch.setattr(slots, "free", away)
    assert api.session("crm.things").get("/things").status == 200
    api.close()
    budget.close()
