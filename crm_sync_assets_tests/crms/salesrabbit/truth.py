"""Is the warehouse what SalesRabbit's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.salesrabbit.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.compared import Key, table_differences

RENAMED = {"status_id": "id", "lead_id": "leadId", "photo_url": "photo_url"}


def true_rows(world: World, entity: Entity) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Key, state, and the values by the columns' names, as the API has them."""
    what = "histories" if entity.sync_type == "status_histories" else entity.sync_type
    for true in world.truth(what):
        key = tuple(true["key"])
        yield key, true["state"], _values(entity, key, true["record"])


def _values(entity: Entity, key: Key, record: Mapping[str, Any]) -> dict[str, Any]:
    flat = {**record, **record.get("address", {}), **record.get("coordinates", {})}
    found: dict[str, Any] = {}
    for column in entity.columns:
        first, *others = column.name.split("_")
        name = RENAMED.get(column.name, first + "".join(map(str.capitalize, others)))
        found[column.name] = dict(record) if name == "data" else flat.get(name)
    if "appointment" in found and isinstance(found["appointment"], dict):
        found["appointment"] = json.dumps(found["appointment"])
    for name in ("latitude", "longitude"):
        if name in found and not found[name]:
            found[name] = None
    if "entry" in found:
        found["lead_id"], found["entry"] = key
        found["data"] |= {"entry": key[1], "leadId": key[0]}
    return found


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, deletions: bool = True
) -> list[str]:
    """Every way in which a table differs from the truth; without `deletions`, that nobody tells of,
    what is gone may be live here."""
    rows = true_rows(world, entity)
    return table_differences(entity, warehouse, rows, deletions=deletions)
