"""Tags. https://apidocs.callrail.com/#tags"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import listed
from crm_sync_assets.declarations.columns import each, json, text
from crm_sync_assets.declarations.entity import Entity, Record


def configuration(record: Record) -> dict[str, Any]:
    """What a tag is beside its name and colour."""
    names = ("tag_level", "status", "background_color", "created_at")
    return {name: record.get(name) for name in names}


# No delta: the list cannot be asked for what changed, and a deleted tag is told by nothing but its
# absence. It is asked for by its id before that is believed.
TAGS = Entity(
    "callrail.tags",
    about="Tags that calls, forms and texts are given.",
    source=listed("/a/{account}/tags.json", records="tags", one=One("/a/{account}/tags/{id}.json")),
    table="callrail_tag",
    columns=(
        text("id", key=True, about="a number at the source"),
        text("name", default=""),
        *each(text, "color company_id"),
        json("configuration", at=configuration),
    ),
)
