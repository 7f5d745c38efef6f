"""Pipeline stages. https://developers.hubspot.com/docs/api-reference/crm-pipelines-v3/guide

A stage's id is unique within its pipeline. `metadata` holds the probability of a deal's stage.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.declarations.columns import boolean, integer, json, text, timestamp
from crm_sync_assets.declarations.entity import Entity

PIPELINE_STAGES = Entity(
    "hubspot.pipeline_stages",
    about="The stages of each pipeline, in their order.",
    source=directory.STAGES,
    table="hubspot_pipeline_stage",
    columns=(
        text("object_type", at="objectType", key=True),
        text("pipeline_id", at="pipelineId", key=True),
        text("id", key=True),
        text("label"),
        integer("display_order", at="displayOrder"),
        json("metadata"),
        timestamp("created_at", at="createdAt"),
        timestamp("updated_at", at="updatedAt"),
        boolean("archived", default=False),
    ),
)
