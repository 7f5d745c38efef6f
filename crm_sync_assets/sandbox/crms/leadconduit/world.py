"""What LeadConduit holds, and what happens there."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms, iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.leadconduit.knobs import LeadConduitKnobs
from crm_sync_assets.sandbox.life import DAY_MS, Moment
from crm_sync_assets.sandbox.people import pools

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: when it was made and when it shows up, epoch ms, and what the API says of it."""

    id: str
    type: str
    lead: str
    made: int
    shown: int
    record: Row


class World:
    """Events are added and expire; nothing else ever happens to them."""

    def __init__(self, stage: Stage, knobs: LeadConduitKnobs, leads: int) -> None:
        self.clock, self.seed, self.lock = stage.clock, stage.seed, threading.RLock()
        self._knobs, self._count = knobs, leads
        self.listeners: list[Callable[[Event], None]] = []
        self.reset()

    def reset(self) -> None:
        with self.lock:
            self._events: list[Event] | None = None
            self._fields: dict[str, Row] = {}
            self._submitted: dict[str, int] = {}

    @property
    def events(self) -> list[Event]:
        """All that ever were."""
        self._begun()
        return self._events or []

    def _begun(self) -> None:
        """Make what there is in the beginning: the month before somebody first looks. Events
        expire, and those of a fixed day would be gone one day."""
        with self.lock:
            if self._events is None:
                self._events = []
                # Of what there is in the beginning nobody hears.
                listeners, self.listeners = self.listeners, []
                self._begin(random.Random(f"{self.seed}/leadconduit"))
                self.listeners = listeners

    def _begin(self, rng: random.Random) -> None:
        now = self.clock.now_ms()
        for number in range(self._count):
            at = now - 30 * DAY_MS + number * 7_200_000
            one = self.submit(self.sample(rng), at)
            self.deliver(one, at)
            if number % 5 == 0:
                outcome, then = rng.choice(("success", "failure")), min(at + DAY_MS, now)
                self.feedback(one, outcome, "returned", then, is_whole=number % 2 == 0)

    # -- what happens ----------------------------------------------------------------------------

    def submit(self, fields: Mapping[str, Any] | None = None, at: Moment | None = None) -> str:
        """A lead comes in; its id."""
        with self.lock:
            self._begun()
            name = self._digest("lead", len(self._submitted))[:24]
            self._fields[name] = dict(fields or {"first_name": "New"})
            self._submitted[name] = self._at(at)
            self._add("source", name, "success", None, at)
            return name

    def retry(self, lead: str, fields: Mapping[str, Any], at: Moment | None = None) -> None:
        """It comes in again, with other values; None clears one."""
        with self.lock:
            self._fields[lead] = {**self._fields[lead], **fields}
            self._add("source", lead, "success", None, at)

    def deliver(self, lead: str, at: Moment | None = None) -> None:
        """It is passed on: another event of the same lead, of no interest."""
        with self.lock:
            self._add("recipient", lead, "failure", "no buyer", at)

    def ping(self, at: Moment | None = None) -> None:
        """Somebody asks what a lead would be worth, and says little of it: that is none."""
        with self.lock:
            name = self._digest("ping", len(self._submitted))[:24]
            self._fields[name], self._submitted[name] = {"postal_code": "43004"}, self._at(at)
            self._add("ping", name, "success", None, at)
            del self._fields[name]

    def feedback(
        self,
        lead: str,
        outcome: str,
        reason: str | None,
        at: Moment | None = None,
        *,
        is_whole: bool = True,
    ) -> None:
        """A return or a conversion; one that is not whole says of the lead only which it is."""
        with self.lock:
            self._add("feedback", lead, outcome, reason, at, is_whole=is_whole)

    def move(self, n: int, seed: int) -> list[str]:
        """A random believable life."""
        rng, done = random.Random(f"{self.seed}/{seed}"), []
        for _ in range(n):
            one, dice = rng.choice(self.ids() or [self.submit()]), rng.random()
            if dice < 0.5:
                done.append(f"create leads {self.submit(self.sample(rng))}")
            elif dice < 0.7:
                self.retry(one, self.sample(rng))
                done.append(f"edit leads {one}")
            else:
                outcome = rng.choice(("success", "failure", "error"))
                reason = rng.choice(("duplicate", "sold", None))
                self.feedback(one, outcome, reason, is_whole=rng.random() < 0.5)
                done.append(f"feedback leads {one}")
            if dice < 0.3:
                self.deliver(one)
                self.ping()
        return done

    def ids(self) -> list[str]:
        """Every lead that ever was."""
        return list(dict.fromkeys(one.lead for one in self.events if one.type == "source"))

    def sample(self, rng: random.Random) -> Row:
        """Believable values, some of them typed."""
        p = pools(self.seed)
        first, last = rng.choice(p.first_names), rng.choice(p.last_names)
        number, code = f"614555{rng.randrange(10_000):04d}", f"43{rng.randrange(1_000):03d}"
        found: Row = {"first_name": first, "last_name": last, "city": rng.choice(p.cities)}
        mail = f"lead{rng.randrange(10**6)}@example.com"
        typed: Row = {
            "phone_1": {"normal": number, "raw": f"({number[:3]}) {number[3:6]}-{number[6:]}",
                        "area": "614", "exchange": "555", "line": number[6:], "valid": True},
            "email": {"normal": mail, "raw": mail.upper(), "user": mail.partition("@")[0],
                      "domain": "example.com", "is_free": False, "valid": True},
            "address_1": {"normal": "12 Elm St", "raw": "12  Elm St", "number": "12",
                          "name": "Elm St", "valid": True},
            "postal_code": {"normal": code, "raw": f"{code}-", "country_code": "US", "zip": code,
                            "four": None, "valid": True},
            "state": {"normal": "OH", "raw": "ohio", "name": "Ohio", "valid": True},
        }  # fmt: skip
        for name, value in typed.items():
            found[name] = value if rng.random() < 0.7 else value["normal"]
        found |= {"country": "US", "note_hge": rng.choice(("siding", None)), "ownerid_hge": 51}
        return found

    def _digest(self, kind: str, number: int) -> str:
        return hashlib.sha256(f"{self.seed}/{kind}/{number}".encode()).hexdigest()

    def _at(self, at: Moment | None) -> int:
        return self.clock.now_ms() if at is None else epoch_ms(at)

    def _add(
        self,
        type: str,
        lead: str,
        outcome: str,
        reason: str | None,
        at: Moment | None,
        *,
        is_whole: bool = True,
    ) -> None:
        made, number = self._at(at), len(self.events)
        digest = self._digest("event", number)[:16]
        late = 0 if at is not None else round(self._knobs.leadconduit_recorded_after * 1_000)
        # What comes in within a millisecond ends one after the other.
        ends = (one.record["end_timestamp"] for one in self.events if one.lead == lead)
        ended = max(made, max(ends, default=0) + 1)
        fields = {name: value for name, value in self._fields[lead].items() if value is not None}
        record: Row = {
            "id": f"{made // 1_000:08x}{digest}",
            "type": type,
            "outcome": outcome,
            "reason": reason,
            "host": "app.leadconduit.com",
            "start_timestamp": made - 2_320,
            "end_timestamp": ended,
            "expires_at": iso(made + round(self._knobs.leadconduit_keeps_days * DAY_MS)),
            "vars": {"lead": {"id": lead, **(fields if is_whole else {})}},
        }
        if is_whole:
            record["vars"] |= {
                "flow": {"id": "65f000000000000000000001", "name": "Siding leads"},
                "source": {"id": "65f000000000000000000002", "name": "Web form"},
                "submission": {"timestamp": iso(self._submitted[lead])},
            }
        assert self._events is not None
        event = Event(record["id"], type, lead, made, made + late, record)
        self._events.append(event)
        for listener in self.listeners:
            listener(event)

    # -- what there is ---------------------------------------------------------------------------

    def shown(self, now: int) -> list[Event]:
        """The events that the API has at this moment, in the order of their ids, or of time."""
        oldest = now - self._knobs.leadconduit_keeps_days * DAY_MS
        by_date = self._knobs.leadconduit_by_date
        with self.lock:
            found = [one for one in self.events if one.shown <= now and one.made >= oldest]
            number = {one.id: place for place, one in enumerate(found)}
        return sorted(found, key=lambda one: (one.made, number[one.id]) if by_date else (one.id, 0))

    def truth(self, what: str) -> Iterator[Row]:
        """Every lead that ever was, with the event that has its fields, and the newest one.

        {"id", "fields", "outcome"}; newest by the second of their ids, then by when they ended.
        """
        if what != "leads":
            raise LookupError(f"no kind {what!r}, have ['leads']")
        told: dict[str, list[Event]] = {}
        with self.lock:
            for one in self.events:
                if one.type in ("source", "feedback"):
                    told.setdefault(one.lead, []).append(one)
        for lead, events in told.items():
            events.sort(key=lambda one: (one.id[:8], one.record["end_timestamp"], one.id))
            sources = [one for one in events if one.type == "source"]
            yield {"id": lead, "fields": sources[-1].record, "outcome": events[-1].record}
