"""What the tables must hold, by what SalesPro's sandbox has."""

from __future__ import annotations

from datetime import datetime

from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.crms.salespro.entities.user_activities import named
from crm_sync_assets.crms.salespro.leadresults import items
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`. Of a form that cannot be read no jobs are known, and none count."""
    source = entity.source
    what = source.name if isinstance(source, Table) else entity.sync_type
    found = set[tuple[Key, datetime | None]]()
    for row in ask(what):
        moment = timestamp(row[source.modified]) if source.modified else None
        found |= {(key, moment) for key in _keys(entity, row)}
    return Live(found, dated=True)


def _keys(entity: Entity, row: Record) -> list[Key]:
    source = entity.source
    if not isinstance(source, Table):
        return [(row["objectId"],)]
    if entity.sync_type == "user_activities":
        return [(named(row)["activity_key"],)]
    if source.several is not None:
        return [source.several.key_of(one) for one in items(row) or []]
    return [(row[source.key[0]],)]
