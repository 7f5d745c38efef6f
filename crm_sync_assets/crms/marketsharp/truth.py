"""What the tables must hold, by what MarketSharp's sandbox has."""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    source = entity.source
    assert isinstance(source, Rest)
    rows = [row for row in ask(source.path.lstrip("/")) if row["state"] == "live"]
    return Live(
        {(tuple(row["key"]), timestamp(row["modified"])) for row in rows},
        dated=source.modified is not None,
    )
