"""What the tables must hold, by what Genius's sandbox has."""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`. The moments are in the database's own zone: keys alone."""
    if not isinstance(entity.source, Table):
        return None
    # MySQL does not tell `Id` from `id`.
    names = [column.path("").lower() for column in entity.key]
    rows = [{name.lower(): value for name, value in row.items()} for row in ask(entity.source.name)]
    return Live({(tuple(str(row[name]) for name in names), None) for row in rows}, dated=False)
