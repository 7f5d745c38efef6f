"""People, places, moments and prices, from a seed: believable, and now and then malformed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from crm_sync_assets.sandbox.words import (
    CITIES,
    CLAUSES,
    FIRST_NAMES,
    LAST_NAMES,
    TREES,
    WAYS,
)

HISTORY_BEGIN = datetime(2023, 11, 1, tzinfo=UTC)
HISTORY_END = datetime(2026, 11, 1, tzinfo=UTC)
BEGIN_MS = int(HISTORY_BEGIN.timestamp()) * 1000
END_MS = int(HISTORY_END.timestamp()) * 1000

DIVISIONS = (
    ("Baltimore", "BAL", "Mid-Atlantic", "MD", "410", "212"),
    ("Richmond", "RIC", "Mid-Atlantic", "VA", "804", "232"),
    ("Harrisburg", "HAR", "Mid-Atlantic", "PA", "717", "171"),
    ("Springfield", "SPR", "New England", "MA", "413", "011"),
    ("Hartford", "HFD", "New England", "CT", "860", "061"),
    ("Providence", "PVD", "New England", "RI", "401", "029"),
    ("Columbus", "CMH", "Ohio", "OH", "614", "432"),
    ("Cleveland", "CLE", "Ohio", "OH", "216", "441"),
    ("Charlotte", "CLT", "Carolinas", "NC", "704", "282"),
    ("Greenville", "GSP", "Carolinas", "SC", "864", "296"),
    ("Tampa", "TPA", "Florida", "FL", "813", "336"),
    ("Orlando", "MCO", "Florida", "FL", "407", "328"),
)


@dataclass(frozen=True, slots=True)
class Pools:
    """What records are put together from; `staff` are twelve ascending numbers, for the ids of
    those who work there."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    companies: tuple[str, ...]
    sentences: tuple[str, ...]
    domains: tuple[str, ...]
    staff: tuple[int, ...]


@lru_cache(maxsize=4)
def pools(seed: int) -> Pools:
    """The pools of a seed; no text in them needs escaping in JSON, apart from sentences."""
    rng = random.Random(seed)

    def shuffled(words: str) -> tuple[str, ...]:
        found = [word.replace("_", " ") for word in words.split()]
        rng.shuffle(found)
        return tuple(found)

    last_names = shuffled(LAST_NAMES)
    clauses = [clause.strip() for clause in CLAUSES.split("/")]
    return Pools(
        first_names=shuffled(FIRST_NAMES),
        last_names=last_names,
        streets=tuple(f"{tree} {way}" for tree in shuffled(TREES) for way in WAYS),
        cities=shuffled(CITIES),
        companies=tuple(
            f"{name} {rng.choice(('LLC', 'Inc', 'Group', 'and Sons', 'Roofing', 'Properties'))}"
            for name in last_names
        ),
        sentences=tuple(
            f"{first[:1].upper()}{first[1:]}, {second}."
            for first in clauses
            for second in rng.sample(clauses, 3)
            if first != second
        ),
        domains=("example.com", "example.org", "example.net", "mail.example.com"),
        staff=tuple(61 * n + rng.randrange(61) for n in range(12)),
    )


def moment(rng: random.Random) -> datetime:
    """A second of the history."""
    seconds = int((HISTORY_END - HISTORY_BEGIN).total_seconds())
    return HISTORY_BEGIN + timedelta(seconds=rng.randrange(seconds))


def remarks(rng: random.Random, p: Pools) -> str:
    """Some lines as a salesperson leaves them."""
    lines = rng.sample(p.sentences, rng.choice((1, 1, 2, 3)))
    lines.append(
        rng.choice(("", 'Said "call back", cost < $5k & more', "Ladder 40' — café ☕", "OK"))
    )
    return "\n".join(line for line in lines if line) or "OK"


def phone(rng: random.Random) -> str:
    """A telephone number as people type them, now and then not one."""
    area, rest = rng.choice(DIVISIONS)[4], f"555{rng.randrange(10_000):04d}"
    return rng.choice(
        (
            f"+1{area}{rest}",
            f"+1{area}{rest}",
            f"{area}{rest}",
            f"({area}) {rest[:3]}-{rest[3:]}",
            f"{area}-{rest[:3]}-{rest[3:]} ext. 12",
            rng.choice(("n/a", "555", "", f"{area}{rest}")),
        )
    )


def money(rng: random.Random) -> str:
    """A price as a salesperson writes it."""
    amount = rng.randrange(1_000, 90_000, 250)
    return rng.choice((f"${amount:,}", f"${amount:,}.00", str(amount), f"{amount}.50"))


def email(rng: random.Random, p: Pools) -> str:
    """An address with a name in it, now and then none."""
    if rng.randrange(25) == 0:
        return rng.choice(("null", "not-an-email", "lee@@example.com", ""))
    name = f"{rng.choice(p.first_names)}.{rng.choice(p.last_names)}".lower()
    return name.encode("ascii", "ignore").decode().replace("'", "") + "@" + rng.choice(p.domains)


def time_of_day(rng: random.Random) -> str:
    """When people are called upon."""
    return f"{rng.randrange(8, 20)}:{rng.choice((0, 5, 15, 30, 45)):02d}"


def person(rng: random.Random, p: Pools) -> str:
    """First and last name."""
    return f"{rng.choice(p.first_names)} {rng.choice(p.last_names)}"


# -- of the person with a number `k`, whose 64 well-mixed bits are `h`

Unique = Callable[[int, int, Pools], str | None]


def first_of(_k: int, h: int, p: Pools) -> str:
    """The first name of a numbered person."""
    return p.first_names[h % len(p.first_names)]


def last_of(_k: int, h: int, p: Pools) -> str:
    """The last name."""
    return p.last_names[(h >> 9) % len(p.last_names)]


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode().replace("'", "").lower()


def email_of(k: int, h: int, p: Pools) -> str | None:
    """The e-mail address: nearly always one that is nobody else's."""
    dice = (h >> 17) % 50
    if dice < 2:
        return None
    if dice == 2:
        return (f"user{k}@@example.com", f"call {k} first", "")[k % 3]
    domain = p.domains[(h >> 23) % len(p.domains)]
    return f"{_ascii(first_of(k, h, p))}.{_ascii(last_of(k, h, p))}{k}@{domain}"


def phone_of(_k: int, h: int, _p: Pools) -> str | None:
    """The telephone number, in several spellings."""
    dice, rest = (h >> 21) % 30, f"555{h % 10_000:04d}"
    area = DIVISIONS[h % len(DIVISIONS)][4]
    if dice < 2:
        return None
    if dice == 2:
        return "555"
    return (f"+1{area}{rest}", f"{area}{rest}", f"({area}) {rest[:3]}-{rest[3:]}")[h % 3]


def address_of(_k: int, h: int, p: Pools) -> str:
    """House and street."""
    return f"{1 + h % 9_998} {p.streets[(h >> 14) % len(p.streets)]}"
