"""Entities of any object, made of what the org says of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from crm_sync_assets.crms.salesforce import kept
from crm_sync_assets.crms.salesforce.described import TELLING, Described, Field, spelled
from crm_sync_assets.crms.salesforce.entities.shared import CUSTOM, ID, IS_DELETED
from crm_sync_assets.crms.salesforce.sources import SObject
from crm_sync_assets.crms.salesforce.variables import OBJECTS
from crm_sync_assets.declarations.columns import (
    Column,
    boolean,
    date,
    decimal,
    email,
    integer,
    phone,
    text,
    time,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import UsageError

STAMPS: Final = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
"""The first of these that an object has says when it changed."""
MOST_LETTERS: Final = 63
ENGINES: Final = frozenset(
    {"deleted_at", "sync_issues", "merged_into", "sync_created_at", "sync_updated_at"}
    | {"custom_fields"}
)
"""Names of columns that are not the source's."""
KINDS: Final[Mapping[str, Callable[..., Column]]] = {
    "boolean": boolean,
    "int": integer,
    "long": integer,
    "double": decimal,
    "currency": decimal,
    "percent": decimal,
    "date": date,
    "datetime": timestamp,
    "time": time,
    "email": email,
    "phone": phone,
}
OWN: Final = frozenset(
    ["account", "contact", "lead", "opportunity", "case", "task", "event", "user", "campaign"]
)
"""Objects that are entities already."""


def entities() -> tuple[Entity, ...]:
    """One per object that the environment names; the same ones until something changes.

    Raises UsageError for a name that cannot be used.
    """
    found = []
    for name in kept.named():
        if name.lower() in OWN:
            raise UsageError(f"{OBJECTS.name} names {name}, which is read anyway: leave it out")
        found.append(_entity(name, kept.text_of(name)))
    return tuple(found)


@cache
def _entity(name: str, said: str | None) -> Entity:
    described = kept.read(said) if said else None
    modified = _stamp(described)
    source = SObject(
        described.name if described else name, modified=modified, any=True, known=bool(said)
    )
    columns = (
        columns_of(described) if described else (ID, timestamp("system_modstamp", at=modified))
    )
    return Entity(
        f"salesforce.{name.lower()}",
        about=f"What the org has of {source.name}, as it describes it.",
        source=source,
        table=_fitting(f"salesforce_{name.lower()}"),
        columns=(*columns, CUSTOM),
        merges_told=described is not None and described.has("MasterRecordId"),
    )


def _stamp(described: Described | None) -> str | None:
    if described is None:
        return STAMPS[0]
    return next((name for name in STAMPS if described.has(name)), None)


def columns_of(described: Described) -> tuple[Column, ...]:
    """A column per field that can be read, of the kind that its type asks for."""
    found: dict[str, Column] = {ID.name: ID}
    for field in described.fields.values():
        if field.name == "Id" or field.name == TELLING[1]:
            continue
        column = IS_DELETED if field.name == TELLING[0] else _column(field, found)
        found[column.name] = column
    return tuple(found.values())


def _column(field: Field, taken: Mapping[str, Column]) -> Column:
    name = _snake(field.name)
    if name in ENGINES or name in taken:
        name = f"{name}_{_digest(field.name)}"
    kind = KINDS.get(field.type, text)
    return kind(_fitting(name), at=spelled(field.name))


def _snake(name: str) -> str:
    """`AccountId` as `account_id`; of custom fields `Due_Date__c` as `due_date__c`."""
    if "__" in name:
        return name.lower()
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _fitting(name: str) -> str:
    """A name that PostgreSQL does not cut; two that it would cut alike stay different."""
    if len(name) <= MOST_LETTERS:
        return name
    return f"{name[: MOST_LETTERS - 7]}_{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]
