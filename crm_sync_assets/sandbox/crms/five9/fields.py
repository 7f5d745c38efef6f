"""The contact fields of the domain: what it says of them, and what contacts have there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.sandbox.people import DIVISIONS, address_of, email_of, first_of, last_of
from crm_sync_assets.sandbox.seeded import Kind, Maker

ZONE = "America/Los_Angeles"
"""What the domain's clock shows; its moments do not say so."""
ID, CREATED, MODIFIED = "contactID", "sys_created_date", "New Contact Field"
LISTS = ("OH New Leads", "FL Storm 2024", "Callbacks")
DISPOSITIONS = ("Appointment Set", "No Answer", "Do Not Call", "Not Interested")


def wall(milliseconds: int) -> str:
    """2024-04-12 13:12:44.767, on the domain's clock"""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(ZoneInfo(ZONE))
    return f"{at:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d}"


KIND = Kind(
    "contacts",
    "contact",
    CREATED,
    MODIFIED,
    first_id=100_482,
    id_step=11,
    id_field=ID,
    moment=wall,
    archived_every=0,
)


@dataclass(frozen=True, slots=True)
class ContactField:
    """A field as getContactFields has it; restrictions are type → value."""

    name: str
    type: str
    map_to: str = "None"
    system: bool = False
    restrictions: Mapping[str, str] = field(default_factory=dict)


def _one_of(*values: Any, shift: int = 7) -> Maker:
    return lambda _k, h, _p: values[(h >> shift) % len(values)]


def _number(k: int, h: int, _p: Any) -> str | None:
    """Ten digits; several share one, some are abroad, some have none."""
    area = DIVISIONS[h % len(DIVISIONS)][4]
    if h % 11 == 3:
        return None
    if h % 37 == 5:
        return f"01144{h % 10_000_000:07d}"
    return f"{area}555{(k // 2 if k % 10 == 1 else h) % 10_000:04d}"


def _date_of(shape: str, *others: Any) -> Maker:
    def made(_k: int, h: int, _p: Any) -> Any:
        choices = (shape.format(1 + h % 12, 1 + h % 28), *others)
        return choices[(h >> 5) % len(choices)]

    return made


_MOMENT = "2025-{:02d}-{:02d} 13:12:44.767"
_DAY = "2026-{:02d}-{:02d}"
_FIELDS: tuple[tuple[ContactField, Maker], ...] = (
    (ContactField("number1", "PHONE", system=True), _number),
    (ContactField("number2", "PHONE", system=True), _one_of(None, "6145550142", None, "")),
    (ContactField("number3", "PHONE", system=True), _one_of(None, None, "+442071838750")),
    (ContactField("first_name", "STRING", system=True), first_of),
    (ContactField("last_name", "STRING", system=True), last_of),
    (ContactField("company", "STRING", system=True), _one_of(None, "Lakeside Roofing LLC")),
    (ContactField("street", "STRING", system=True), address_of),
    (
        ContactField("city", "STRING", system=True),
        lambda _k, h, p: p.cities[h % len(p.cities)],
    ),
    (ContactField("state", "STRING", system=True), _one_of("OH", "FL", None)),
    (ContactField("zip", "STRING", system=True), _one_of("43004", "33601", "")),
    (ContactField("email", "EMAIL"), email_of),
    (ContactField("sys_last_agent", "STRING", "LastAgent"), _one_of("pat@example.com", None)),
    (
        ContactField("sys_last_disposition", "STRING", "LastDisposition"),
        _one_of(*DISPOSITIONS, None),
    ),
    (
        ContactField("sys_last_disposition_time", "DATE_TIME", "LastDispositionDateTime"),
        _date_of(_MOMENT, None),
    ),
    (ContactField("last_campaign", "STRING", "LastCampaign"), _one_of("Outbound OH", None)),
    (ContactField("attempts", "NUMBER", "AttemptsForLastCampaign"), _one_of("3", "0", None)),
    (ContactField("last_list", "STRING", "LastList"), _one_of(*LISTS, None, shift=11)),
    (ContactField("DialAttempts", "NUMBER", "AttemptsForLastCampaign"), _one_of("3", "1,204", "")),
    (ContactField("DoNotDial", "BOOLEAN"), _one_of("0", "1", None)),
    (ContactField("lead_prioritization", "NUMBER"), _one_of("5", "100", None)),
    (ContactField("metal_count", "NUMBER"), _one_of("2", None)),
    (ContactField("HubSpot_ContactID", "STRING"), lambda k, _h, _p: str(51 + 50 * k)),
    (ContactField("Product", "STRING"), _one_of("Siding", "Roof", None)),
    (ContactField("Market", "STRING"), _one_of("Columbus", "Tampa")),
    (
        ContactField("Total Job Amount", "CURRENCY", restrictions={"CurrencyType": "Dollar"}),
        _one_of("12500.00", "1,250,000.50", "", None),
    ),
    (ContactField("Appointment Date", "DATE"), _date_of(_DAY, None)),
    (ContactField("Appointment Date and Time", "DATE_TIME"), _date_of(_MOMENT, None, "")),
    (
        ContactField("PC Work Finished", "DATE", restrictions={"DateFormat": "MM/dd/yyyy"}),
        _date_of("{:02d}/{:02d}/2025", None),
    ),
    (
        ContactField("Last Agent Disposition", "STRING", "LastAgentDisposition"),
        _one_of(*DISPOSITIONS, None),
    ),
    (
        ContactField(
            "Last Agent Disposition Date-Time", "DATE_TIME", "LastAgentDispositionDateTime"
        ),
        _date_of(_MOMENT, None),
    ),
    (ContactField("Secondary Lead Source", "STRING"), _one_of("Web", "Radio", None)),
    (ContactField("lead_source", "STRING"), _one_of("Web", None)),
    (ContactField("Lead Status", "STRING"), _one_of("New", "Open")),
    (ContactField("Result", "STRING"), _one_of("Sold", None)),
    (ContactField("Carrier", "STRING"), _one_of("Verizon", "")),
    (ContactField("TFUID", "STRING"), _one_of("tf-1", None)),
    (ContactField("Position", "STRING"), _one_of("Owner", None)),
    (ContactField("XCounter", "STRING"), _one_of("7", None)),
    (ContactField("F9_list", "STRING"), _one_of("F9", None)),
    (ContactField("ggg", "STRING"), _one_of(None, "g")),
    (ContactField("f65d759a-2250-4b2d-89a9-60796f624f72", "PHONE"), _one_of("6145550199", None)),
    (ContactField("4f347541-7c4d-4812-9190-e8dea6c0eb49", "DATE_TIME"), _date_of(_MOMENT, None)),
    (ContactField("80cf8462-cc10-41b8-a68a-5898cdba1e11", "STRING"), _one_of("a", None)),
    (ContactField("Roof-Age", "NUMBER"), _one_of("12", None)),
    (ContactField("2nd Visit", "DATE_TIME"), _date_of(_MOMENT, None)),
    (ContactField("Ladder, needed", "BOOLEAN"), _one_of("Y", "N", None)),
)
MAKERS: Mapping[str, Maker] = {one.name: make for one, make in _FIELDS}
CREATED_FIELD = ContactField(CREATED, "DATE_TIME", "CreatedDateTime")
MODIFIED_FIELD = ContactField(MODIFIED, "DATE_TIME", "LastModifiedDateTime")
FIELDS = (*(one for one, _ in _FIELDS), CREATED_FIELD, MODIFIED_FIELD)
MORE = ContactField("Storm Name", "STRING")
"""What a knob adds to the domain."""
