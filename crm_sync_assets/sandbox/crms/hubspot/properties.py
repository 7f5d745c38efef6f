"""Object types and their property definitions, as in the portal of a home-improvement company."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from crm_sync_assets.sandbox.crms.hubspot.catalogue import CALCULATED, DECLARED, OPTIONS
from crm_sync_assets.sandbox.seeded import Kind

Type = Literal["string", "number", "bool", "enumeration", "datetime", "date", "phone_number"]

SYSTEM = frozenset(
    {"createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"}
)
READ_ONLY = SYSTEM | {"hs_merged_object_ids"}
# The service refuses to search by these.
UNSEARCHABLE = frozenset({"hs_body_preview_html", "hs_email_html", "hs_body_preview"})
MULTIPLE = frozenset({"service_of_interest", "appointment_services", "lead_services"})
FIELD_TYPES = {
    "string": "text",
    "number": "number",
    "bool": "booleancheckbox",
    "enumeration": "select",
    "datetime": "date",
    "date": "date",
    "phone_number": "phonenumber",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType(Kind):
    """One kind of CRM record, as the API names it."""

    type_id: str
    scope: str
    defaults: tuple[str, ...]
    custom: bool

    @property
    def always(self) -> tuple[str, str, str]:
        """The properties every answer carries, asked for or not."""
        return (self.created, self.id_field, self.modified)


def _objects(kind: str) -> str:
    return f"crm.objects.{kind}.read"


def _type(
    name: str,
    type_id: str,
    singular: str,
    scope: str,
    dates: tuple[str, str],
    defaults: tuple[str, ...],
    first_id: int,
    id_step: int,
    custom: bool = False,
) -> ObjectType:
    return ObjectType(
        name=name,
        singular=singular,
        created=dates[0],
        modified=dates[1],
        first_id=first_id,
        id_step=id_step,
        id_field="hs_object_id",
        type_id=type_id,
        scope=scope,
        defaults=defaults,
        custom=custom,
    )


def _engagement(name: str, type_id: str, singular: str, first_id: int, scope: str) -> ObjectType:
    return _type(name, type_id, singular, scope, _OWN, (), first_id, 41)


_HS = ("createdate", "hs_lastmodifieddate")
_OWN = ("hs_createdate", "hs_lastmodifieddate")
_PEOPLE = _objects("contacts")
TYPES: Mapping[str, ObjectType] = {
    kind.name: kind
    for kind in (
        _type(
            "contacts", "0-1", "contact", _PEOPLE, ("createdate", "lastmodifieddate"),
            ("email", "firstname", "lastname"), 90_210_000_001, 37,
        ),
        _type(
            "companies", "0-2", "company", _objects("companies"), _HS,
            ("name", "domain"), 20_420_000_003, 53,
        ),
        _type(
            "deals", "0-3", "deal", _objects("deals"), _HS,
            ("amount", "closedate", "dealname", "dealstage", "pipeline"), 30_310_000_009, 29,
        ),
        _type(
            "tickets", "0-5", "ticket", "tickets", _HS,
            ("content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category",
             "hs_ticket_priority", "subject"), 5_510_000_011, 31,
        ),
        _type(
            "products", "0-7", "product", "e-commerce", _HS,
            ("name", "description", "price"), 1_700_000_021, 17,
        ),
        _type(
            "line_items", "0-8", "line_item", "e-commerce", _HS,
            ("quantity", "amount", "price"), 18_800_000_005, 23,
        ),
        _type(
            "appointments", "0-421", "appointment", _objects("appointments"), _OWN,
            ("hs_appointment_name", "hs_appointment_start", "hs_appointment_end"),
            51_300_000_042, 43,
        ),
        _engagement("calls", "0-48", "call", 48_000_000_007, _PEOPLE),
        _engagement("emails", "0-49", "email", 49_000_000_013, "sales-email-read"),
        _engagement("meetings", "0-47", "meeting", 47_000_000_017, _PEOPLE),
        _engagement("notes", "0-46", "note", 46_000_000_019, _PEOPLE),
        _engagement("tasks", "0-27", "task", 27_000_000_023, _PEOPLE),
        _type(
            "divisions", "2-37778609", "division", _objects("custom"), _OWN,
            ("division_name",), 27_700_000_007, 11, custom=True,
        ),
        _type(
            "genius_users", "2-42119425", "genius_user", _objects("custom"), _OWN,
            ("name",), 42_100_000_311, 13, custom=True,
        ),
    )
}  # fmt: skip
# Objects that an account may have beside these. The sandbox holds none of them.
_OTHERS = """
    carts communications contracts courses discounts feedback_submissions fees goal_targets
    invoices leads listings orders partner_clients partner_services payments postal_mail quotes
    services subscriptions taxes users 0-14 0-18 0-19 0-53 0-69 0-74 0-84 0-85 0-101 0-115 0-116
    0-123 0-136 0-142 0-162 0-410 0-420
