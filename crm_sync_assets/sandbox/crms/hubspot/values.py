"""Believable values for every property of every object type."""

import random
from collections.abc import Callable

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.catalogue import OPTIONS
from crm_sync_assets.sandbox.crms.hubspot.properties import MULTIPLE, types_of
from crm_sync_assets.sandbox.people import (
    DIVISIONS,
    Pools,
    email,
    moment,
    money,
    person,
    phone,
    remarks,
    time_of_day,
)

FIRST_OWNER = 41_629_000


def owner_ids(p: Pools) -> tuple[str, ...]:
    """The ids of the owners."""
    return tuple(str(FIRST_OWNER + number) for number in p.staff)


def _wire_datetime(rng: random.Random) -> str:
    milliseconds = int(moment(rng).timestamp()) * 1000 + rng.randrange(1000)
    shape = rng.randrange(12)
    if shape == 0:
        return str(milliseconds)
    if shape < 4:
        return iso(milliseconds)[:19] + "Z"
    return iso(milliseconds)


def _free_date(rng: random.Random) -> str:
    at = moment(rng)
    zone = "EDT" if 3 < at.month < 11 else "EST"
    clock = f"{at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}"
    day = f"{at.month}/{at.day}/{at.year % 100}"
    return rng.choice((f"{day} {clock} {zone}", f"{day} {clock} {zone}", f"{day} {clock}", day))


def _ids(rng: random.Random, p: Pools) -> str:
    joined = ";".join(rng.sample(owner_ids(p), rng.choice((1, 1, 2, 3))))
    return ";" + joined if rng.randrange(8) == 0 else joined


_Sample = Callable[[random.Random, Pools], str]
_FREE_DATES = frozenset(
    [
        "confirm_date",
        "assign_date",
        "add_date",
        "arrivy_appt_date",
        "arrivy_confirm_date",
        "lead_copied_from_on",
    ]
)
_TEXTS = frozenset(
    [
        "comments",
        "content",
        "description",
        "log",
        "title",
        "salespro_financing",
        "arrivy_details",
        "error_details",
        "arrivy_result_full_string",
        "old_crm_remarks",
        "hs_email_text",
    ]
)
_BY_NAME: dict[str, _Sample] = {
    "city": lambda r, p: r.choice(p.cities),
    "lead_city": lambda r, p: r.choice(p.cities),
    "state": lambda r, _p: r.choice(DIVISIONS)[3],
    "division": lambda r, _p: r.choice(DIVISIONS)[0],
    "division_id": lambda r, _p: str(1 + r.randrange(len(DIVISIONS))),
    "region": lambda r, _p: r.choice(DIVISIONS)[2],
    "zip": lambda r, _p: r.choice(DIVISIONS)[5] + f"{r.randrange(100):02d}",
    "country": lambda r, _p: r.choice(("United States", "USA", "")),
    "time": lambda r, _p: time_of_day(r),
    "duration": lambda r, _p: r.choice(("60", "90", "90", "120", "1:30", "1:30:00")),
    "hs_duration": lambda r, _p: str(r.choice((3_600_000, 5_400_000, 7_200_000, 2_592_000_000))),
    "hs_call_duration": lambda r, _p: str(r.randrange(900) * 1000),
    "hs_pipeline": lambda _r, _p: "default",
    "hs_pipeline_stage": lambda r, _p: r.choice(("scheduled", "confirmed", "completed")),
    "hubspot_owner_id": lambda r, p: r.choice(owner_ids(p)),
    "salespro_last_price_offered": lambda r, _p: money(r),
    "salespro_one_year_price": lambda r, _p: money(r),
    "salespro_job_size": lambda r, _p: money(r),
    "lead_is_dnc": lambda r, _p: r.choice("01"),
    "year_built": lambda r, _p: str(r.randrange(1890, 2024)),
    "prospect_year_built": lambda r, _p: str(r.randrange(1890, 2024)),
    "lead_year_built": lambda r, _p: r.choice(("1978", "1965", "unknown", "")),
    "lead_added_by_latitude": lambda r, _p: f"{r.uniform(27, 43):.6f}",
    "lead_added_by_longitude": lambda r, _p: f"{r.uniform(-84, -71):.6f}",
    "hs_sku": lambda r, _p: f"RT-{r.randrange(400)}",
    "quantity": lambda r, _p: str(r.choice((1, 2, 12, 200))),
    "numberofemployees": lambda r, _p: str(r.randrange(1, 900)),
    "hs_object_source_label": lambda r, _p: r.choice(("INTEGRATION", "FORM", "CRM_UI", "IMPORT")),
    "hs_object_source": lambda r, _p: r.choice(("INTEGRATION", "FORM", "CRM_UI", "IMPORT")),
    "hs_attachment_ids": lambda r, _p: f"{r.randrange(10**6)};{r.randrange(10**6)}",
    "name": lambda r, p: r.choice(p.companies),
    "hs_merged_object_ids": lambda _r, _p: "",
}
_BY_KIND: dict[str, _Sample] = {
    "tickets.hs_pipeline": lambda _r, _p: "0",
    "tickets.hs_pipeline_stage": lambda r, _p: r.choice("124"),
    "line_items.name": lambda r, _p: r.choice(("Roof tile", "Gutter", "Window", "Siding panel")),
    "products.name": lambda r, _p: r.choice(("Roof tile", "Gutter", "Window", "Siding panel")),
    "genius_users.name": lambda r, p: person(r, p),
}
_MONEY = ("price", "amount", "cost", "revenue", "score")


