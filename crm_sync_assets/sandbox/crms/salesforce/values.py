"""What records say in the beginning: believable values of every type."""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.salesforce.catalogue import SPECS, Spec
from crm_sync_assets.sandbox.crms.salesforce.fields import Field
from crm_sync_assets.sandbox.people import (
    DIVISIONS,
    Pools,
    address_of,
    email_of,
    first_of,
    last_of,
    moment,
    person,
    phone,
    phone_of,
    pools,
    remarks,
)
from crm_sync_assets.sandbox.seeded import Base, Block, Kind, Maker, blocks_of
from crm_sync_assets.sandbox.store import Table

PEOPLE = ("Contact", "Lead", "User")
SYSTEM = frozenset(["Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp",
                    "MasterRecordId", "LoginTime"])  # fmt: skip
BORN = {"CaseNumber": "{:08d}", "Name": "INV-{:06d}"}
"""What follows from a record's number for good, of a case and of an invoice."""
_OWN: Mapping[str, Mapping[str, Any]] = {
    "Organization": {"Name": "Acme Roofing", "OrganizationType": "Enterprise Edition",
                     "InstanceName": "NA224", "IsSandbox": False,
                     "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "America/New_York"},
    "UserPermissionAccess": {"PermissionsApiEnabled": True, "PermissionsViewAllData": True,
                             "PermissionsModifyAllData": False},
    "LoginHistory": {"LoginType": "Application", "SourceIp": "203.0.113.7", "Status": "Success"},
}  # fmt: skip
_STATUSES = ("New", "Working", "Escalated", "Closed")


def wire(milliseconds: int) -> str:
    """2026-11-20T08:01:12.000+0000: whole seconds, as the source keeps them."""
    return f"{iso(milliseconds)[:19]}.000+0000"


def kind_of(spec: Spec) -> Kind:
    """How its records are numbered and dated."""
    return Kind(
        spec.name,
        spec.label.lower(),
        "CreatedDate",
        spec.stamp,
        first_id=20_000_000 + sum(map(ord, spec.name)) * 7_919,
        id_field="Id",
        write_id=spec.ids.write,
        read_id=spec.ids.read,
        moment=wire,
        archived_every=51 if spec.deletes else 0,
    )


ADMIN = SPECS["User"].ids.write(kind_of(SPECS["User"]).first_id)
"""The id of the user who speaks with the API."""


def base_of(spec: Spec, count: int, seed: int, tables: Mapping[str, Table]) -> Base:
    """The records of the beginning, which refer to those of the `tables` once these are made."""
    unique = {**_people(spec), **_numbered(spec, count)}
    for field in spec.fields.values():
        if field.type == "reference" and field.name not in SYSTEM:
            unique[field.name] = _pointer(field, tables)
    names = [
        name
        for name, field in spec.fields.items()
        if name not in SYSTEM and name not in unique and field.type != "address"
    ]
    if spec.name == "CaseStatus":
        unique |= _case_status()
    rest = tuple(name for name in names if name not in unique)
    return Base(seed, kind_of(spec), count, unique, _blocks(seed, spec.name, rest))


@lru_cache(maxsize=64)
def _blocks(seed: int, name: str, rest: tuple[str, ...]) -> tuple[Block, ...]:
    spec, own = SPECS[name], _OWN.get(name, {})
    rng, p = random.Random(f"{seed}/salesforce/{name}"), pools(seed)
    before = [Block(tuple(own), (tuple(own.values()),))] if own else []
    wanted = [one for one in rest if one not in own]
    return blocks_of(wanted, lambda one: sample(spec.fields[one], rng, p), before)


def _people(spec: Spec) -> dict[str, Maker]:
    """Names and addresses that are one's own."""
    found: dict[str, Maker] = {}
    if spec.name in PEOPLE:
        found = {
            "FirstName": first_of,
            "LastName": last_of,
            "Name": lambda k, h, p: f"{first_of(k, h, p)} {last_of(k, h, p)}",
            "Email": lambda k, h, p: email_of(k, h, p) or None,
            "Phone": phone_of,
        }
    if spec.name == "User":
        found["Username"] = lambda k, _h, _p: f"user{k}@acme.example.com"
        # The first one is who speaks with the API, and stays.
        found["IsActive"] = lambda k, h, _p: k == 0 or h % 5 != 0
    if spec.name == "Account":
        found["Name"] = lambda _k, h, p: p.companies[h % len(p.companies)]
        found["BillingStreet"] = address_of
    if spec.name == "Contact":
        found["MailingStreet"] = address_of
    if spec.name == "Organization":
        found = {}
    return {name: make for name, make in found.items() if name in spec.fields}


def _numbered(spec: Spec, count: int) -> dict[str, Maker]:
    """What follows from the number, and whether an activity is so old that it is archived."""
    found: dict[str, Maker] = {}
    if born := born_name(spec):
        found[born] = lambda k, _h, _p: BORN[born].format(k + 1)
    if "IsArchived" in spec.fields:
        found["IsArchived"] = lambda k, _h, _p: k * 3 < count and k % 4 == 1
    return found


def born_name(spec: Spec) -> str:
    """The field of an object that its number says; "" where there is none."""
    return {"Case": "CaseNumber", "Invoice__c": "Name"}.get(spec.name, "")


def _case_status() -> dict[str, Maker]:
    def name(k: int, _h: int, _p: Pools) -> str:
        return _STATUSES[k]

    return {
        "MasterLabel": name,
        "ApiName": name,
        "SortOrder": lambda k, _h, _p: k + 1,
        "IsDefault": lambda k, _h, _p: k == 0,
        "IsClosed": lambda k, _h, _p: k == len(_STATUSES) - 1,
    }


_ALWAYS = ("OwnerId", "CreatedById", "LastModifiedById", "UserId")
_USERS = tuple(
    SPECS["User"].ids.write(kind_of(SPECS["User"]).first_id + n) for n in range(SPECS["User"].few)
)
_LATER = frozenset(["ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId",
                    "RecurrenceActivityId"])  # fmt: skip


def _pointer(field: Field, tables: Mapping[str, Table]) -> Maker:
    """To another record, of any of the objects that it may refer to."""
    if field.name in _LATER:
        return lambda _k, _h, _p: None
    shift = sum(map(ord, field.name)) % 13
    if field.name in _ALWAYS:
        return lambda _k, h, _p: _USERS[(h >> shift) % len(_USERS)]

    def make(_k: int, h: int, _p: Pools) -> str | None:
        if h >> shift & 3 == 0:
            return None
        target = tables.get(field.refers[(h >> 30) % len(field.refers)])
        if target is None or not target.base.count:
            return None
        return target.id_of((h >> shift + 2) % target.base.count)

    return make


# -- by type -------------------------------------------------------------------------------------


def sample(field: Field, rng: random.Random, p: Pools) -> Any:
    """A value, now and then none; where it is a reference, always none."""
    if field.type == "boolean":
        return rng.random() < 0.3
    if rng.random() < 0.2:
        return None
    return _SAMPLES.get(field.type, _text)(field, rng, p)


def _text(field: Field, rng: random.Random, p: Pools) -> Any:
    name = field.name
    if name.endswith("City"):
        return rng.choice(p.cities)
    if name.endswith("State"):
        return rng.choice(DIVISIONS)[3]
    if name.endswith("PostalCode"):
        return f"{rng.choice(DIVISIONS)[5]}{rng.randrange(100):02d}"
    if name.endswith("Country"):
        return rng.choice(("USA", "United States"))
    if name in ("Company", "Name"):
        return rng.choice((*p.companies[:40], 'Reyes, "Best" LLC', "Søren & Söhne GmbH"))
    if name == "SuppliedName":
        return person(rng, p)
    return rng.choice(
        ("Sales", "Owner", "Estimator, roofing", 'The "big" one', f"A-{rng.randrange(10**5)}")
    )


def _email(_f: Field, rng: random.Random, p: Pools) -> str:
    return (
        f"{person(rng, p).split()[0].lower()}{rng.randrange(10**4)}@{rng.choice(p.domains)}".encode(
            "ascii", "ignore"
        ).decode()
    )


def _day(_f: Field, rng: random.Random, _p: Pools) -> str:
    return (moment(rng) + timedelta(days=rng.randrange(-300, 60))).date().isoformat()


def _moment(_f: Field, rng: random.Random, _p: Pools) -> str:
    return wire(int(moment(rng).timestamp()) * 1_000)


_SAMPLES: Mapping[str, Callable[[Field, random.Random, Pools], Any]] = {
    "picklist": lambda f, rng, _p: rng.choice(f.choices or ("One", "Two")),
    "multipicklist": lambda f, rng, _p: ";".join(
        sorted(rng.sample(f.choices or ("One", "Two"), rng.choice((1, 2))))
    ),
    "textarea": lambda f, rng, p: (
        remarks(rng, p) if f.part_of is None else f"{rng.randrange(1, 999)} {rng.choice(p.streets)}"
    ),
    "phone": lambda _f, rng, _p: phone(rng) or None,
    "email": _email,
    "url": lambda _f, rng, p: f"https://www.{rng.choice(p.last_names).lower()}.example.com",
    "int": lambda f, rng, _p: (
        rng.randrange(2_023, 2_027) if f.name == "FiscalYear" else rng.randrange(1, 500)
    ),
    "double": lambda _f, rng, _p: rng.choice((float(rng.randrange(1, 90)), 12.5)),
    "currency": lambda _f, rng, _p: rng.choice((float(rng.randrange(500, 90_000)), 1_234.56, 0.0)),
    "percent": lambda _f, rng, _p: float(rng.choice((0, 10, 25, 50, 75, 100))),
    "date": _day,
    "datetime": _moment,
    "time": lambda _f, rng, _p: f"{rng.randrange(7, 19):02d}:{rng.choice((0, 30)):02d}:00.000Z",
    "reference": lambda _f, _rng, _p: None,
    "id": lambda _f, _rng, _p: None,
}
