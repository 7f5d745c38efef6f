"""What the tables must hold, by what LeadConduit's sandbox has."""

from __future__ import annotations

from crm_sync_assets.crms.leadconduit.events import recorded
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    rows = ask(entity.sync_type)
    return Live({((row["id"],), recorded(row["outcome"])) for row in rows}, dated=True)
