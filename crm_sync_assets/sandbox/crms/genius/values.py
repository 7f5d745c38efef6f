"""Believable values for Genius's columns, and the odd ones that its users have left there."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.sandbox.crms.genius.schema import Source

FIRST = [
    "Ana",
    "Bob",
    "Chloé",
    "Dmitri",
    "Ebony",
    "Fatima",
    "Gus",
    "Hana",
    "Ivan",
    "José",
    "Kofi",
    "Lena",
    "Mai",
    "Núria",
    "Omar",
    "Zoë",
]
LAST = [
    "Abbott",
    "Brown",
    "Cruz",
    "Dupont",
    "Evans",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jones",
    "Kim",
    "López",
    "Müller",
    "O'Neil",
]
STREETS = ["Oak St", "Main St", "Elm Ave", "2nd Ave", "Ridge Rd", "Lake Dr"]
CITIES = ["Boise", "Dallas", "Elgin", "Fresno", "Mobile", "Reno", "San José", "Tulsa"]
STATES = ["AL", "CA", "ID", "IL", "NV", "OK", "TX", "WA"]
WORDS = [
    "roof",
    "window",
    "bath",
    "kitchen",
    "siding",
    "deck",
    "call",
    "back",
    "later",
    "wants",
    "quote",
    "two",
    "owners",
    "dog",
    "gate",
]

ODD_TEXTS = (
    "  spaces around  ",
    "JosÃ© (read as latin1 once)",
    "naïve café – ½ price ☎ 😀",
    "quotes ' \" ` and \\ backslash % percent :colon",
    "line one\nline two\ttab",
    "x" * 255,
    "NULL",
)
FIRST_DAY = datetime(2019, 1, 7, 8, 0)
DAYS = 365 * 6

REFERS_TO = {
    "prospect_id": "prospect", "appointment_id": "appointment", "job_id": "job",
    "division_id": "division", "division": "division", "service_id": "service",
    "group_id": "division_group", "region_id": "division_region", "title_id": "user_title",
    "marketing_source_id": "marketing_source", "source": "marketing_source",
    "change_order_id": "job_change_order", "definition_id": "integration_field_definition",
    "third_party_source_type_id": "third_party_source_type",
    "third_party_source_id": "third_party_source",
    "user_associations_id": "users_userassociations", "complete_outcome_id": "appointment_outcome",
}  # fmt: skip
ZERO_MEANS_NONE = frozenset(
    [
        "appointment_id",
        "job_id",
        "client_cid",
        "contract_file_id",
        "sold_user_id",
        "cancel_user_id",
        "adjustment_change_order_id",
    ]
)
REQUIRED = frozenset(["job_id", "appointment_id", "service_id", "prospect_id", "division_id"])


def row(
    source: Source, key: tuple[Any, ...], now: datetime, sizes: Mapping[str, int],
    rng: random.Random, *, mysql: bool,
) -> dict[str, Any]:  # fmt: skip
    """A new row, wall-clock times before `now`."""
    values = dict(zip(source.key, key, strict=True))
    for name, kind in source.columns.items():
        if name not in values:
            values[name] = value(name, kind, now, sizes, rng, mysql=mysql)
    return values


def value(
    name: str, kind: str, now: datetime, sizes: Mapping[str, int], rng: random.Random,
    *, mysql: bool,
) -> Any:  # fmt: skip
    """A value for a column; None as often as in real life."""
    if name == "third_party_id":
        return str(rng.randrange(10**9, 10**11))
    if name in REFERS_TO:
        if name in ZERO_MEANS_NONE and rng.random() < 0.1:
            return 0
        return rng.randint(1, max(1, sizes.get(REFERS_TO[name], 1)))
    if name not in REQUIRED and rng.random() < 0.15:
        return None
    if kind in ("str", "text"):
        return _text(name, rng)
    if kind in ("tinyint", "bit"):
        return int(rng.random() < 0.4)
    if kind in ("smallint", "int", "bigint"):
        return 0 if name in ZERO_MEANS_NONE and rng.random() < 0.1 else rng.randint(1, 400)
    if kind == "money":
        return f"{rng.choice(('-', '', '', '', ''))}{rng.randrange(1, 10**7) / 100:.2f}"
    if kind == "decimal":
        return f"{rng.randrange(0, 180 * 10**7) / 10**7:.7f}"
    if kind == "double":
        return rng.choice((20.0, 12.5, 0.1, 33.333333))
    if kind == "time":
        return _time(rng, mysql=mysql)
    moment = _moment(now, rng)
    if kind == "date":
        return "0000-00-00" if mysql and rng.random() < 0.01 else moment.date()
    if kind == "datetime" and mysql and rng.random() < 0.01:
        return "0000-00-00 00:00:00"
    return moment


def _moment(now: datetime, rng: random.Random) -> datetime:
    at = FIRST_DAY + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(40_000))
    return min(at, now)


def _time(rng: random.Random, *, mysql: bool) -> Any:
    hours = rng.choice((8, 9, 10, 13, 15, 18)) if rng.random() < 0.94 else rng.choice((25, 30, -1))
    length = timedelta(hours=hours, minutes=rng.choice((0, 15, 30, 45)) if hours > 0 else 0)
    return f"{hours:02d}:{length.seconds // 60 % 60:02d}:00" if mysql else length


def _text(name: str, rng: random.Random) -> str:
    if rng.random() < 0.04:
        return rng.choice(ODD_TEXTS)
    if "first_name" in name:
        return rng.choice(FIRST)
    if "last_name" in name:
        return rng.choice(LAST)
    if "email" in name:
        return f"{rng.choice(FIRST).lower()}{rng.randrange(10_000)}@example.com"
    if name.endswith("_link"):
        return f"https://app.companycam.com/projects/{rng.randrange(10**6)}"
    if name.startswith("phone"):
        return f"({rng.randint(201, 989)}) {rng.randint(200, 999)}-{rng.randint(0, 9999):04d}"
    if name.startswith("address"):
        return f"{rng.randint(1, 9999)} {rng.choice(STREETS)}"
    if name in ("state", "city"):
        return rng.choice(STATES if name == "state" else CITIES)
    if name == "zip":
        return f"{rng.randint(1000, 99999):05d}" + rng.choice(("", f"-{rng.randint(1, 9999):04d}"))
    if "label" in name or "number" in name:
        return f"{rng.choice(WORDS)} {rng.randrange(1000)}"
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 8)))
