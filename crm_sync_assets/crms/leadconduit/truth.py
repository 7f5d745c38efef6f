"""What the tables must hold, by what LeadConduit's sandbox has."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    rows = ask(entity.sync_type)
    return Live({((row["id"],), _moment(row["ended"])) for row in rows}, dated=True)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
