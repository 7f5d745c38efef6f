"""What an org says of an object, and what of it an entity reads.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.errors import FatalError

NOT_READ: Final = frozenset({"address", "location", "base64", "anytype", "complexvalue"})
"""Types of fields that are made of others, which are read, or have an address for a value."""
TELLING: Final = ("IsDeleted", "MasterRecordId")
"""Say of a record whether it is deleted, and into which it was merged."""
BESIDE: Final = (*TELLING, "CurrencyIsoCode")
"""Read of what has them, whether or not they have a column: an amount is in its own currency."""
QUIET: Final = frozenset(
    {"IsArchived", "LastActivityDate", "LastLoginDate"}
    | {"NumberOfLeads", "NumberOfContacts", "NumberOfResponses"}
    | {"NumberOfOpportunities", "NumberOfWonOpportunities"}
    | {"AmountAllOpportunities", "AmountWonOpportunities"}
)
"""No formulas, and Salesforce changes them all the same without the record's stamp."""

_exact = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its API name; `type` is Salesforce's, in small letters.

    `label` is what people see. A `calculated` one changes without its record's SystemModstamp.
    """

    name: str
    type: str
    label: str
    custom: bool
    calculated: bool
    filterable: bool

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Field:
        return cls(
            str(said["name"]),
            str(said.get("type") or "").lower(),
            str(said.get("label") or ""),
            said.get("custom") is True,
            said.get("calculated") is True,
            said.get("filterable") is not False,
        )


@dataclass(frozen=True)
class Described:
    """An object's fields that can be read, by their names in small letters."""

    name: str
    fields: Mapping[str, Field]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Described:
        found = map(Field.of, body["fields"])
        return cls(str(body.get("name")), {one.name.lower(): one for one in found if _is_read(one)})

    def has(self, name: str) -> bool:
        return name.lower() in self.fields


def _is_read(field: Field) -> bool:
    return field.type not in NOT_READ


def problem_of(body: Any) -> str | None:
    """What is wrong with the shape of a describe's answer."""
    fields = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(fields, list) or not fields:
        return "the answer describes no fields"
    if not all(isinstance(one, dict) and one.get("name") for one in fields):
        return "a field has no name"
    return None


class Shown:
    """What an entity reads of its object, as the org shows that now."""

    def __init__(self, entity: Entity, described: Described) -> None:
        self.entity, self.described = entity, described
        self._of_columns = {
            column.name: column.path("") for column in entity.columns if column.kind != "rest"
        }
        needed = [self._of_columns[column.name] for column in entity.key]
        needed += [entity.source.modified] if entity.source.modified else []
        for name in needed:
            if not described.has(name):
                raise FatalError(
                    f"{entity}: {described.name} shows no {name} to this user, without which no "
                    "record can be told from another"
                )
        fields = described.fields
        wanted = [name.lower() for name in (*needed, *BESIDE, *self._of_columns.values())]
        is_any = getattr(entity.source, "any", False)
        wanted += sorted(name for name, one in fields.items() if one.custom or is_any)
        self._fields = {name: fields[name] for name in wanted if name in fields}

    @property
    def names(self) -> list[str]:
        """The fields to ask for, those that tell and order records first."""
        return [one.name for one in self._fields.values()]

    @property
    def alive(self) -> tuple[str, ...]:
        """The condition that leaves deleted records out of queryAll; archived ones are alive."""
        return ("IsDeleted = false",) if self.described.has("IsDeleted") else ()

    @property
    def hidden_columns(self) -> list[str]:
        """Columns whose field is not shown: what is stored there stays."""
        return sorted(n for n, of in self._of_columns.items() if not self.described.has(of))

    @property
    def labels(self) -> dict[str, str]:
        """What people see for the field of a column."""
        found = {n: self.described.fields.get(of.lower()) for n, of in self._of_columns.items()}
        return {name: f"“{one.label}”" for name, one in found.items() if one and one.label}

    @property
    def calculated(self) -> list[str]:
        """Fields that change without their record's stamp, as a record spells them."""
        fields = self._fields.values()
        return sorted(spelled(one.name) for one in fields if one.calculated or one.name in QUIET)

    def filterable(self, name: str) -> bool:
        """Whether records that have a value there can be asked for; of a checkbox all have one."""
        field = self.described.fields.get(name.lower())
        return field is not None and field.filterable and field.type != "boolean"

    def of_csv(self, names: list[str]) -> Callable[[list[str]], Record]:
        """A line of a CSV file with these columns → the record as JSON has it."""
        readers = []
        for name in names:
            field = self.described.fields.get(name.lower())
            readers.append((spelled(name), _READERS.get(field.type if field else "", _text)))
        return lambda line: {
            name: read(value) for (name, read), value in zip(readers, line, strict=True)
        }


def spelled(name: str) -> str:
    """A field's name in records: custom ones in small letters, for people to write in SQL."""
    return name.lower() if "__" in name else name


def records_of(answer: Answer) -> list[Record]:
    """The records of a query's answer, flat, and their numbers as exact as they came."""
    try:
        found = _exact.decode(answer.body)["records"]
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = answer.json["records"]
    return [_flat(one) if isinstance(one, dict) else one for one in found]


def _flat(record: Record) -> Record:
    return {spelled(name): value for name, value in record.items() if name != "attributes"}


def _text(value: str) -> Any:
    return value or None


def _boolean(value: str) -> Any:
    return {"true": True, "false": False}.get(value, value or None)


def _integer(value: str) -> Any:
    """Whole numbers are sometimes written like 12.0."""
    number = _number(value)
    whole = isinstance(number, Decimal) and number == number.to_integral_value()
    return int(number) if whole else number


def _number(value: str) -> Any:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value or None
    return number if number.is_finite() else value


def _moment(value: str) -> Any:
    return f"{value[:-1]}+0000" if value.endswith("Z") else value or None


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "datetime": _moment,
}
"""How the text of a CSV file becomes what JSON has for a type; all others are texts there too."""
