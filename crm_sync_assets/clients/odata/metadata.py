"""How a service spells its properties, and of which type they are: its $metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm_sync_assets.clients.decoding import Format
from crm_sync_assets.clients.markup import Malformed, elements


@dataclass(frozen=True, slots=True)
class Property:
    """A property as the schema has it: `kind` is its type (`Edm.Guid`)."""

    name: str
    kind: str


Schema = Mapping[str, Mapping[str, Property]]
"""Of each set, its properties by their names in lower case."""


def loads(body: bytes) -> Schema:
    """The sets of a service. Raises Malformed for what is no such document, or cut."""
    types: dict[str, dict[str, Property]] = {}
    bases: dict[str, str] = {}
    sets: dict[str, str] = {}
    for element in elements(body, "{*}Edmx", "{*}Schema"):
        namespace = element.get("Namespace", "")
        for one in element.iterfind("{*}EntityType"):
            name = f"{namespace}.{one.get('Name')}"
            bases[name] = one.get("BaseType", "")
            found = (
                Property(p.get("Name", ""), p.get("Type", "")) for p in one.iterfind("{*}Property")
            )
            types[name] = {each.name.lower(): each for each in found}
        for one in element.iterfind("{*}EntityContainer/{*}EntitySet"):
            sets[one.get("Name", "")] = one.get("EntityType", "")
    if not sets:
        raise Malformed("a description of a service that has no sets")
    return {name: _with_bases(kind, types, bases) for name, kind in sets.items()}


def _with_bases(
    kind: str, types: Mapping[str, Mapping[str, Property]], bases: Mapping[str, str]
) -> dict[str, Property]:
    """The properties of a type, those of what it is derived from included."""
    found: dict[str, Property] = {}
    seen: set[str] = set()
    while kind in types and kind not in seen:
        seen.add(kind)
        found = {**types[kind], **found}
        kind = bases[kind]
    return found


EDMX = Format("metadata", "xml", "application/xml", loads)
