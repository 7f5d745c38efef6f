"""Is the warehouse what MarketSharp's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong name must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.marketsharp.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.compared import Key, table_differences

MISSPELT = {"county": "coounty", "address_line2": "addressLin2"}


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
            value = said[misspelt] if misspelt in said else said[plain]
            values[column.name] = value if _can_be_read(column, value) else None
        yield tuple(true["key"]), true["state"], values


def _can_be_read(column: Column, value: Any) -> bool:
    try:
        column.parse(value)
    except ValueError:
        return False
    return True


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, deletions: bool = True
) -> list[str]:
    """Every way in which a table differs from the truth; without `deletions`, that nobody tells of,
    what is gone may be live here."""
    rows = true_rows(world, entity)
    return table_differences(entity, warehouse, rows, deletions=deletions)
