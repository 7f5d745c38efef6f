"""What the tables must hold, by what Arrivy's sandbox has."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    rows = [row for row in ask(entity.sync_type) if row["state"] == "live"]
    if entity.modified is None:
        return Live({((row["id"],), None) for row in rows}, dated=False)
    return Live({((row["id"],), _moment(row["record"]["updated"])) for row in rows}, dated=True)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
