"""The records a portal begins with: what their properties say, and where they are at home."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from crm_sync_assets.sandbox import seeded
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
from crm_sync_assets.sandbox.seeded import Block, blocks_of

_PLACE = ("city", "state", "zip", "division", "division_id")
_PLACE_VARIANTS = 8


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
    home = Block(place, _places(rng, place, p))
    return blocks_of(rest, lambda name: sample(kind, name, rng, p), [home])


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


class Base(seeded.Base):
    """The same records of one object type; a division's records are where the division is."""

    kind: ObjectType

    def __init__(self, seed: int, kind: ObjectType, count: int, divisions: int) -> None:
        super().__init__(seed, kind, count, _UNIQUE.get(kind.name, {}), _blocks(seed, kind.name))
        self._divisions = max(1, divisions)

    def variant(self, block: int, k: int, h: int) -> int:
        """Which variant of a block a record shows."""
        if block == 0:
            at_home = k % self._divisions % len(DIVISIONS)
            return (h >> 5) % _PLACE_VARIANTS * len(DIVISIONS) + at_home
        return (h >> (3 * block)) % len(self.blocks[block].variants)