def _number(name: str, rng: random.Random, _p: Pools) -> str:
    if any(word in name for word in _MONEY):
        plain = f"{rng.uniform(1, 60_000):.2f}"
        return rng.choice((plain, plain, plain, plain.rstrip("0").rstrip("."), "1.2E4"))
    if "_is_" in name or name.startswith(("hs_registered", "hs_membership")):
        return rng.choice("01")
    if name.endswith(("_by", "_id", "_user_id", "_contact", "_new")):
        return str(rng.randrange(1_000, 9_000_000))
    return str(rng.randrange(30))


def _string(name: str, rng: random.Random, p: Pools) -> str:
    if name in _FREE_DATES:
        return _free_date(rng)
    if name in _TEXTS or name.endswith(("_notes", "notes", "_body", "_preview")):
        return remarks(rng, p)
    if name.endswith("html"):
        return f"<p>{rng.choice(p.sentences)}</p>"
    if "email" in name:
        return email(rng, p)
    if "url" in name:
        return f"https://files.example.com/{name}/{rng.getrandbits(64):016x}.pdf"
    if "number" in name:
        return phone(rng)
    if "address" in name or name.endswith("location"):
        return f"{rng.randrange(1, 9_999)} {rng.choice(p.streets)}"
    if name.endswith(("name", "_user", "agent_name", "canvasser", "supervisor", "confirm_with")):
        return person(rng, p)
    if name.endswith(("_id", "id", "_key")):
        return str(rng.randrange(1_000, 9_000_000))
    return rng.choice(("Canvass", "Internet", "Referral", "Home Show", "", rng.choice(p.sentences)))


def sample(kind: str, name: str, rng: random.Random, p: Pools) -> str | None:
    """A value on the wire: text or None, now and then malformed as real ones are."""
    if rng.random() < 0.3:
        return None
    if name == "hs_merged_object_ids":
        return None
    type_ = types_of(kind)[name]
    if made := _BY_KIND.get(f"{kind}.{name}") or _BY_NAME.get(name):
        return made(rng, p)
    if type_ == "bool":
        return rng.choice(("true", "false"))
    if type_ == "datetime":
        return _wire_datetime(rng)
    if type_ == "date":
        day = moment(rng).replace(hour=0, minute=0, second=0)
        return str(int(day.timestamp()) * 1000) if rng.randrange(10) == 0 else f"{day:%Y-%m-%d}"
    if type_ == "phone_number":
        return phone(rng)
    if name.startswith(("hs_all_", "hs_shared", "hs_user_ids", "hs_owning")):
        return _ids(rng, p)
    if type_ == "enumeration":
        options = OPTIONS[name]
        if name in MULTIPLE:
            return ";".join(rng.sample(options, rng.choice((1, 2, 3))))
        return rng.choice(options)
    return _number(name, rng, p) if type_ == "number" else _string(name, rng, p)
