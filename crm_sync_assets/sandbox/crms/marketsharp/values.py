"""What MarketSharp's records say, in text as it goes over the wire."""

import zlib
from collections.abc import Mapping
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.marketsharp.sets import created_of, key_of, kinds_of, modified_of
from crm_sync_assets.sandbox.people import (
    BEGIN_MS,
    END_MS,
    address_of,
    email_of,
    first_of,
    last_of,
    phone_of,
)
from crm_sync_assets.sandbox.seeded import Kind, Maker

COMPANY = "1234"
COMPANY_GUID = "9d1f0c55-1111-4222-8333-444455556666"
NO_GUID = "00000000-0000-0000-0000-000000000000"
_TAIL = 1 << 48
_SCATTER = 0x5851F42D4C95


def moment(milliseconds: int) -> str:
    """2024-04-11T16:20:05.123, without a fraction that is none, or zeros at its end."""
    whole, _, fraction = iso(milliseconds).removesuffix("Z").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def guid_of(name: str, number: int) -> str:
    """The id of a record by its number, from 1: in no order, as GUIDs are."""
    return f"{zlib.crc32(name.encode()):08x}-5a17-4d9b-9a1e-{number * _SCATTER % _TAIL:012x}"


def number_of(name: str, guid: str) -> int | None:
    """The number that `guid_of` made it of, None for another."""
    head, _, tail = guid.lower().rpartition("-")
    if head != guid_of(name, 1).rpartition("-")[0] or len(tail) != 12:
        return None
    try:
        return int(tail, 16) * pow(_SCATTER, -1, _TAIL) % _TAIL
    except ValueError:
        return None


def kind_of(name: str) -> Kind:
    """How a set's records are numbered and dated; dates that it does not show are hidden."""
    key, created = key_of(name), created_of(name) or "_created"
    modified = modified_of(name) or "_modified"
    if kinds_of(name)[key] != "guid":
        return Kind(name, name, created, modified, id_field=key, moment=moment, archived_every=0)
    of = "Contacts" if key == "contactId" else name
    return Kind(
        name,
        name,
        created,
        modified,
        id_field=key,
        write_id=lambda number: guid_of(of, number),
        read_id=lambda guid: number_of(of, guid),
        moment=moment,
        archived_every=0,
    )


REFERS = {
    "contactId": "Contacts",
    "contactPhoneId": "Contacts",
    "appointmentId": "Appointments",
    "primaryAddressId": "Addresses",
    "inquiryId": "Inquiries",
    "resultId": "AppointmentResults",
    "inquirySourcePrimaryId": "InquirySourcePrimaries",
    "inquirySourceSecondaryId": "InquirySourceSecondaries",
    "productTypeId": "ProductTypes",
    "productDetailId": "ProductDetails",
}
TEXTS: Mapping[str, Maker] = {
    "companyId": lambda *_: COMPANY,
    "firstName": first_of,
    "lastName": last_of,
    "middleInitial": lambda _k, h, _p: (None, "", "J")[h % 3],
    "email1": email_of,
    "website1": lambda _k, h, _p: (None, "https://www.example.com", "example")[h % 3],
    "email2": lambda _k, h, _p: (None, None, "", "other@example.com")[(h >> 3) % 4],
    "email3": lambda *_: None,
    "website2": lambda _k, h, _p: (None, "", "http://example.org/a")[(h >> 5) % 3],
    "website3": lambda *_: None,
    "email": lambda *_: "office@example.com",
    "website": lambda *_: "https://www.example.com",
    "line1": address_of,
    "addressLine1": address_of,
    "jobSiteAddressLine1": address_of,
    "city": lambda _k, h, p: p.cities[h % len(p.cities)],
    "state": lambda _k, h, _p: ("OH", "Ohio", "District of Columbia", None)[h % 4],
    "jobSiteState": lambda _k, h, _p: ("OH", "", None)[h % 3],
    "zip": lambda _k, h, _p: ("43004", "43004-1234 USA", None)[h % 3],
    "jobSiteZip": lambda _k, h, _p: ("43004", "", None)[h % 3],
    "coounty": lambda _k, h, _p: ("Franklin", "Delaware", None)[h % 3],
    "addressLin2": lambda _k, h, _p: ("Apt 2", "", None)[h % 3],
    "latitude": lambda _k, h, _p: ("39.990123", None, "")[h % 3],
    "longitude": lambda _k, h, _p: ("-82.990456", None, "")[h % 3],
    "contactType": lambda _k, h, _p: str(h % 3 + 1),
    "number": lambda k, _h, _p: f"{k + 1_000}",
    # What was pasted into them has characters that no XML has.
    "notes": lambda _k, h, _p: ("Call\x1f back", "A & B <ok>", None, "é\x0b☕")[h % 4],
    "note": lambda _k, h, _p: ("Said\x00 so", "&#x1F; is no such", None)[h % 3],
    "source": lambda _k, h, _p: ("Web", None)[h % 2],
    "lastUpdatedBy": lambda _k, h, _p: ("Ann", None)[h % 2],
    "timeZone": lambda *_: "Eastern Standard Time",
}


def maker(name: str, property: str, kind: str) -> Maker:
    """What a property says, of a record's number."""
    if kind == "text" and property in TEXTS:
        return TEXTS[property]
    if kind == "text" and property.lower().endswith(("phone", "phone2", "fax", "pager")):
        return phone_of
    shift = zlib.crc32(f"{name}/{property}".encode()) % 23

    def make(k: int, h: int, _p: Any) -> str | None:
        dice = h >> shift
        match kind:
            case "guid":
                if dice % 11 == 0:
                    return (None, NO_GUID, "")[dice % 3]
                of = REFERS.get(property, "Employees")
                return guid_of(of, (k if of == "Contacts" else dice % 6) + 1)
            case "int":
                return (None, str(dice % 6 + 1))[min(dice % 9, 1)]
            case "bool":
                return ("true", "true", "false", None)[dice % 4]
            case "moment":
                return None if dice % 5 == 0 else moment(BEGIN_MS + dice % (END_MS - BEGIN_MS))
            case "decimal":
                return ("0.0000", "12500.5000", None)[dice % 3]
            case _:
                return (None, "", "Windows", "Café", 'Siding & "Trim"')[dice % 5]

    return make
