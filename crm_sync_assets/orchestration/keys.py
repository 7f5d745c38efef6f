"""Under which keys an entity is in the catalogue: itself, its source, its table."""

import dagster as dg

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity


def asset_key(entity: Entity) -> dg.AssetKey:
    return dg.AssetKey([entity.crm, entity.sync_type])


def source_key(crm: Crm, entity: Entity) -> dg.AssetKey:
    """Where its records come from: `hubspot_api/contacts`; of a database `genius_mysql/jobs`."""
    kind: str = entity.source.kind
    if kind == "database" and crm.kinds:
        kind = crm.kinds[0]
    return dg.AssetKey([f"{crm.name}_{kind}", entity.sync_type])


def table_key(name: str) -> dg.AssetKey:
    """What the entity of that name keeps, as others see it: `hubspot_tables/contacts`."""
    crm, _, sync_type = name.partition(".")
    return dg.AssetKey([f"{crm}_tables", sync_type])
