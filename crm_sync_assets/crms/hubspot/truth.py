"""What the tables of objects and associations must hold, by what HubSpot's sandbox has."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sync_assets.crms.hubspot.sources import Associations, Objects
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`; None for what is neither an object nor an association."""
    source = entity.source
    if isinstance(source, Objects):
        records = [record for record in ask(source.type) if record["state"] == "live"]
        name = source.modified or ""
        return Live({((r["id"],), _moment(r["properties"].get(name))) for r in records}, dated=True)
    if isinstance(source, Associations):
        pairs = ask(f"associations/{source.of}/{source.to}")
        return Live({((pair["from"], pair["to"]), None) for pair in pairs}, dated=False)
    return None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
