"""What the tables must hold, by what CallRail's sandbox has."""

from __future__ import annotations

from datetime import datetime

from crm_sync_assets.crms.callrail.entities.text_messages import messages_of
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`. What is kept when it is listed no more is live for ever."""
    name = "conversations" if entity.sync_type == "text_messages" else entity.sync_type
    found = set[tuple[Key, datetime | None]]()
    for one in ask(name):
        if entity.absent != "kept" and one["state"] != "live":
            continue
        if entity.source.windowed_by is not None and not one["shown"]:
            continue
        if name == "conversations":
            said = messages_of({"id": one["id"], "messages": one["messages"]})
            found |= {((str(message["id"]),), None) for message in said}
        else:
            found.add(((one["id"],), None))
    return Live(found, dated=False)
