"""The records a portal begins with, computed from (seed, object type, number) whenever asked for.

Nothing is stored per record: ids, dates and values all follow from the number, so that a million
contacts cost no memory until somebody changes one. Values come in blocks: a block is a handful of
properties with some dozens of variants, and a record picks one variant of each block.
"""

import random
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES, ObjectType, properties
from crm_sync_assets.sandbox.crms.hubspot.values import sample
from crm_sync_assets.sandbox.people import (
    BEGIN_MS,
    DIVISIONS,
    END_MS,
    Pools,
    Unique,
    address_of,
    email_of,
    first_of,
    last_of,
    phone_of,
    pools,
)

# One record in so many begins in the recycle bin.
ARCHIVED_EVERY = 51

_MASK = (1 << 64) - 1
_PLACE = ("city", "state", "zip", "division", "division_id")
_PLACE_VARIANTS = 8
_BLOCK = 12


@dataclass(frozen=True, slots=True)
class Block:
    """Property names and what each variant says for them, in the same order."""

    names: tuple[str, ...]
    variants: tuple[tuple[str | None, ...], ...]


def _number(base: int) -> Unique:
    return lambda k, _h, _p: str(base + k)


def _sometimes(text: str, base: int) -> Unique:
    return lambda k, h, _p: f"{text}{base + k}" if (h >> 11) % 3 else None


def _division(column: int, edit: Callable[[str], str] = str) -> Unique:
    return lambda k, _h, _p: edit(DIVISIONS[k % len(DIVISIONS)][column])


def _visit(_k: int, h: int, minutes: int) -> int:
    """When an appointment is, plus minutes; epoch ms on a quarter of an hour."""
    quarter = 900_000
    return BEGIN_MS + (h >> 13) % (END_MS - BEGIN_MS) // quarter * quarter + minutes * 60_000


def _visit_text(minutes: int) -> Unique:
    def text(k: int, h: int, _p: Pools) -> str:
        at = _visit(k, h, minutes)
        return str(at) if k % 12 == 7 else iso(at)[:19] + "Z"

    return text


