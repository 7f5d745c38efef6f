"""What a row has in each column, from a seed: believable, and now and then empty or NULL."""

import json
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from crm_sync_assets.sandbox.crms.salespro.schema import FILES, TABLES
from crm_sync_assets.sandbox.people import Pools, email, money, person, phone, remarks

Row = dict[str, str | None]
TEXTS = (
    "Deposit Type", "Balance Form Of Payment", "Preferred Payment ", "Financing", "Services",
    "Requested Start Month (If Any)", "Deadline (If Any)-", "Timing", "Warm Up Topic",
    "Client most likely to add on: ", "Urgency Time Frame", "Dumpster Preference",
    "Result Reason - Demo Not Sold (objection)", "Additional Services Demoed & Priced",
    "Measurement Tool(s) Used", "Has / would this customer ever consider Solar",
)  # fmt: skip
AMOUNTS = (
    "Total Job Amount", "One Year Price", "Last Price Offered", "Last PAYMENT offered",
    "Customer's Final Price Commitment", "Balance Amount",
)  # fmt: skip
ANSWERS = (
    "Both Homeowners Present?", "Sales Manager Present", "Financing Approved ", "Loan Docs Signed",
    "Did you Upload Estimate Sheet to Company Cam", "Did you use company cam",
    "Did you complete your ST-8 Form Before leaving house?",
)  # fmt: skip
NOTES = (
    "Scheduling Notes", "Describe Rapport & Hot Button", "Notes", "Project Notes",
    "Company Story - what is customer's pain point",
    "Closing Notes (how could you have booked this job)",
    "Details Discussed With Homeowner That Installation Needs To Know",
)  # fmt: skip
RESULTS = ("[HRE] Demo Not Sold", "Sold", "[DNS] No Demo", "n/a", "Demo - thinking", "")
ITEMS = ("Roof", "Siding", "Gutters", "Windows", "- Doors")


def row(table: str, number: int, rng: random.Random, p: Pools, sizes: Mapping[str, int]) -> Row:
    """A new row with the key of that number, without its moments."""
    found: Row = {name: _cell(name, kind, rng, p, sizes) for name, kind in TABLES[table].items()}
    if table == "lead_results":
        found["lead_results"] = form(rng, p)
    own = {"customer": "customer_id", "estimate": "estimate_id", "lead_results": "estimate_id"}
    own |= {"credit_applications": "leap_credit_app_id", "payments": "payment_id"}
    if table in own:
        found[own[table]] = key_of(own[table], number)
    else:
        found["original_row_num"] = str(number)
    return found


def key_of(name: str, number: int) -> str:
    """The id of that number; ids of different kinds differ."""
    return str(uuid.UUID(int=random.Random(f"{name} {number}").getrandbits(128)))


def form(rng: random.Random, p: Pools, *, odd: bool = True) -> str:
    """What a salesperson filled in after a visit; an `odd` one is now and then no form at all."""
    if odd and rng.randrange(15) == 0:
        return rng.choice(("", "not a form", "[]", '{"title": "Result"}'))
    titles: list[tuple[str, Any]] = [
        (rng.choice(("Appointment Result", "Appointment Result ", "Result")), rng.choice(RESULTS)),
        *((title, rng.choice(("Yes", "no", "", "maybe"))) for title in rng.sample(ANSWERS, 3)),
        *((title, rng.choice((money(rng), "TBD"))) for title in rng.sample(AMOUNTS, 3)),
        *((title, rng.choice(("One", "- two", "None"))) for title in rng.sample(TEXTS, 5)),
        ("Deposit Amount", rng.choice(("$1,234.50", "(500)", "5k", "-", "1.2.3", "", "n/a"))),
        *((title, remarks(rng, p)) for title in rng.sample(NOTES, 2)),
        ("Something New", "of no column"),
    ]
    count = rng.randrange(4)
    for number in rng.sample(range(1, 7), count):
        titles += [
            (f"Job Type {number}", rng.choice(ITEMS)),
            (f"Job Type {number} Amount", rng.choice((money(rng), ""))),
        ]
    if not count:
        titles += [("Job Type", rng.choice(ITEMS)), ("Job Size", rng.choice((money(rng), "")))]
    return json.dumps([{"title": title, "value": value} for title, value in titles])


