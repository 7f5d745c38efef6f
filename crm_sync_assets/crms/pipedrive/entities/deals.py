"""Deals. https://developers.pipedrive.com/docs/api/v1/Deals

Four lists: those at work, the archived, and of both what is in the bin. Each filters by
`update_time`, inclusive and exclusive, so the delta can be trusted for edits. A deal that is
archived while the first list is read is met in the second, which comes after it. The bin is emptied
after thirty days, so a longer gap needs a full read. Nobody says whether archiving, or a change of
what a deal is linked to, moves `update_time`: a full read finds what did not.
"""

from __future__ import annotations

from datetime import timedelta

from crm_sync_assets.clients.rest.source import Sweep
from crm_sync_assets.crms.pipedrive.entities.shared import COMMON, ID
from crm_sync_assets.crms.pipedrive.sources import BY_ID, PAGE, tokens, v2
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    integer,
    json,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity, Resweep

ARCHIVED = "/api/v2/deals/archived"
DELETED = {**BY_ID, "status": "deleted"}

DEALS = Entity(
    "pipedrive.deals",
    about="Deals: what is being sold to whom, for how much, and in which stage it is.",
    source=v2(
        "deals",
        sweeps=(
            Sweep("open"),
            Sweep("archived", ARCHIVED, cost=tokens(20)),
            Sweep("deleted", ask=DELETED, gone=True),
            Sweep("deleted archived", ARCHIVED, ask=DELETED, gone=True, cost=tokens(20)),
        ),
        page=f"{PAGE}deal/{{id}}",
        list_page=f"{PAGE}pipeline",
    ),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_deal",
    columns=(
        ID,
        *each(text, "title currency status lost_reason origin origin_id channel_id"),
        text("source_lead_id", about="only where the account's lists have it"),
        *each(integer, "creator_user_id owner_id person_id org_id pipeline_id stage_id"),
        decimal("value"),
        *each(decimal, "acv arr mrr", about="only with products that recur"),
        decimal("probability"),
        *each(integer, "visible_to channel"),
        boolean("is_archived"),
        *each(timestamp, "archive_time stage_change_time close_time won_time lost_time"),
        *each(date, "expected_close_date local_won_date local_lost_date local_close_date"),
        json("label_ids"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id"),
    # Thirty, less a day for a sync that takes long.
    feed_keeps=timedelta(days=29),
)
