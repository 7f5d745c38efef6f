"""Pipelines. https://developers.pipedrive.com/docs/api/v1/Pipelines

There are few of them, and the list cannot be asked for what changed: it is read whole.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.delta import Everything
from crm_sync_assets.crms.pipedrive.entities.shared import ID, IS_DELETED, TIMES
from crm_sync_assets.crms.pipedrive.sources import PAGE, tokens, v2
from crm_sync_assets.declarations.columns import boolean, integer, text
from crm_sync_assets.declarations.entity import Entity

PIPELINES = Entity(
    "pipedrive.pipelines",
    about="The pipelines that deals go through.",
    source=v2(
        "pipelines",
        delta=Everything(),
        many=None,
        again=True,
        cost=tokens(5),
        page=f"{PAGE}pipeline/{{id}}",
    ),
    table="pipedrive_pipeline",
    columns=(
        ID,
        text("name"),
        integer("order_nr"),
        boolean("is_deal_probability_enabled"),
        IS_DELETED,
        *TIMES,
    ),
)
