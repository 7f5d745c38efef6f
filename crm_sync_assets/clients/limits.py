"""The rate budget of an account, shared by every process that uses it.

A request books its place before it is sent: the earliest moment at which none of its windows is
full, and waits for it. Places are kept in `ingestion_rate_budget`, one row per account, by the
database's clock; without a database, in memory, for one process.

A window of N requests in T seconds is kept as groups of equal size, each with the moment of its
newest request, so that half a million a day take no more room than five a second. A request of
group g comes at least T after every request of the group one full window before it; any stretch
of T seconds then holds N requests at most. The server counts a request when it arrives, a little
after its place; `SLACK` makes T that much longer.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import msgspec
import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from crm_sync_assets.clients import slots
from crm_sync_assets.errors import Deferred, TransientError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import locks, postgres

log = logger(__name__)

MOST_GROUPS = 32
MOST_HELD_MS = 10_000
"""Milliseconds. Booking a place takes a few; whoever holds the budget longer is not at work."""
# How much later than another a request may reach the server, beyond what its place says.
SLACK_SECONDS = 0.25
MOST_CONNECTIONS = 4
STORE_TRIES = MOST_CONNECTIONS + 1
LOOK_AGAIN = (0.05, 0.25)
"""Seconds, from and to, after which it is looked again whether one of the running has ended."""

State = dict[str, Any]
"""By window: `newest`, the newest request of each group, `count` of the last one, `pause`. The
leases of requests that run stand beside them; see `slots`."""
Cost = int | Mapping[str, int]
"""What a request takes of each of its windows, or of those that are named; of others, 1."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `requests` in any `seconds`; `group` requests share one moment of the state.

    Where a source charges by what a request costs, as tokens or points, these are the units: what
    a request costs is said where it is sent.
    """

    name: str
    requests: int
    seconds: float

    @property
    def group(self) -> int:
        return -(-self.requests // MOST_GROUPS)

    @property
    def groups(self) -> int:
        return max(1, self.requests // self.group)


def windows_of(declared: Sequence[tuple[str, int, float]], reserve: float) -> dict[str, Window]:
    """The windows by name, each with `reserve` of its requests left to others."""
    return {
        name: Window(name, max(1, int(requests * (1 - reserve))), seconds + SLACK_SECONDS)
        for name, requests, seconds in declared
    }


def cost_in(cost: Cost, window: str) -> int:
    """What a request takes of this window."""
    return cost if isinstance(cost, int) else cost.get(window, 1)


def book(
    state: State, windows: Sequence[Window], now: float, most_wait: float, cost: Cost = 1
) -> float:
    """The moment at which a request of this cost has its place in each of the windows.

    Noted in `state`, all of it, unless the moment is over `most_wait` away. What a request takes of
    a window must fit into it.
    """
    at = now
    for window in windows:
        place = state.get(window.name) or {}
        at = max(at, float(place.get("pause", 0.0)))
        newest: list[float] = place.get("newest", [])
        left, begun = _groups_for(cost_in(cost, window.name), window, place)
        # A new group looks back over all the groups of a window, a begun one over one less.
        for number in range(0 if left else 1, begun + 1):
            back = window.groups + 1 - number
            if len(newest) >= back:
                at = max(at, newest[-back] + window.seconds)
    if at - now > most_wait:
        return at
    for window in windows:
        place = state.setdefault(window.name, {})
        newest = place.get("newest", [])
        taken = cost_in(cost, window.name)
        left, begun = _groups_for(taken, window, place)
        if left:
            newest[-1] = max(newest[-1], round(at, 3))
        if begun:
            place["count"] = taken - left - (begun - 1) * window.group
            newest = [*newest, *[round(at, 3)] * begun][-(window.groups + 1) :]
        else:
            place["count"] = int(place["count"]) + taken
        place["newest"] = newest
    return at


def _groups_for(taken: int, window: Window, place: Mapping[str, Any]) -> tuple[int, int]:
    """How many places the last group has left, and how many groups have to be begun after it."""
    left = window.group - int(place.get("count", 0)) if place.get("newest") else 0
    left = max(left, 0)
    return left, max(-(-(taken - left) // window.group), 0)


class Store(Protocol):
    """Where the state lives. Inside `state` it belongs to one thread of one process."""

    @contextmanager
    def state(self) -> Iterator[tuple[State, float]]:
        """The state, written back at the end, and the time now in epoch seconds."""
        ...

    def close(self) -> None: ...


class Memory:
    """The state of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: State = {}

    @contextmanager
    def state(self) -> Iterator[tuple[State, float]]:
        with self._lock:
            yield self._state, time.time()

    def close(self) -> None:
        pass


