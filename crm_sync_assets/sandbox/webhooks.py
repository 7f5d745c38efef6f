"""What a CRM tells of its changes: deliveries to an address, and what may become of them.

A world is listened to; what changed waits until it is sent. On demand some deliveries are lost,
come twice, late or in another order. A CRM says what a delivery looks like, when it is sent again,
and when it gives an address up: for a while, until somebody switches it on again, or for good.
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

from crm_sync_assets.sandbox.store import Version

Act = Literal["create", "edit", "archive", "restore", "merge", "purge"]
State = Literal["on", "banned", "off", "deleted"]
"""An address is used, not for a while, not until somebody switches it on, or never again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a record. `at` is epoch ms, `values` are all it has by now.

    `number` counts what a sender hears, `names` are the fields that differ from before. `topic` is
    what the CRM calls it, where the address says that.
    """

    number: int
    kind: str
    id: str
    act: Act
    at: int
    values: Mapping[str, Any] = field(repr=False)
    names: Sequence[str] = ()
    into: str | None = None
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A delivery on the wire; `url` where it goes elsewhere than to the sender's address."""

    headers: Mapping[str, str]
    body: bytes
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery that was sent: when, epoch ms, for the how manieth time, from 0 on, and what was
    answered; 0 is nothing."""

    at: int
    attempt: int
    status: int


class Wire(ABC):
    """How a CRM sends: up to `most` changes in a delivery, `attempts` times while it fails.

    Between two attempts pass the next of `pauses`, in seconds; the last one stands for all after
    it. After `strikes` first attempts that failed the address is banned for `ban_seconds`, or off
    where that is None; a success takes them away if the CRM `forgives`. After `patience_days` of
    nothing but failures the webhook is deleted. An answer is waited for `answer_seconds`.
    """

    most = 1
    attempts = 1
    pauses: Sequence[float] = ()
    strikes: int | None = None
    ban_seconds: float | None = None
    forgives = True
    patience_days: float | None = None
    answer_seconds = 30.0

    @abstractmethod
    def request(self, changes: Sequence[Change], url: str, attempt: int) -> Request:
        """The delivery of these, for the `attempt`th time, from 0 on."""

    def again(self, status: int) -> bool:
        """Whether it is sent again after an answer; 0 is none."""
        return status == 0 or status >= 500

    def takes(self, answer: httpx.Response) -> bool:
        """Whether that answer says that it has arrived."""
        return answer.is_success

    def heard(self, number: int, at: int, *written: Any) -> Change | None:
        """What a world says to its listeners, as a change; None for what is none."""
        return change(number, at, *written)

    def told(self, change: Change) -> Sequence[Change]:
        """What is sent of a change: once, nothing where the CRM does not tell of it, or several."""
        return (change,)

    def pause(self, attempt: int) -> float:
        """Seconds from the `attempt`th one, which failed, to the next."""
        return self.pauses[min(attempt, len(self.pauses) - 1)] if self.pauses else 0.0


@dataclass(slots=True)
class _Delivery:
    """Changes on their way; the next attempt is not before `due`, epoch ms."""

    changes: Sequence[Change]
    due: int
    attempt: int = 0


class Ear:
    """Listens to a world: what happens to a record is taken as a change, if it is one."""

    def __init__(
        self, world: Any, heard: Callable[..., Change | None], take: Callable[[Change], None]
    ) -> None:
        self._world = world
        self._heard = heard
        self._take = take
        self.numbers = count()
        world.listeners.append(self._hear)

    def close(self) -> None:
        """Listen no more."""
        self._world.listeners.remove(self._hear)

    def _hear(self, *written: Any) -> None:
        found = self._heard(next(self.numbers), self._world.clock.now_ms(), *written)
        if found is not None:
            self._take(found)


class Sender:
    """Listens to a world, and tells an address what it heard.

    `answers` counts the statuses, `sent` are all attempts, `lost` counts deliveries that never
    arrived. Times are those of the world's clock.
    """

    def __init__(self, world: Any, wire: Wire, url: str) -> None:
        self._world = world
        self._wire = wire
        self._url = url
        self._heard: list[Change] = []
        self._late: list[Sequence[Change]] = []
        self._again: list[_Delivery] = []
        self._strikes = 0
        self._banned_until: float = 0
        self._failing_since: int | None = None
        self._is_deleted = False
        self.answers: Counter[int] = Counter()
        self.sent: list[Attempt] = []
        self.lost = 0
        self._ear = Ear(world, wire.heard, self._take)

    def close(self) -> None:
        """Listen no more."""
        self._ear.close()

    @property
    def waiting(self) -> int:
        """Changes that were heard and not sent."""
        return len(self._heard)

    @property
    def held(self) -> int:
        """Deliveries that are late, or were sent in vain and will be sent again."""
        return len(self._late) + len(self._again)

    @property
    def state(self) -> State:
        """What the CRM makes of the address now."""
        if self._is_deleted:
            return "deleted"
        if self._banned_until == float("inf"):
            return "off"
        return "banned" if self._world.clock.now_ms() < self._banned_until else "on"

    def switch_on(self) -> None:
        """Somebody sets it up again; what happened meanwhile is not told."""
        self._strikes, self._banned_until = 0, 0
        self._failing_since, self._is_deleted = None, False

    def _take(self, found: Change) -> None:
        self._heard += self._wire.told(found)

    def burst(self, kind: str, most: int, names: Sequence[str]) -> int:
        """Hear of an edit of these fields of so many live records, as of an import that changes
        nothing; of how many."""
        with self._world.lock:
            table, at = self._world.table(kind), self._world.clock.now_ms()
            ids = self._world.ids(kind)[:most]
            for one in ids:
                number = self._world.find(kind, one)[1]
                values = table.values(number, table.record(number).latest)
                edit = Change(next(self._ear.numbers), kind, one, "edit", at, values, list(names))
                self._take(edit)
        return len(ids)

    def send(
        self,
        *,
        lose: float = 0.0,
        twice: float = 0.0,
        late: float = 0.0,
        shuffle: bool = False,
        seed: int = 0,
        at_once: bool = True,
    ) -> int:
        """Tell what was heard; how many deliveries were taken.

        So large a part of the deliveries is lost, comes twice, or with the next call; `shuffle` has
        them in no order. What fails is sent again `at_once`, as if the pauses had passed, or by a
        later call, when the clock says that they have.
        """
        rng = random.Random(f"{self._world.seed}/{seed}/webhooks")
        with self._world.lock:
            heard, self._heard = self._heard, []
        if shuffle:
            rng.shuffle(heard)
        most, now = self._wire.most, self._world.clock.now_ms()
        groups = [heard[at : at + most] for at in range(0, len(heard), most)]
        groups += [one for one in groups if rng.random() < twice]
        arriving, self._late = self._late, []
        for one in groups:
            chance = rng.random()
            if chance < lose:
                self.lost += 1
            else:
                (self._late if rng.random() < late else arriving).append(one)
        if shuffle:
            rng.shuffle(arriving)
        due = sorted((one for one in self._again if one.due <= now), key=lambda one: one.due)
        self._again = [one for one in self._again if one.due > now]
        due += [_Delivery(one, now) for one in arriving]
        # Reading the certificates of this machine takes longer than a delivery to it.
        with httpx.Client(timeout=self._wire.answer_seconds, verify=False) as client:
            return sum(self._deliver(client, one, at_once=at_once) for one in due)

    def _deliver(self, client: httpx.Client, one: _Delivery, *, at_once: bool) -> bool:
        while True:
            if self._is_deleted or (one.attempt == 0 and one.due < self._banned_until):
                break
            request = self._wire.request(one.changes, self._url, one.attempt)
            status, taken = answered(client, self._wire, request, self._url)
            self.answers[status] += 1
            self.sent.append(Attempt(one.due, one.attempt, status))
            self._judge(one, taken=taken)
            if taken:
                return True
            one.due += round(1000 * self._wire.pause(one.attempt))
            one.attempt += 1
            if one.attempt == self._wire.attempts or not self._wire.again(status):
                break
            if not at_once:
                self._again.append(one)
                return False
        self.lost += 1
        return False

    def _judge(self, one: _Delivery, *, taken: bool) -> None:
        """What an attempt makes of the address."""
        wire = self._wire
        if taken:
            self._failing_since = None
            self._strikes = 0 if wire.forgives else self._strikes
            return
        if self._failing_since is None:
            self._failing_since = one.due
        days = (one.due - self._failing_since) / 86_400_000
        if wire.patience_days is not None and days >= wire.patience_days:
            self._is_deleted = True
        if one.attempt > 0 or wire.strikes is None:
            return
        self._strikes += 1
        if self._strikes >= wire.strikes:
            banned = wire.ban_seconds
            self._banned_until = float("inf") if banned is None else one.due + 1000 * banned
            self._strikes = 0


def change(number: int, at: int, *written: Any) -> Change | None:
    """What a world says to its listeners, as a change; None for what is none."""
    table, record, before, after = written
    act = _act(before, after)
    if act is None:
        return None
    old = before.changes if before else {}
    return Change(
        number,
        table.kind.name,
        table.id_of(record.number),
        act,
        at,
        table.values(record.number, after),
        [n for n, v in after.changes.items() if n not in old or old[n] != v],
        table.id_of(after.merged_into) if after.merged_into is not None else None,
    )


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
        status, taken = answered(client, wire, wire.request(changes, url, attempt), url)
        statuses.append(status)
        if taken or not wire.again(status):
            break
    return statuses


def answered(client: httpx.Client, wire: Wire, request: Request, url: str) -> tuple[int, bool]:
    """One attempt: the status, 0 for no answer, and whether it was taken."""
    try:
        answer = client.post(
            request.url or url, content=request.body, headers=dict(request.headers)
        )
    except httpx.HTTPError:
        return 0, False
    return answer.status_code, wire.takes(answer)


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
