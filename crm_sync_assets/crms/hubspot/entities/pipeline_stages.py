"""Pipeline stages. https://developers.hubspot.com/docs/api-reference/crm-pipelines-v3/guide

A stage's id is unique within its pipeline. `metadata` holds the probability of a deal's stage.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.declarations.columns import (
    boolean,
    camel,
    each,
    integer,
    json,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity

PIPELINE_STAGES = Entity(
    "hubspot.pipeline_stages",
    about="The stages of each pipeline, in their order.",
    source=directory.STAGES,
    table="hubspot_pipeline_stage",
    columns=(
        *each(text, "object_type pipeline_id", spelled=camel, key=True),
        text("id", key=True),
        text("label"),
        *each(integer, "display_order", spelled=camel),
        json("metadata"),
        *each(timestamp, "created_at updated_at", spelled=camel),
        boolean("archived", default=False),
    ),
)
