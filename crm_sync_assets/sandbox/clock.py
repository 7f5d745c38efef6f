"""The sandbox's own time: real time plus an offset, or frozen."""

import threading
import time
from datetime import UTC, datetime
from email.utils import format_datetime


def iso(milliseconds: int) -> str:
    """Epoch milliseconds as `2026-11-20T08:01:12.410Z`."""
    seconds, fraction = divmod(milliseconds, 1000)
    t = time.gmtime(seconds)
    return (
        f"{t.tm_year:04d}-{t.tm_mon:02d}-{t.tm_mday:02d}"
        f"T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}.{fraction:03d}Z"
    )


def epoch_ms(moment: datetime | str | int) -> int:
    """Epoch milliseconds of an aware datetime, an ISO text (naive means UTC) or milliseconds."""
    if isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


class Clock:
    """A virtual clock. All servers of one sandbox share it; every answer's `Date` comes from it."""

    def __init__(self, earliest: datetime) -> None:
        self._lock = threading.Lock()
        self._earliest = epoch_ms(earliest)
        self._offset = 0
        self._frozen: int | None = None
        self.reset()

    def reset(self) -> None:
        """Back to real time (or to `earliest` on a machine whose clock is behind it)."""
        with self._lock:
            self._frozen = None
            self._offset = max(0, self._earliest - time.time_ns() // 1_000_000)

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        frozen = self._frozen
        return time.time_ns() // 1_000_000 + self._offset if frozen is None else frozen

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def http_date(self) -> str:
        """The value of a `Date` header; whole seconds, rounded down."""
        return format_datetime(datetime.fromtimestamp(self.now_ms() // 1000, UTC), usegmt=True)

    def advance(self, seconds: float) -> None:
        """Jump; negative goes back. A frozen clock stays frozen, at the new moment."""
        with self._lock:
            if self._frozen is None:
                self._offset += round(seconds * 1000)
            else:
                self._frozen += round(seconds * 1000)

    def freeze(self, at: datetime | str | int | None = None) -> None:
        """Stop at a moment, or where the clock is now."""
        moment = self.now_ms() if at is None else epoch_ms(at)
        with self._lock:
            self._frozen = moment

    def thaw(self) -> None:
        """Run on from the frozen moment."""
        with self._lock:
            if self._frozen is not None:
                self._offset = self._frozen - time.time_ns() // 1_000_000
                self._frozen = None
