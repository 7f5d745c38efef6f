"""What a CRM says of its webhooks, as data: how they are proven, and what they tell.

A webhook is a hint that a record has changed: it is answered by reading the record. What the
delivery says of the record's values is kept, and not believed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

from crm_sync_assets.declarations.proofs import Delivery, Denied, NoSecret, Proof
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.settings import Environment

Happened = Literal["created", "changed", "deleted", "merged", "restored", "linked"]

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a delivery tells of.

    `key` is the same whenever it is told again, where its sender numbers it; `type` is what the
    sender calls it. `record` is the
    key of the record it is about, in the order of the entity's key columns; empty where the sender
    does not tell it, and a delta has to find out. `entity` is the part of an entity's name after
    the CRM's, None for what is none of ours: `why` then says so. `payload` is what was sent of it.
    One that is `unread` is not as it should be: a person has to look at it.
    """

    key: str
    type: str
    entity: str | None
    record: tuple[str, ...] = ()
    happened: Happened = "changed"
    at: datetime | None = None
    why: str | None = None
    payload: Any = field(default=None, repr=False)
    unread: bool = False


Events = Callable[[Delivery, Environment], Iterable[Event]]
"""A proven delivery → what it tells. May raise anything for a body that is not as it should be."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How a CRM's deliveries are proven, and what they tell.

    `answer` is the JSON that the sender wants to read, None for one that looks at the status alone;
    it waits `patience_seconds`. `deltas_see` is what a delta finds as well, so that many such
    events are better left to one. `topics` are what may stand in the address after the CRM's name,
    where that says what a delivery is about; without any, nothing may. `setup` says how the CRM is
    told to send them.

    `announces` is what the sender tells of an entity whenever it happens, if it was asked to: when
    syncs find such and nothing was told, webhooks are broken. What it tells of some changes alone,
    like those of chosen fields, is not in it.
    """

    proof: Proof
    events: Events
    setup: Setup
    answer: Mapping[str, Any] | None = None
    patience_seconds: float = 5.0
    most_bytes: int = 1_048_576
    deltas_see: frozenset[Happened] = frozenset()
    topics: frozenset[str] = frozenset()
    announces: Mapping[str, frozenset[Happened]] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All that the environment has to say for it."""
        return self.proof.variables

    def given(self, environment: Environment) -> dict[str, str]:
        """Those that are set. Raises UsageError for a file that cannot be read."""
        found = {v.name: environment.get(v.name) for v in self.variables}
        return {name: value for name, value in found.items() if value}

    @property
    def is_expected(self) -> bool:
        """Whether somebody has set what deliveries are proven by. Reads no file."""
        return any(variable.is_set for variable in self.variables if variable.secret)

    def lacking(self, given: Mapping[str, str]) -> str | None:
        """Why no delivery could be proven by these values; None where one can."""
        try:
            self.proof.check(Delivery(b""), given, datetime.now(UTC))
        except NoSecret as error:
            return str(error)
        except Denied:
            pass
        return None

    def unset(self) -> list[str]:
        """The names of what a proof needs and nobody has set. Reads no file."""
        needed = (variable for variable in self.variables if variable.default is None)
        return [variable.name for variable in needed if not variable.is_set]


def unread(payload: Any, error: Exception) -> Event:
    """What a sender has sent, where it is not as it should be."""
    told = payload if isinstance(payload, str) else json.dumps(payload, default=str)
    key = digest(told.encode("utf-8", "backslashreplace"))
    why = f"it cannot be read ({type(error).__name__})"
    return Event(key, "", None, why=why, payload=payload, unread=True)


def read(body: bytes) -> Any:
    """The JSON of a body. Raises ValueError or RecursionError."""
    return json.loads(body)


def id_of(value: object) -> tuple[str, ...]:
    """A record's key of one column; empty for what can be no id."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ()
    text = str(value)
    return (text,) if _ID.fullmatch(text) else ()


def key_of(*parts: object) -> str:
    """A key of these parts, short enough for an index."""
    told = ":".join(map(str, parts))
    plain = len(told) <= LONGEST_KEY and told.isascii() and told.isprintable()
    return told if plain else digest(told.encode("utf-8", "backslashreplace"))


def digest(body: bytes) -> str:
    """A short name for these bytes."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def unnumbered(*parts: object, body: bytes) -> str:
    """A key for an event whose sender gives it none: another one whenever it is told.

    The same words may be said of something new, such as a value that comes back; an event that is
    taken for one that is done would be lost. One that was told twice costs a read at most.
    """
    return key_of(*parts, digest(body), uuid4().hex)