def line(file: str, number: int, rng: random.Random, p: Pools, sizes: Mapping[str, int]) -> Row:
    """A new line of a file, without its moments."""
    found: Row = {name: _value(name, rng, p, sizes) for name in FILES[file]}
    found["objectId"] = key_of(file, number)[:10]
    return found


def _cell(
    name: str, kind: str, rng: random.Random, p: Pools, sizes: Mapping[str, int]
) -> str | None:
    if kind == "boolean":
        return rng.choice(("true", "false", "false", None))
    if kind.startswith("decimal"):
        return rng.choice((f"{rng.randrange(100_000)}.{rng.randrange(100):02d}", "0.00", None))
    if kind == "bigint":
        return rng.choice((str(rng.randrange(12)), None))
    return None if kind == "timestamp" else _value(name, rng, p, sizes)


def _value(name: str, rng: random.Random, p: Pools, sizes: Mapping[str, int]) -> str | None:
    made = _MADE.get(name)
    if made is not None:
        return made(rng, p, sizes)
    if name.startswith(("is", "can", "disable")):
        return rng.choice(("TRUE", "false", "1", "", "yes"))
    return rng.choice(("", None, rng.choice(p.sentences), "OK"))


def _ref(name: str, of: str) -> Callable[[random.Random, Pools, Mapping[str, int]], str | None]:
    return lambda rng, _p, sizes: rng.choice((key_of(name, rng.randrange(sizes[of])), None))


def _of_file(of: str) -> Callable[[random.Random, Pools, Mapping[str, int]], str | None]:
    return lambda rng, _p, sizes: key_of(of, rng.randrange(sizes[of]))[:10]


def _one(*values: str | None) -> Callable[[random.Random, Pools, Mapping[str, int]], str | None]:
    return lambda rng, _p, _s: rng.choice(values)


_MADE: Mapping[str, Callable[[random.Random, Pools, Mapping[str, int]], str | None]] = {
    "customer_id": _ref("customer_id", "customer"),
    "estimate_id": _ref("estimate_id", "estimate"),
    "office_id": _of_file("offices"),
    "selectedOffice": _of_file("offices"),
    "sales_rep_id": _of_file("users"),
    "user_id": _of_file("users"),
    "company_id": _one("c-1", "c-2", ""),
    "company": _one("c-1", "c-2"),
    "company_name": _one("Lakeside Roofing", "Lakeside, Roofing & Sons", None),
    "customer_first_name": lambda rng, p, _: rng.choice(p.first_names),
    "customer_last_name": lambda rng, p, _: rng.choice(p.last_names),
    "nameFirst": lambda rng, p, _: rng.choice(p.first_names),
    "nameLast": lambda rng, p, _: rng.choice(p.last_names),
    "username": lambda rng, p, _: email(rng, p),
    "email": lambda rng, p, _: rng.choice((email(rng, p), "")),
    "phoneNumber": lambda rng, _p, _s: phone(rng),
    "last_edit_user": lambda rng, p, _: person(rng, p),
    "last_edit_date": _one("2026-01-05T10:11:12.123456Z", ""),
    "lastLoginDate": _one("2026-10-30T20:01:02Z", ""),
    "deactivatedDate": _one("", "", "2026-02-03T04:05:06"),
    "createdAt": _one(None),
    "updatedAt": _one(None),
    "allowedOffices": _one("", '["o-1","o-2"]'),
    "crm_source": _one("hubspot", "genius", ""),
    "crm_source_id": _one("4711", None, ""),
    "activity_note": _one("Opened estimate", "Changed price", "", None),
    "street_address": lambda rng, p, _: rng.choice(p.streets),
}
