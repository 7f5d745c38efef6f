"""What the tables must hold, by what Salesforce's sandbox has."""

from __future__ import annotations

from datetime import datetime

from crm_sync_assets.crms.salesforce.sources import SObject
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    source = entity.source
    assert isinstance(source, SObject)
    name = source.modified or ""
    records = [record for record in ask(source.name) if record["state"] == "live"]
    found: set[tuple[Key, datetime | None]] = {
        ((record["id"],), timestamp(record["properties"].get(name))) for record in records
    }
    return Live(found, dated=source.modified is not None)
