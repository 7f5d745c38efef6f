"""What the tables must hold, by what Pipedrive's sandbox has."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sync_assets.crms.pipedrive.entities.fields import KINDS
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`."""
    if entity.sync_type == "fields":
        keys = {(kind, row["field_code"]) for kind in KINDS for row in ask(f"fields/{kind}")}
        return Live({(key, None) for key in keys}, dated=False)
    rows = [row for row in ask(entity.sync_type) if row["state"] == "live"]
    if entity.modified is None:
        return Live({((str(row["id"]),), None) for row in rows}, dated=False)
    name = entity.source.modified or ""
    return Live(
        {((str(r["id"]),), _moment(r.get("properties", r)[name])) for r in rows}, dated=True
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
