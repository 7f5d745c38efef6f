"""What was asked: numbered requests, and how full the quota windows got."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `at` is sandbox time (ISO), `seconds` real time; status 0 is a dropped one."""

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


class Window:
    """A sliding window of `seconds`, counted in real monotonic time."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._asked: deque[float] = deque()
        self._served: deque[float] = deque()
        self.peak = 0
        self.refused = 0

    def take(self, limit: int | None) -> bool:
        """Count one request; False when `limit` served ones are already inside the window.

        `peak` is the highest number asked within any window, the refused ones included.
        """
        now = self._now()
        for stamps in (self._asked, self._served):
            while stamps and stamps[0] <= now - self._seconds:
                stamps.popleft()
        self._asked.append(now)
        self.peak = max(self.peak, len(self._asked))
        if limit is not None and len(self._served) >= limit:
            self.refused += 1
            return False
        self._served.append(now)
        return True

    @property
    def used(self) -> int:
        """Requests served inside the window, as of the last one."""
        return len(self._served)


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

    def next_number(self) -> int:
        """The number of the request that begins now, from 1."""
        with self._lock:
            self._number += 1
            return self._number

    def write(self, entry: Entry) -> None:
        """Add a finished request."""
        with self._lock:
            self.entries.append(entry)
            self.statuses[entry.status] += 1
            if entry.status == 429:
                self.refused["token", entry.token] += 1
                self.refused["account", entry.account] += 1

    def take(self, window: str, key: str, seconds: float, limit: int | None) -> bool:
        """Count a request in a named window of a token or account; False when it is over."""
        with self._lock:
            place = self.windows.get((window, key))
            if place is None:
                place = self.windows[window, key] = Window(seconds)
            return place.take(limit)

    def take_daily(self, account: str, day: str, limit: int | None) -> bool:
        """Count a request of an account's day; False when the day is used up."""
        with self._lock:
            self.daily[account, day] += 1
            return limit is None or self.daily[account, day] <= limit

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