"""
OTHERS = frozenset(_OTHERS.split())
_BY_ANY_NAME = {
    key: kind for kind in TYPES.values() for key in (kind.name, kind.type_id, kind.singular)
}


def object_type(name: str) -> ObjectType | None:
    """The type of a path segment: `contacts`, `contact`, `0-1`; None when there is none."""
    return _BY_ANY_NAME.get(name) or _BY_ANY_NAME.get(name.lower())


def sensitive_scope(kind: ObjectType) -> str:
    """What an app needs to read the highly sensitive properties of an object."""
    name = "custom" if kind.custom else kind.name
    return f"crm.objects.{name}.highly_sensitive.read.v2"


@cache
def types_of(name: str) -> Mapping[str, str]:
    """Property name to `type`, for one object type, system properties first."""
    kind = TYPES[name]
    found: dict[str, str] = {
        kind.created: "datetime",
        kind.modified: "datetime",
        "hs_object_id": "number",
    }
    for type_, names in DECLARED[name].items():
        for one in names.split():
            found.setdefault(one, type_)
    return found


@cache
def properties(name: str) -> tuple[str, ...]:
    """All property names of an object type."""
    return tuple(types_of(name))


def _field_type(name: str, type_: str) -> str:
    if name in MULTIPLE or (name.startswith("hs_all_") and type_ == "enumeration"):
        return "checkbox"
    if name in ("comments", "content", "description") or name.endswith(("_notes", "_body")):
        return "textarea"
    return FIELD_TYPES[type_]


def definition(name: str, property_name: str) -> dict[str, Any]:
    """One entry of `GET /crm/v3/properties/{type}`."""
    type_ = types_of(name)[property_name]
    label = property_name.removeprefix("hs_").replace("_", " ").capitalize()
    options = OPTIONS.get(property_name, ("true", "false") if type_ == "bool" else ())
    own = property_name.startswith("hs_") or property_name in SYSTEM
    entry: dict[str, Any] = {
        "updatedAt": "2025-02-03T09:12:44.120Z",
        "createdAt": "2022-05-17T14:00:02.006Z",
        "name": property_name,
        "label": label,
        "type": type_,
        "fieldType": _field_type(property_name, type_),
        "description": "",
        "groupName": f"{TYPES[name].singular}information",
        "options": [
            {"label": o.title(), "value": o, "displayOrder": i, "hidden": False, "description": ""}
            for i, o in enumerate(options)
        ],
        "displayOrder": -1,
        "calculated": property_name in SYSTEM | CALCULATED,
        "externalOptions": property_name.startswith(("hs_all_", "hubspot_owner_id")),
        "archived": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": own,
        "modificationMetadata": {
            "archivable": not own,
            "readOnlyDefinition": own,
            "readOnlyValue": property_name in READ_ONLY | CALCULATED,
        },
        "formField": not own,
        "dataSensitivity": "non_sensitive",
    }
    if property_name == "hubspot_owner_id":
        entry["referencedObjectType"] = "OWNER"
    return entry
