"""What a CRM tells of its changes: deliveries to an address, and what may become of them.

A world is listened to; what changed waits until it is sent. On demand some deliveries are lost,
come twice or in another order. A CRM says what a delivery looks like, and when it is sent again.
"""

import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import httpx

from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.store import Record, Table, Version

Act = Literal["create", "edit", "archive", "restore", "merge", "purge"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a record. `at` is epoch ms, `values` are all it has by now.

    `number` counts what a sender hears, `names` are the fields that differ from before.
    """

    number: int
    kind: str
    id: str
    act: Act
    at: int
    values: Mapping[str, Any] = field(repr=False)
    names: Sequence[str] = ()
    into: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A delivery on the wire."""

    headers: Mapping[str, str]
    body: bytes


class Wire(ABC):
    """How a CRM sends: up to `most` changes in a delivery, `attempts` times while it fails."""

    most = 1
    attempts = 1

    @abstractmethod
    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:
        """The delivery of these, for the `attempt`th time, from 0 on."""

    def again(self, status: int) -> bool:
        """Whether it is sent again after an answer; 0 is none."""
        return status == 0 or status >= 500


class Ear:
    """Listens to a world: what happens to a record is taken as a change. `close` ends it."""

    def __init__(self, world: Life[Any], take: Callable[[Change], None]) -> None:
        self._world = world
        self._take = take
        self._numbers = count()
        world.listeners.append(self._hear)

    def close(self) -> None:
        """Listen no more."""
        self._world.listeners.remove(self._hear)

    def _hear(self, table: Table, record: Record, before: Version | None, after: Version) -> None:
        act = _act(before, after)
        if act is None:
            return
        old = before.changes if before else {}
        self._take(
            Change(
                next(self._numbers),
                table.kind.name,
                table.id_of(record.number),
                act,
                self._world.clock.now_ms(),
                table.values(record.number, after),
                [n for n, v in after.changes.items() if n not in old or old[n] != v],
                table.id_of(after.merged_into) if after.merged_into is not None else None,
            )
        )


class Sender:
    """Listens to a world, and tells an address what it heard. `answers` counts the statuses."""

    def __init__(self, world: Life[Any], wire: Wire, url: str) -> None:
        self._world = world
        self._wire = wire
        self._url = url
        self._heard: list[Change] = []
        self.answers: Counter[int] = Counter()
        self.lost = 0
        self._ear = Ear(world, self._heard_of)

    def close(self) -> None:
        """Listen no more."""
        self._ear.close()

    @property
    def waiting(self) -> int:
        """Changes that were heard and not sent."""
        return len(self._heard)

    def _heard_of(self, change: Change) -> None:
        self._heard.append(change)

    def send(
        self, *, lose: float = 0.0, twice: float = 0.0, shuffle: bool = False, seed: int = 0
    ) -> int:
        """Tell what was heard; how many deliveries were answered with 2xx.

        So large a part of the deliveries is lost, comes twice; `shuffle` has them in no order.
        """
        rng = random.Random(f"{self._world.seed}/{seed}/webhooks")
        with self._world.lock:
            heard, self._heard = self._heard, []
        if shuffle:
            rng.shuffle(heard)
        most = self._wire.most
        deliveries = [heard[at : at + most] for at in range(0, len(heard), most)]
        deliveries += [one for one in deliveries if rng.random() < twice]
        taken = 0
        with httpx.Client(timeout=30) as client:
            for one in deliveries:
                if rng.random() < lose:
                    self.lost += 1
                    continue
                taken += self._deliver(client, one)
        return taken

    def _deliver(self, client: httpx.Client, changes: Sequence[Change]) -> bool:
        statuses = deliver(client, self._wire, changes, self._url)
        self.answers.update(statuses)
        taken = 200 <= statuses[-1] < 300
        self.lost += not taken
        return taken


def deliver(
    client: httpx.Client, wire: Wire, changes: Sequence[Change], url: str, pause: float = 0.0
) -> list[int]:
    """Send them until they are taken, or given up; what each attempt was answered, 0 for nothing.

    `pause` seconds before the second attempt, twice as many before the next, and so on.
    """
    statuses: list[int] = []
    for attempt in range(wire.attempts):
        if attempt:
            time.sleep(min(pause * 2 ** (attempt - 1), 2.0))
        request = wire.request(changes, url, attempt)
        try:
            answer = client.post(url, content=request.body, headers=dict(request.headers))
            statuses.append(answer.status_code)
        except httpx.HTTPError:
            statuses.append(0)
        if 200 <= statuses[-1] < 300 or not wire.again(statuses[-1]):
            break
    return statuses


def _act(before: Version | None, after: Version) -> Act | None:
    if before is None:
        return "create"
    acts: dict[tuple[str, str], Act] = {
        ("live", "live"): "edit",
        ("archived", "live"): "restore",
    }
    ends: dict[str, Act] = {"archived": "archive", "merged": "merge", "purged": "purge"}
    if before.state == after.state != "live":
        return None
    return acts.get((before.state, after.state)) or ends.get(after.state)
