"""What Pipedrive's records say: kinds, fields and believable values."""

import hashlib
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.people import (
    Pools,
    address_of,
    email,
    first_of,
    last_of,
    moment,
    phone,
    remarks,
)
from crm_sync_assets.sandbox.seeded import Kind, Maker

Sample = Callable[[random.Random, Pools], Any]


def seconds(milliseconds: int) -> str:
    """v2 writes 2026-11-20T08:01:12Z."""
    return iso(milliseconds)[:19] + "Z"


def spaced(milliseconds: int) -> str:
    """v1 writes 2026-11-20 08:01:12."""
    return iso(milliseconds)[:19].replace("T", " ")


LEAD_ID = "{:08x}-5b2a-11f0-9a3c-2f6b8d0e4a11"


def _lead_number(text: str) -> int | None:
    head = text[:8]
    try:
        number = int(head, 16)
    except ValueError:
        return None
    return number if LEAD_ID.format(number) == text else None


def _kind(name: str, singular: str, first: int, **more: Any) -> Kind:
    shape = {"moment": seconds, "id_step": 3, **more}
    return Kind(name, singular, "add_time", "update_time", first_id=first, **shape)


KINDS = {
    kind.name: kind
    for kind in (
        _kind("deals", "deal", 1_000),
        _kind("persons", "person", 500),
        _kind("organizations", "organization", 80),
        _kind("activities", "activity", 7_000),
        _kind("products", "product", 30),
        _kind("leads", "lead", 2_084_000_000, write_id=LEAD_ID.format, read_id=_lead_number,
              moment=iso, archived_every=0),
        _kind("notes", "note", 900, moment=spaced, archived_every=0),
    )
}  # fmt: skip
USERS = tuple(range(11, 17))
STAGES = {n: 1 + n // 5 for n in range(1, 9)}


def code(entity: str, name: str) -> str:
    """40 hexadecimal digits."""
    return hashlib.sha1(f"{entity}/{name}".encode()).hexdigest()


CUSTOM: dict[str, tuple[tuple[str, str], ...]] = {
    "deal": (("Roof age", "double"), ("Trade", "enum"), ("Extras", "set"), ("Financed", "monetary"),
             ("Inspected on", "date"), ("Best time", "time"), ("Closer", "user")),
    "person": (("Spouse", "varchar"), ("Heard of us", "enum"), ("Site", "address")),
    "organization": (("Kind", "enum"), ("Regions", "set")),
    "product": (("Warranty", "text"),),
    "activity": (),
}  # fmt: skip
OPTIONS = ((11, "Shingle"), (12, "Metal"), (13, "Slate"), (14, "Tile"))


def _when(rng: random.Random, _: Pools) -> str:
    return moment(rng).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(rng: random.Random, _: Pools) -> str:
    return (moment(rng) + timedelta(days=30)).date().isoformat()


def _whole(low: int, high: int) -> Sample:
    return lambda rng, _: rng.randrange(low, high)


def _one(*choices: Any) -> Sample:
    return lambda rng, _: rng.choice(choices)


def _money(rng: random.Random, _: Pools) -> float | int:
    return rng.choice((rng.randrange(500, 90_000, 250), rng.randrange(50_000) / 100))


def _text(rng: random.Random, p: Pools) -> str:
    return rng.choice(p.sentences)


def _address(rng: random.Random, p: Pools) -> dict[str, Any]:
    city, number, street = rng.choice(p.cities), str(rng.randrange(1, 999)), rng.choice(p.streets)
    return {
        "value": f"{number} {street}, {city}", "street_number": number, "route": street,
        "subpremise": rng.choice((None, "2")), "locality": city, "sublocality": None,
        "admin_area_level_1": "MD", "admin_area_level_2": f"{city} County",
        "country": "United States", "postal_code": "21201",
    }  # fmt: skip


CUSTOM_VALUES: dict[str, Sample] = {
    "double": _whole(1, 60),
    "enum": _one(*(number for number, _ in OPTIONS)),
    "set": lambda rng, _: sorted(rng.sample([n for n, _ in OPTIONS], rng.choice((1, 2)))),
    "monetary": lambda rng, p: {"value": _money(rng, p), "currency": "USD"},
    "date": _day,
    "time": _one({"value": "09:00:00", "timezone_id": 235, "timezone_name": "Europe/London"}),
    "user": _one(*USERS),
    "varchar": lambda rng, p: rng.choice(p.first_names),
    "text": _text,
    "address": _address,
}


def _custom(entity: str) -> Sample:
    def sample(rng: random.Random, p: Pools) -> dict[str, Any]:
        return {
            code(entity, name): None if rng.random() < 0.2 else CUSTOM_VALUES[kind](rng, p)
            for name, kind in CUSTOM[entity]
        }

    return sample


def _listed(make: Callable[[random.Random, Pools], str]) -> Sample:
    def sample(rng: random.Random, p: Pools) -> list[dict[str, Any]]:
        found = [make(rng, p) for _ in range(rng.choice((0, 1, 1, 2)))]
        main = rng.randrange(3)
        return [{"value": v, "primary": n == main, "label": "work"} for n, v in enumerate(found)]

    return sample


_NOTHING = _one(None)
_THEN = _one(None, "2026-11-02T10:00:00Z")
_NUMBER = _one(None, 501, 504, 88)
_LABELS = _one([], [1], [1, 4])
_VISIBLE = _one(1, 3, 7)
_OWNED: dict[str, Sample] = {"owner_id": _one(*USERS), "visible_to": _VISIBLE}
_LINKED: dict[str, Sample] = {"person_id": _NUMBER, "org_id": _NUMBER}

FIELDS: Mapping[str, Mapping[str, Sample]] = {
    "deals": {
        **_OWNED, **_LINKED, "creator_user_id": _one(*USERS), "pipeline_id": _one(1, 2),
        "stage_id": _one(*STAGES), "value": _money, "currency": _one("USD", "EUR"),
        "stage_change_time": _when, "status": _one("open", "open", "won", "lost"),
        "probability": _one(None, 10, 75), "lost_reason": _one(None, "Price"),
        "close_time": _THEN, "won_time": _THEN, "lost_time": _THEN, "local_won_date": _NOTHING,
        "local_lost_date": _NOTHING, "local_close_date": _one(None, "2026-11-02"),
        "expected_close_date": _day, "label_ids": _LABELS, "origin": _one("ManuallyCreated", "API"),
        "origin_id": _NOTHING, "channel": _one(None, 52), "channel_id": _NOTHING,
        "custom_fields": _custom("deal"),
    },
    "persons": {
        **_OWNED, "emails": _listed(email), "phones": _listed(lambda rng, _: phone(rng)),
        "org_id": _NUMBER, "label_ids": _LABELS, "picture_id": _one(None, 3),
        "custom_fields": _custom("person"),
    },
    "organizations": {
        **_OWNED, "address": _address, "label_ids": _LABELS,
        "website": _one(None, "https://example.com"), "linkedin": _NOTHING,
        "industry": _one(None, 3), "annual_revenue": _one(None, 1_000_000),
        "employee_count": _one(None, 12), "custom_fields": _custom("organization"),
    },
    "activities": {
        **_LINKED, "owner_id": _one(*USERS), "creator_user_id": _one(*USERS),
        "type": _one("call", "meeting", "task"), "due_date": _day,
        "due_time": _one("15:00:00", "08:30:00", "", None), "duration": _one("00:30:00", "", None),
        "busy": _one(True, False), "done": _one(True, False), "deal_id": _NUMBER,
        "lead_id": _NOTHING, "project_id": _NOTHING, "priority": _one(None, 2),
        "marked_as_done_time": _THEN,
        "location": _one(None, {"value": "12 Harbor Rd"}),
        "participants": _one([], [{"person_id": 501, "primary": True}]), "note": _text,
        "public_description": _text, "conference_meeting_client": _NOTHING,
        "conference_meeting_url": _NOTHING, "conference_meeting_id": _NOTHING,
    },
    "products": {
        "owner_id": _one(*USERS), "visible_to": _VISIBLE, "code": _one(None, "R-12"),
        "unit": _one("sq", "pc"), "description": _text, "category": _one(None, "text"),
        "tax": _one(0, 6.5), "is_linkable": _one(True, False),
        "billing_frequency": _one("one-time", "monthly"),
        "billing_frequency_cycles": _one(None, 12),
        "prices": _one([{"currency": "USD", "price": 12.5, "cost": 7.1, "direct_cost": None,
                         "notes": ""}]),
        "custom_fields": _custom("product"),
    },
    "leads": {
        "owner_id": _one(*USERS), "creator_id": _one(*USERS), "person_id": _NUMBER,
        "organization_id": _NUMBER, "label_ids": _one([], ["3d9f6a20-5b2a-11f0-8c44-91a7c2e5b033"]),
        "value": _one(None, {"amount": 900, "currency": "USD"}), "visible_to": _one("3", "7"),
        "source_name": _one("Manually created", "API"), "origin": _one("ManuallyCreated", "API"),
        "origin_id": _NOTHING, "channel": _one(None, 52), "channel_id": _NOTHING,
        "was_seen": _one(True, False, 1, 0), "expected_close_date": _one(None, "2026-12-15"),
        "next_activity_id": _NUMBER, "cc_email": _one("acme+lead@pipedrivemail.com"),
        "source_deal_id": _NOTHING, "custom_fields": _custom("deal"),
    },
    "notes": {
        "content": lambda rng, p: remarks(rng, p), "deal_id": _NUMBER, "lead_id": _NOTHING,
        **_LINKED, "project_id": _NOTHING, "task_id": _NOTHING, "user_id": _one(*USERS),
        "last_update_user_id": _one(None, *USERS),
        **{f"pinned_to_{what}_flag": _one(True, False, 1, 0)
           for what in ("deal", "lead", "person", "organization", "project", "task")},
        "deal": _one(None, {"title": "Reyes roof"}), "user": _one({"name": "Lee", "is_you": False}),
    },
}  # fmt: skip


def _name(k: int, h: int, p: Pools) -> str:
    return f"{first_of(k, h, p)} {last_of(k, h, p)}"


def unique_of(kind: str, archived_every: int) -> dict[str, Maker]:
    """What follows from a record's number."""
    found: dict[str, Maker] = {}
    if kind in ("deals", "leads"):
        found["title"] = lambda k, h, p: f"{last_of(k, h, p)} roof {k}"
        found["is_archived"] = lambda k, _h, _p: bool(archived_every) and k % archived_every == 1
        found["archive_time"] = lambda _k, _h, _p: None
    if kind == "persons":
        found |= {"name": _name, "first_name": first_of, "last_name": last_of}
    if kind == "organizations":
        found["name"] = lambda k, h, p: p.companies[(h >> 7) % len(p.companies)] + f" {k}"
    if kind == "products":
        found["name"] = lambda k, _h, _p: f"Shingle {k}"
    if kind == "activities":
        found["subject"] = lambda k, h, p: f"Call {address_of(k, h, p)}"
    return found
