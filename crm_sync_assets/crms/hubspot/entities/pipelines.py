"""Pipelines. https://developers.hubspot.com/docs/api-reference/crm-pipelines-v3/guide

Ids are unique within an object type only: every type may have a `default`. Built-in pipelines say
they were created in 1970.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.declarations.columns import boolean, camel, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

PIPELINES = Entity(
    "hubspot.pipelines",
    about="Pipelines of deals, tickets and appointments.",
    source=directory.PIPELINES,
    table="hubspot_pipeline",
    columns=(
        text("object_type", at="objectType", key=True),
        text("id", key=True),
        text("label"),
        *each(integer, "display_order", spelled=camel),
        *each(timestamp, "created_at updated_at", spelled=camel),
        boolean("archived", default=False),
    ),
)