class BudgetTable:
    """The state of an account in `ingestion_rate_budget`, one writer at a time."""

    def __init__(self, database_url: str, account: str) -> None:
        self._account = account
        self._url = postgres.sqlalchemy_url(database_url)
        self._pool = ConnectionPool(
            kwargs=postgres.parameters(self._url),
            min_size=1,
            max_size=MOST_CONNECTIONS,
            timeout=30.0,
            open=False,
            configure=self._configure,
            num_workers=1,
            name="rate-budget",
        )
        self._readying = threading.Lock()
        self._ready = False

    @contextmanager
    def state(self) -> Iterator[tuple[State, float]]:
        try:
            self._make_ready()
            with self._pool.connection() as connection, connection.pipeline():
                locks.take_until_commit(connection, locks.rate_budget(self._account), prepare=True)
                # A statement of its own, so that it sees what the last holder committed and the
                # clock after the wait for the lock.
                row = connection.execute(
                    "SELECT (SELECT state FROM ingestion_rate_budget WHERE account = %s), "
                    "extract(epoch FROM clock_timestamp())::float8",
                    (self._account,),
                    prepare=True,
                ).fetchone()
                assert row is not None
                before, now = row
                state: State = msgspec.json.decode(before) if before else {}
                yield state, now
                after = msgspec.json.encode(state).decode()
                if after != before:
                    connection.execute(
                        "INSERT INTO ingestion_rate_budget AS b (account, state) "
                        "VALUES (%s, %s) ON CONFLICT (account) DO UPDATE "
                        "SET state = excluded.state, updated_at = clock_timestamp()",
                        (self._account, after),
                        prepare=True,
                    )
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise TransientError(
                f"the warehouse that keeps the rate budget is not reachable: {words(error)}"
            ) from error

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        postgres.begin(connection, self._url)
        # Losing the last places in a crash of the server costs nothing; waiting for its disk
        # would cost every request some milliseconds.
        connection.execute("SET synchronous_commit = off")
        # A process that hangs with the budget in its hands must not hold up the whole account.
        limit = (
            "transaction_timeout"
            if connection.info.server_version >= 170_000
            else "idle_in_transaction_session_timeout"
        )
        connection.execute(f"SET {limit} = {MOST_HELD_MS}")
        connection.commit()

    def _make_ready(self) -> None:
        """Open the pool, the first time only."""
        with self._readying:
            if not self._ready:
                self._pool.open()
                self._ready = True

    def close(self) -> None:
        self._pool.close()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A place for one request."""

    windows: Sequence[Window]
    cost: Cost
    lease: str | None
    lease_seconds: float


def _refuse_too_much(windows: Sequence[Window], cost: Cost) -> None:
    for window in windows:
        taken, most = cost_in(cost, window.name), window.group * window.groups
        if not 0 < taken <= most:
            raise UsageError(
                f"a request that costs {taken} has no place in the window {window.name}, which "
                f"holds {most}: check the rate windows, and what is reserved of them"
            )


def _deferred(at: float, why: str) -> Deferred:
    until = datetime.fromtimestamp(at, UTC).replace(microsecond=0)
    return Deferred(f"deferred until {until.isoformat()}: {why}", until=until)


class Budget:
    """Places for requests in an account's windows, and the pauses the source asked for.

    At most `at_once` requests run at the same time; 0 for any number.
    """

    def __init__(
        self, windows: Mapping[str, Window], store: Store | None = None, *, at_once: int = 0
    ) -> None:
        self._windows = dict(windows)
        self._store = store or Memory()
        self._at_once = at_once

    def units(self, names: Sequence[str], cost: Cost) -> int:
        """What a request of this cost takes of the longest of the named windows; 0 without one."""
        windows = [self._windows[name] for name in names if name in self._windows]
        if not windows:
            return 0
        return cost_in(cost, max(windows, key=lambda window: window.seconds).name)

    def lease(self) -> str | None:
        """A name under which one request runs; None where any number may."""
        return uuid4().hex[:12] if self._at_once else None

    def take(
        self,
        names: Sequence[str],
        *,
        most_wait: float = 900.0,
        sleep: Callable[[float], None] = time.sleep,
        cost: Cost = 1,
        lease: str | None = None,
        lease_seconds: float = 60.0,
    ) -> float:
        """Wait for a place in each of the named windows; the seconds waited.

        Windows that are not declared have no limit. All of `cost` is taken, or nothing. With a
        `lease` the request is one of those that run, until it is released or so many seconds after
        its moment. Raises Deferred, without waiting, when the place is more than `most_wait`
        seconds away; UsageError for a cost that no window of that size ever has.
        """
        windows = [self._windows[name] for name in names if name in self._windows]
        if not windows and lease is None:
            return 0.0
        _refuse_too_much(windows, cost)
        try:
            return self._taken(_Wanted(windows, cost, lease, lease_seconds), most_wait, sleep)
        except BaseException:
            self.release(lease)
            raise

    def _taken(self, wanted: _Wanted, most_wait: float, sleep: Callable[[float], None]) -> float:
        waited, names = 0.0, ", ".join(window.name for window in wanted.windows)
        while True:
            seconds, at, is_full = self._booked(wanted, most_wait)
            if is_full:
                if waited > most_wait:
                    raise _deferred(at, f"all {self._at_once} requests that may run at once do")
                seconds = random.uniform(*LOOK_AGAIN)
                sleep(seconds)
                waited += seconds
                continue
            if seconds > most_wait:
                raise _deferred(at, f"the account's budget ({names}) is used up until then")
            if seconds <= 0:
                return waited
            began = time.monotonic()
            sleep(seconds)
            waited += seconds
            # Whoever wakes much too late would send together with those booked after it.
            if time.monotonic() - began - seconds < SLACK_SECONDS / 2:
                return waited

    def _booked(self, wanted: _Wanted, most_wait: float) -> tuple[float, float, bool]:
        """Seconds until the next free place, its moment, and whether as many run as may.

        Then nothing is booked, and the moment is that at which one of them ends by itself. A
        database that was restarted broke the connections in the pool: each is tried once.
        """
        for tries in range(STORE_TRIES):
            try:
                with self._store.state() as (state, now):
                    lease = wanted.lease
                    if lease is not None:
                        until = now + wanted.lease_seconds
                        full = slots.hold(state, lease, self._at_once, now, until)
                        if full is not None:
                            return full - now, full, True
                    at = book(state, wanted.windows, now, most_wait, wanted.cost)
                    if lease is not None and at - now <= most_wait:
                        slots.hold(state, lease, self._at_once, now, at + wanted.lease_seconds)
                return at - now, at, False
            except TransientError as error:
                if tries + 1 == STORE_TRIES or isinstance(error.__cause__, PoolTimeout):
                    raise
        raise AssertionError("unreachable")

    def release(self, lease: str | None) -> None:
        """Say that the request of this lease has ended; where nobody can be told, it ends alone."""
        if lease is None:
            return
        try:
            with self._store.state() as (state, now):
                slots.free(state, lease, now)
        except TransientError as error:
            log.info("a request's lease is left to end by itself: %s", error)

    def pause(self, name: str, seconds: float) -> None:
        """No request in this window, by any process of the account, for so many seconds."""
        with self._store.state() as (state, now):
            place = state.setdefault(name, {})
            place["pause"] = max(float(place.get("pause", 0.0)), round(now + seconds, 3))

    def close(self) -> None:
        self._store.close()


def shared_budget(
    account: str,
    declared: Sequence[tuple[str, int, float]],
    *,
    reserve: float,
    database_url: str | None,
    at_once: int = 0,
) -> Budget:
    """The budget of `account`: shared through the database if there is one, else this process's."""
    store = BudgetTable(database_url, account) if database_url else Memory()
    return Budget(windows_of(declared, reserve), store, at_once=at_once)


def account_key(*parts: str) -> str:
    """A name for an account that tells nothing about its credentials."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
