"""What was subscribed to through a CRM's own API is told as it happens, by a thread of its own."""

import contextlib
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.webhooks import Change, Ear, Wire, change, deliver

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.05
"""Before the second attempt; the real ones wait for minutes, and nobody who plays does."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery: of which subscription, to which address."""

    subscription: Any
    url: str
    wire: Wire
    changes: Sequence[Change]


class Post(ABC):
    """Delivers what happens in a world to whoever has subscribed.

    Nothing is listened to before somebody has: a CRM calls `listen` then, `forget` on a reset.
    """

    most = 1
    """Changes in one delivery."""

    def __init__(self, world: Life[Any]) -> None:
        self._world = world
        self._heard: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._ear: Ear | None = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._under_way = 0
        self._done = threading.Condition()

    @abstractmethod
    def parcels(self, changes: Sequence[Change]) -> Iterator[Parcel]:
        """What is to be delivered of these."""

    def delivered(self, parcel: Parcel, statuses: Sequence[int]) -> None:  # noqa: B027  by default
        """What its attempts were answered; 0 is no answer."""

    def listen(self) -> None:
        """From now on; not twice."""
        if self._ear is None:
            self._ending.clear()
            self._ear = Ear(self._world, change, self._take)
            self._thread = threading.Thread(target=self._run, name="sandbox-post", daemon=True)
            self._thread.start()

    def forget(self) -> None:
        """Listen no more, and deliver nothing of what was heard."""
        if self._ear is None or self._thread is None:
            return
        self._ear.close()
        self._ending.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2 * PATIENCE_SECONDS)
        self._ear = self._thread = None
        self._heard = queue.SimpleQueue()
        with self._done:
            self._under_way = 0
            self._done.notify_all()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until everything that was heard is delivered or lost; whether it was in time."""
        with self._done:
            return self._done.wait_for(lambda: not self._under_way, seconds)

    def _take(self, change: Change) -> None:
        with self._done:
            self._under_way += 1
        self._heard.put(change)

    def _run(self) -> None:
        with httpx.Client(timeout=PATIENCE_SECONDS) as client:
            while not self._ending.is_set():
                changes = self._next()
                for parcel in self.parcels(changes) if changes else ():
                    if self._ending.is_set():
                        return
                    self._deliver(client, parcel)
                with self._done:
                    self._under_way = max(0, self._under_way - len(changes))
                    self._done.notify_all()

    def _next(self) -> list[Change]:
        found: list[Change] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._heard.get(timeout=0.1))
            while len(found) < self.most:
                found.append(self._heard.get_nowait())
        return found

    def _deliver(self, client: httpx.Client, parcel: Parcel) -> None:
        try:
            statuses = deliver(client, parcel.wire, parcel.changes, parcel.url, PAUSE_SECONDS)
        except httpx.InvalidURL:
            statuses = [0]
        self.delivered(parcel, statuses)
