"""Stages. https://developers.pipedrive.com/docs/api/v1/Stages

There are few of them, and the list cannot be asked for what changed: it is read whole.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.delta import Everything
from crm_sync_assets.crms.pipedrive.entities.shared import ID, IS_DELETED, TIMES
from crm_sync_assets.crms.pipedrive.sources import tokens, v2
from crm_sync_assets.declarations.columns import boolean, each, integer, text
from crm_sync_assets.declarations.entity import Entity

STAGES = Entity(
    "pipedrive.stages",
    about="The stages of the pipelines.",
    source=v2("stages", delta=Everything(), many=None, again=True, cost=tokens(5)),
    table="pipedrive_stage",
    columns=(
        ID,
        text("name"),
        *each(integer, "pipeline_id order_nr deal_probability days_to_rotten"),
        boolean("is_deal_rot_enabled"),
        IS_DELETED,
        *TIMES,
    ),
    indexes=("pipeline_id",),
)
