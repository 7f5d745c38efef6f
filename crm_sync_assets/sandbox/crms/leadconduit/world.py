"""What LeadConduit holds, and what happens there."""

import hashlib
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms, iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.leadconduit.knobs import LeadConduitKnobs
from crm_sync_assets.sandbox.life import DAY_MS, Moment
from crm_sync_assets.sandbox.people import END_MS, pools

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
        self.reset()

    def reset(self) -> None:
        with self.lock:
            self.events: list[Event] = []
            self._fields: dict[str, Row] = {}
            self._submitted: dict[str, int] = {}
            rng = random.Random(f"{self.seed}/leadconduit")
            for number in range(self._count):
                at = END_MS - 30 * DAY_MS + number * 7_200_000
                one = self.submit(self.sample(rng), at)
                if number % 5 == 0:
                    self.feedback(one, rng.choice(("success", "failure")), "returned", at + DAY_MS)

    # -- what happens ----------------------------------------------------------------------------

    def submit(self, fields: Mapping[str, Any] | None = None, at: Moment | None = None) -> str:
        """A lead comes in; its id."""
        with self.lock:
            name = hashlib.sha256(f"{self.seed}/lead/{len(self._fields)}".encode()).hexdigest()[:24]
            self._fields[name] = dict(fields or {"first_name": "New"})
            self._submitted[name] = self._at(at)
            self._add("source", name, "success", None, at)
            return name

    def retry(self, lead: str, fields: Mapping[str, Any], at: Moment | None = None) -> None:
        """It comes in again, with other values; None clears one."""
        with self.lock:
            self._fields[lead] = {**self._fields[lead], **fields}
            self._add("source", lead, "success", None, at)

    def feedback(
        self, lead: str, outcome: str, reason: str | None, at: Moment | None = None
    ) -> None:
        """A return or a conversion."""
        with self.lock:
            self._add("feedback", lead, outcome, reason, at)

    def move(self, n: int, seed: int) -> list[str]:
        """A random believable life."""
        rng, done = random.Random(f"{self.seed}/{seed}"), []
        for _ in range(n):
            one, dice = rng.choice(self.ids()), rng.random()
            if dice < 0.5:
                done.append(f"create leads {self.submit(self.sample(rng))}")
            elif dice < 0.7:
                self.retry(one, self.sample(rng))
                done.append(f"edit leads {one}")
            else:
                outcome = rng.choice(("success", "failure", "error"))
                self.feedback(one, outcome, rng.choice(("duplicate", "sold", None)))
                done.append(f"feedback leads {one}")
        return done

    def ids(self) -> list[str]:
        """Every lead that ever was."""
        return list(self._fields)

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

    def _at(self, at: Moment | None) -> int:
        return self.clock.now_ms() if at is None else epoch_ms(at)

    def _add(
        self, type: str, lead: str, outcome: str, reason: str | None, at: Moment | None
    ) -> None:
        made, number = self._at(at), len(self.events)
        digest = hashlib.sha256(f"{self.seed}/event/{number}".encode()).hexdigest()[:16]
        late = 0 if at is not None else round(self._knobs.leadconduit_recorded_after * 1_000)
        # What comes in within a millisecond ends one after the other.
        before = max((one.record["end_timestamp"] for one in self.events if one.lead == lead),
                     default=0)  # fmt: skip
        ended = max(made, before + 1)
        fields = {name: value for name, value in self._fields[lead].items() if value is not None}
        submitted = {"timestamp": iso(self._submitted[lead])}
        record: Row = {
            "id": f"{made // 1_000:08x}{digest}",
            "type": type,
            "outcome": outcome,
            "reason": reason,
            "host": "app.leadconduit.com",
            "start_timestamp": made - 2_320,
            "end_timestamp": ended,
            "expires_at": iso(made + 90 * DAY_MS),
            "vars": {
                "lead": {"id": lead, **fields},
                "flow": {"id": "65f000000000000000000001", "name": "Siding leads"},
                "source": {"id": "65f000000000000000000002", "name": "Web form"},
                "submission": submitted,
            },
        }
        self.events.append(Event(record["id"], type, lead, made, made + late, record))

    # -- what there is ---------------------------------------------------------------------------

    def shown(self, now: int) -> list[Event]:
        """The events that the API has at this moment, by id."""
        oldest = now - self._knobs.leadconduit_keeps_days * DAY_MS
        with self.lock:
            found = [one for one in self.events if one.shown <= now and one.made >= oldest]
        return sorted(found, key=lambda one: one.id)

    def truth(self, what: str) -> Iterator[Row]:
        """Every lead with its newest event: {"id", "ended", "event"}."""
        if what != "leads":
            raise LookupError(f"no kind {what!r}, have ['leads']")
        newest: dict[str, Event] = {}
        with self.lock:
            for one in sorted(self.events, key=lambda one: one.record["end_timestamp"]):
                newest[one.lead] = one
        for lead, one in newest.items():
            yield {"id": lead, "ended": one.record["end_timestamp"], "event": one.record}
