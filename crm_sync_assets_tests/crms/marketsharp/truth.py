"""Is the warehouse what MarketSharp's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong name must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.marketsharp.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

MISSPELT = {"county": "coounty", "address_line2": "addressLin2"}
Key = tuple[str, ...]


def set_of(entity: Entity) -> str:
    """`activity_results` as ActivityResults."""
    return "".join(map(str.capitalize, entity.sync_type.split("_")))


def true_rows(world: World, entity: Entity) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Key, state, and the values by the columns' names, as the API has them."""
    for true in world.truth(set_of(entity)):
        said = {name.lower(): value for name, value in true["record"].items()}
        values = {}
        for column in entity.columns:
            plain = column.name.replace("_", "")
            misspelt = MISSPELT.get(column.name, "").lower()
            values[column.name] = said[misspelt] if misspelt in said else said[plain]
        yield tuple(true["key"]), true["state"], values


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, deletions: bool = True
) -> list[str]:
    """Every way in which a table differs from the truth; without `deletions`, that nobody tells of,
    what is gone may be live here."""
    stored, problems, known = stored_rows(warehouse, entity), [], set()
    for key, state, values in true_rows(world, entity):
        known.add(key)
        problems += problems_of(entity, key, state, values, stored.get(key), deletions=deletions)
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]


def problems_of(
    entity: Entity,
    key: Key,
    state: str,
    values: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    *,
    deletions: bool,
) -> list[str]:
    """Every way in which a row differs from its record."""
    if state != "live":
        is_wrong = deletions and row is not None and row["deleted_at"] is None
        return [f"{key} is gone there, and live here"] if is_wrong else []
    if row is None or row["deleted_at"] is not None:
        return [f"{key} is {'missing' if row is None else 'marked'}"]
    found = []
    for column in entity.columns:
        try:
            wanted = column.parse(values[column.name])
        except ValueError:
            wanted = None
        wanted = column.default if wanted is None else wanted
        if row[column.name] != wanted:
            found.append(f"{key}.{column.name} is {row[column.name]!r}, should be {wanted!r}")
    return found
