"""Fields of objects: what an object's describe says of them, and how their values are written."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

TEXTS = frozenset(
    ["string", "textarea", "picklist", "multipicklist", "phone", "url", "email", "combobox"]
)
COMPOUND = frozenset(["address", "location"])
NUMBERS = frozenset(["int", "double", "currency", "percent"])
_SOAP = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "address": "urn:address",
    "location": "urn:location", "base64": "xsd:base64Binary",
}  # fmt: skip
_LENGTHS = {
    "id": 18, "reference": 18, "string": 255, "picklist": 255, "multipicklist": 4_099, "phone": 40,
    "url": 255, "email": 80, "textarea": 32_000, "combobox": 255,
}  # fmt: skip
_NUMBERS = {"double": (18, 2), "currency": (18, 2), "percent": (5, 2)}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `refers` are the objects that a reference may lead to; `part_of` is the compound
    field it belongs to. Nobody writes to a `derived` one; custom ones of those are formulas.
    """

    name: str
    type: str
    label: str = ""
    refers: tuple[str, ...] = ()
    derived: bool = False
    choices: tuple[str, ...] = ()
    part_of: str | None = None
    scale: int | None = None

    @property
    def is_custom(self) -> bool:
        """Whether people of the org made it."""
        return self.name.endswith("__c")

    @property
    def is_filterable(self) -> bool:
        """Whether a WHERE may ask for it: long texts and compounds cannot be."""
        if self.type == "textarea":
            return self.part_of is not None
        return self.type not in COMPOUND | {"base64"}

    @property
    def is_sortable(self) -> bool:
        """Whether an ORDER BY may name it."""
        return self.is_filterable and self.type != "multipicklist"

    @property
    def is_long(self) -> bool:
        """Whether it makes pages small."""
        return self.is_custom and self.type == "textarea"

    @property
    def relationship(self) -> str | None:
        """What leads from the record to the one that is referred to."""
        if self.type != "reference":
            return None
        if self.is_custom:
            return f"{self.name.removesuffix('__c')}__r"
        return self.name.removesuffix("Id")

    def described(self) -> Row:
        """As an object's describe has it."""
        precision, scale = _NUMBERS.get(self.type, (0, 0))
        length = _LENGTHS.get(self.type, 0)
        return {
            "aggregatable": self.is_filterable, "autoNumber": False, "byteLength": length * 3,
            "calculated": self.derived and self.is_custom, "calculatedFormula": None,
            "caseSensitive": False,
            "compoundFieldName": self.part_of, "controllerName": None,
            "createable": not self.derived, "custom": self.is_custom,
            "defaultValue": False if self.type == "boolean" else None,
            "defaultedOnCreate": self.type == "boolean", "deprecatedAndHidden": False,
            "digits": 8 if self.type == "int" else 0, "encrypted": False, "externalId": False,
            "extraTypeInfo": "plaintextarea" if self.type == "textarea" else None,
            "filterable": self.is_filterable, "groupable": self.is_sortable,
            "htmlFormatted": False, "idLookup": self.type == "id", "inlineHelpText": None,
            "label": self.label or labelled(self.name), "length": length, "name": self.name,
            "nameField": self.name == "Name",
            "nillable": self.type not in ("id", "boolean"),
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": one, "value": one}
                for one in self.choices
            ],
            "polymorphicForeignKey": len(self.refers) > 1, "precision": precision,
            "referenceTo": list(self.refers), "relationshipName": self.relationship,
            "scale": scale if self.scale is None else self.scale,
            "soapType": _SOAP.get(self.type, "xsd:string"), "sortable": self.is_sortable,
            "type": self.type, "unique": self.type == "id", "updateable": not self.derived,
        }  # fmt: skip


def labelled(name: str) -> str:
    """The label of a name: `Roof Age` of `RoofAge__c`."""
    bare = name.removesuffix("__c").replace("_", " ")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)


def spelled(text: str, choices: Mapping[str, tuple[str, ...]]) -> Iterator[Field]:
    """Fields out of lines of a type and names: `Name`, `Name>Object`, `Name>Object|Object`, and
    `=Name` for what is derived. An address stands for itself and its parts."""
    for line in text.strip().splitlines():
        type_, *names = line.split()
        for spelt in names:
            name, _, refers = spelt.lstrip("=").partition(">")
            objects = tuple(refers.split("|")) if refers else ()
            if type_ == "address":
                yield from _address(name)
                continue
            yield Field(
                name,
                type_,
                refers=objects,
                derived=spelt.startswith("="),
                choices=choices.get(name, ()) if "picklist" in type_ else (),
            )


PARTS = ("Street", "City", "State", "PostalCode", "Country")


def _address(name: str) -> Iterator[Field]:
    """`BillingAddress` and what it is put together from."""
    yield Field(name, "address", derived=True)
    for part in PARTS:
        kind = "textarea" if part == "Street" else "string"
        yield Field(name.removesuffix("Address") + part, kind, part_of=name)


def csv_cell(type_: str, value: Any, salt: int) -> str:
    """A value between its quotes, as results of a job have it.

    Whole numbers come with `.0` now and then, and long texts with a NUL, as the `salt` has it.
    """
    if value is None:
        return '""'
    if type_ == "boolean":
        return '"true"' if value else '"false"'
    if type_ == "datetime":
        return f'"{value[:-5]}Z"'
    if type_ in NUMBERS:
        return f'"{value}.0"' if type_ == "int" and salt % 5 == 0 else f'"{value}"'
    text = str(value)
    if '"' in text:
        text = text.replace('"', '""')
    if type_ == "textarea" and salt % 11 == 0 and text:
        text = f"{text[:1]}\0{text[1:]}"
    return f'"{text}"'


Cell = Callable[[str, Any, int], Any]
"""What becomes of a value of a type: a cell of CSV, or the value as it is."""


def as_it_is(_type: str, value: Any, _salt: int) -> Any:
    """The value as JSON has it."""
    return value
