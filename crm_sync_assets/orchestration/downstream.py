"""For code locations of others: what is synced here, as the input of their own assets."""

import dagster as dg

from crm_sync_assets.declarations import registry
from crm_sync_assets.orchestration.assets import IO_MANAGER, metadata
from crm_sync_assets.orchestration.io_manager import UpsertIOManager
from crm_sync_assets.orchestration.keys import asset_key
from crm_sync_assets.orchestration.resources import WarehouseResource


def synced(*names: str) -> list[dg.AssetSpec]:
    """These entities (`hubspot.contacts`), to be listed among the assets of other Definitions.

    An asset that takes one as its input gets its live rows as a DataFrame, as `UpsertIOManager`
    says. Raises UsageError for a name that there is not, with the nearest one.
    """
    found = []
    for name in names:
        entity = registry.entity(name)
        stored = registry.entity(entity.tombstones_of) if entity.tombstones_of else entity
        spec = dg.AssetSpec(
            asset_key(entity), description=entity.about, metadata=metadata(entity, stored)
        )
        found.append(spec.with_io_manager_key(IO_MANAGER))
    return found


def reading() -> dict[str, object]:
    """The resources that these inputs come through: the warehouse of the environment."""
    warehouse = WarehouseResource()
    return {"warehouse": warehouse, IO_MANAGER: UpsertIOManager(warehouse=warehouse)}
