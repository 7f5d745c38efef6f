"""What was asked: numbered requests, and how full the quota windows got."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `at` is sandbox time (ISO), `seconds` real time; status 0 is a dropped one.

    `action` is what a header asks for, where that is not in the address.
    """

    number: int
    crm: str
    method: str
    path: str
    query: str
    token: str
    account: str
    status: int
    at: str
    seconds: float
    action: str = ""


class Window:
    """A sliding window of `seconds`, counted in real monotonic time."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._asked: deque[float] = deque()
        self._served: deque[float] = deque()
        self.peak = 0
        self.refused = 0

    def take(self, limit: int | None, cost: int = 1) -> bool:
        """Count a request of that cost; False when it and those served inside the window are more
        than `limit`.

        `peak` is the most that was asked within any window, the refused included.
        """
        now = self._now()
        for stamps in (self._asked, self._served):
            while stamps and stamps[0] <= now - self._seconds:
                stamps.popleft()
        self._asked.extend([now] * cost)
        self.peak = max(self.peak, len(self._asked))
        if limit is not None and len(self._served) + cost > limit:
            self.refused += 1
            return False
        self._served.extend([now] * cost)
        return True

    @property
    def used(self) -> int:
        """What was served inside the window, as of the last request."""
        return len(self._served)


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of a token or account, `key`: so much within so many seconds, or within a day.

    `seconds` None is a day, named by `day` in the account's zone; `limit` None only counts. One
    that counts `each` request takes no notice of what it costs.
    """

    name: str
    key: str
    limit: int | None
    seconds: float | None = None
    day: str = ""
    each: bool = False


class Ledger:
    """Requests of all CRMs, newest last, and the quota windows by name."""

    def __init__(self, keep: int = 100_000) -> None:
        self._lock = threading.Lock()
        self._keep = keep
        self.reset()

    def reset(self) -> None:
        """Forget everything; numbering starts at 1 again."""
        with self._lock:
            self._number = 0
            self.entries: deque[Entry] = deque(maxlen=self._keep)
            self.statuses: Counter[int] = Counter()
            self.windows: dict[tuple[str, str], Window] = {}
            self.daily: Counter[tuple[str, str]] = Counter()
            self.refused: Counter[tuple[str, str]] = Counter()
            self.running: Counter[str] = Counter()
            self.most_at_once: Counter[str] = Counter()

    def next_number(self) -> int:
        """The number of the request that begins now, from 1."""
        with self._lock:
            self._number += 1
            return self._number

    @contextmanager
    def counted(self, crm: str) -> Iterator[None]:
        """A request of this CRM's runs; `most_at_once` is how many did at the same time."""
        with self._lock:
            self.running[crm] += 1
            self.most_at_once[crm] = max(self.most_at_once[crm], self.running[crm])
        try:
            yield
        finally:
            with self._lock:
                self.running[crm] -= 1

    def write(self, entry: Entry) -> None:
        """Add a finished request."""
        with self._lock:
            self.entries.append(entry)
            self.statuses[entry.status] += 1
            if entry.status == 429:
                self.refused["token", entry.token] += 1
                self.refused["account", entry.account] += 1

    def spend(
        self, quotas: Iterable[Quota], cost: int = 1, *, enforced: bool = True
    ) -> Quota | None:
        """Count a request in each quota, up to the first that is used up: that one, or None.

        Where limits are not `enforced`, all only count.
        """
        with self._lock:
            for quota in quotas:
                if not self._take(
                    quota, 1 if quota.each else cost, quota.limit if enforced else None
                ):
                    return quota
        return None

    def _take(self, quota: Quota, cost: int, limit: int | None) -> bool:
        if quota.seconds is None:
            self.daily[quota.key, quota.day] += cost
            return limit is None or self.daily[quota.key, quota.day] <= limit
        place = self.windows.get((quota.name, quota.key))
        if place is None:
            place = self.windows[quota.name, quota.key] = Window(quota.seconds)
        return place.take(limit, cost)

    def used(self, window: str, key: str) -> int:
        """Served requests inside a named window."""
        place = self.windows.get((window, key))
        return place.used if place else 0

    def count(self, path: str = "", method: str = "", status: int | None = None) -> int:
        """Requests whose path contains `path`, of that method and status where given."""
        return len(self.select(path, method, status))

    def select(self, path: str = "", method: str = "", status: int | None = None) -> list[Entry]:
        """The same as `count`, as entries."""
        with self._lock:
            return [
                entry
                for entry in self.entries
                if path in entry.path
                and method in ("", entry.method)
                and status in (None, entry.status)
            ]

    def summary(self, last: int = 1_000) -> dict[str, Any]:
        """JSON-able: totals, 429s and window peaks per token and account, the last requests."""
        with self._lock:
            return {
                "requests": self._number,
                "statuses": {str(k): v for k, v in sorted(self.statuses.items())},
                "refused": {f"{kind} {key}": n for (kind, key), n in self.refused.items()},
                "windows": [
                    {"window": name, "key": key, "peak": w.peak, "refused": w.refused}
                    for (name, key), w in self.windows.items()
                ],
                "daily": [
                    {"account": account, "day": day, "requests": n}
                    for (account, day), n in self.daily.items()
                ],
                "entries": [asdict(entry) for entry in list(self.entries)[-last:]],
            }