def _visit_time(k: int, h: int, _p: Pools) -> str:
    hour, minute = divmod(_visit(k, h, 0) // 60_000 % 1440, 60)
    return f"{hour}:{minute:02d}"


_PERSON: Mapping[str, Unique] = {
    "first_name": first_of,
    "last_name": last_of,
    "email": email_of,
    "phone1": phone_of,
    "address1": address_of,
}
_UNIQUE: Mapping[str, Mapping[str, Unique]] = {
    "contacts": {
        "email": email_of,
        "firstname": first_of,
        "lastname": last_of,
        "phone": phone_of,
        "address": address_of,
        "lead_id": _number(448_000),
        "lead_prospect_id": _number(771_000),
        "prospect_id": _number(771_000),
        "contact_id": _number(300_000),
        "marketsharp_id": _sometimes("", 9_100_000),
        "hatch_id": _sometimes("ht_", 10_000),
    },
    "deals": {"dealname": lambda k, h, p: f"{last_of(k, h, p)} {('roof', 'siding')[h % 2]} {k}"},
    "appointments": {
        **_PERSON,
        "appointment_id": lambda k, _h, _p: f"A-{88_000 + k}",
        "genius_appointment_id": _number(556_000),
        "hs_appointment_start": _visit_text(0),
        "hs_appointment_end": _visit_text(90),
        "date": lambda k, h, _p: iso(_visit(k, h, 0))[:10],
        "time": _visit_time,
        "hs_appointment_name": lambda k, h, p: f"Estimate - {first_of(k, h, p)} {last_of(k, h, p)}",
    },
    "divisions": {
        "division_name": _division(0, str.lower),
        "division_label": lambda k, _h, _p: DIVISIONS[k % 12][0] if k % 6 != 5 else None,
        "label": _division(0),
        "division_code": lambda k, _h, _p: DIVISIONS[k % 12][1] if k % 6 != 4 else None,
        "code": _division(1),
        "region": _division(2),
        "state": _division(3),
    },
    "genius_users": {
        "name": lambda k, h, p: f"{first_of(k, h, p)} {last_of(k, h, p)}",
        "email": email_of,
        "user_id": _number(1_044),
        "title_id": lambda _k, h, _p: str(1 + h % 20),
        "job_title": lambda _k, h, _p: ("Canvasser", "Estimator", "Call Center", "")[h % 4],
    },
    "companies": {
        "name": lambda k, h, p: f"{p.companies[h % len(p.companies)]} {k}",
        "domain": lambda k, _h, _p: f"company{k}.example.com",
    },
    "products": {
        "name": lambda k, h, _p: f"{('Roof tile', 'Gutter', 'Window', 'Siding panel')[h % 4]} {k}",
        "hs_sku": lambda k, _h, _p: f"RT-{k}",
    },
}


@lru_cache(maxsize=64)
def _blocks(seed: int, kind: str) -> tuple[Block, ...]:
    rng = random.Random(f"{seed}/{kind}")
    p = pools(seed)
    unique = _UNIQUE.get(kind, {})
    system = TYPES[kind].always
    place = tuple(n for n in _PLACE if n in properties(kind) and n not in unique)
    rest = [n for n in properties(kind) if n not in unique and n not in system and n not in place]
    blocks = [Block(place, _places(rng, place, p))]
    for start in range(0, len(rest), _BLOCK):
        names = tuple(rest[start : start + _BLOCK])
        size = (37, 41, 43, 47)[len(blocks) % 4]
        blocks.append(
            Block(
                names,
                tuple(tuple(sample(kind, n, rng, p) for n in names) for _ in range(size)),
            )
        )
    return tuple(blocks)


def _places(rng: random.Random, names: Sequence[str], p: Pools) -> tuple[tuple[str, ...], ...]:
    variants = []
    for n in range(_PLACE_VARIANTS * len(DIVISIONS)):
        number = n % len(DIVISIONS)
        name, _, _, state, _, zips = DIVISIONS[number]
        place = {
            "city": rng.choice(p.cities),
            "state": state,
            "zip": f"{zips}{rng.randrange(100):02d}",
            "division": name,
            "division_id": str(number + 1),
        }
        variants.append(tuple(place[name] for name in names))
    return tuple(variants)


class Base:
    """The `count` records of one object type that exist from the start, numbered from 0."""

    def __init__(self, seed: int, kind: ObjectType, count: int, divisions: int) -> None:
        self.kind = kind
        self.count = count
        self.unique = _UNIQUE.get(kind.name, {})
        self.blocks = _blocks(seed, kind.name)
        self.pools = pools(seed)
        self._divisions = max(1, divisions)
        self._salt = zlib.crc32(f"{seed}/{kind.name}".encode()) << 20
        self._gap = max(1, (END_MS - BEGIN_MS) // max(1, count))
        self._modified: array[int] | None = None
        self._order: array[int] | None = None

    def mix(self, k: int) -> int:
        """64 well-mixed bits of a record's number."""
        h = ((k + self._salt) * 0x9E3779B97F4A7C15) & _MASK
        h ^= h >> 31
        h = (h * 0xBF58476D1CE4E5B9) & _MASK
        return h ^ (h >> 29)

    def id_of(self, k: int) -> int:
        """The record id of a number, also of numbers yet to be created."""
        return (
            self.kind.first_id
            + k * self.kind.id_step
            + (k * 2_654_435_761 >> 7) % (self.kind.id_step)
        )

    def number_from(self, record_id: int) -> int:
        """The lowest number whose id is at least `record_id`."""
        k = max(0, (record_id - self.kind.first_id) // self.kind.id_step)
        return k if self.id_of(k) >= record_id else k + 1

    def created(self, k: int) -> int:
        """Epoch ms; ascends with the number."""
        return BEGIN_MS + k * self._gap + self.mix(k) % self._gap

    def modified(self, k: int) -> int:
        """Epoch ms, between creation and the end of the history."""
        h = self.mix(k)
        created = BEGIN_MS + k * self._gap + h % self._gap
        share = (h >> 40) & 0xFFFF
        return created + (END_MS - created) * share * share // 0xFFFF_FFFF

    @staticmethod
    def archived(k: int) -> bool:
        """Whether the record begins in the recycle bin."""
        return k % ARCHIVED_EVERY == ARCHIVED_EVERY - 1

    def by_modified(self) -> tuple[Sequence[int], Sequence[int]]:
        """Numbers in the order of modification, and the modified ms by number."""
        if self._order is None or self._modified is None:
            times = array("q", map(self.modified, range(self.count)))
            self._modified = times
            self._order = array("i", sorted(range(self.count), key=times.__getitem__))
        return self._order, self._modified

    def variant(self, block: int, k: int, h: int) -> int:
        """Which variant of a block a record shows."""
        if block == 0:
            at_home = k % self._divisions % len(DIVISIONS)
            return (h >> 5) % _PLACE_VARIANTS * len(DIVISIONS) + at_home
        return (h >> (3 * block)) % len(self.blocks[block].variants)

    def values(self, k: int) -> dict[str, str | None]:
        """All properties."""
        h = self.mix(k)
        found: dict[str, str | None] = {
            self.kind.created: iso(self.created(k)),
            self.kind.modified: iso(self.modified(k)),
            "hs_object_id": str(self.id_of(k)),
        }
        for name, make in self.unique.items():
            found[name] = make(k, h, self.pools)
        for n, block in enumerate(self.blocks):
            found.update(zip(block.names, block.variants[self.variant(n, k, h)], strict=True))
        return found

    def reader(self, name: str) -> Callable[[int], str | None]:
        """A quick way to one property of many records; None throughout for an unknown one."""
        if name in self.unique:
            make, p = self.unique[name], self.pools
            return lambda k: make(k, self.mix(k), p)
        if name == "hs_object_id":
            return lambda k: str(self.id_of(k))
        if name == self.kind.created:
            return lambda k: iso(self.created(k))
        if name == self.kind.modified:
            return lambda k: iso(self.modified(k))
        for n, block in enumerate(self.blocks):
            if name in block.names:
                column = [variant[block.names.index(name)] for variant in block.variants]
                return lambda k, n=n, column=column: column[  # type: ignore[misc]
                    self.variant(n, k, self.mix(k))
                ]
        return lambda _k: None
