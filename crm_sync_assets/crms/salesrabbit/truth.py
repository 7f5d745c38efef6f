"""What the tables must hold, by what SalesRabbit's sandbox has."""

from __future__ import annotations

from datetime import datetime

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    what = "histories" if entity.sync_type == "status_histories" else entity.sync_type
    modified = entity.source.modified or ""
    live = [row for row in ask(what) if row["state"] == "live"]
    return Live({(tuple(row["key"]), _moment(row["record"][modified])) for row in live}, dated=True)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
