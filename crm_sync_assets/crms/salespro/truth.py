"""What the tables must hold, by what SalesPro's sandbox has."""

from __future__ import annotations

from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.crms.salespro.entities.user_activities import named
from crm_sync_assets.crms.salespro.leadresults import items
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`. Of the rows of one key the last one counts."""
    source = entity.source
    if not isinstance(source, Table):
        return Live({((one["objectId"],), None) for one in ask(entity.sync_type)}, dated=False)
    found = set[tuple[Key, None]]()
    for row in ask(source.name):
        if entity.sync_type == "user_activities":
            found.add(((named(row)["activity_key"],), None))
        elif source.several:
            made = items(row) or []
            found |= {((row["estimate_id"], str(one["job_type_number"])), None) for one in made}
        else:
            found.add(((row[source.key[0]],), None))
    return Live({(key, None) for key, _ in found}, dated=False)
