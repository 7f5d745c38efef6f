"""Leads. https://developers.pipedrive.com/docs/api/v1/Leads

Two lists of v1, by offset: the open ones filter by `update_time`, the archived do not and are read
whole every time, after the open ones, so that who is archived meanwhile is met. A lead is deleted
for good, or becomes a deal: then it is in neither list, and a full read asks for it. Custom fields
are those of the deals, and stand beside the lead's own.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.delta import Everything
from crm_sync_assets.clients.rest.source import Sweep
from crm_sync_assets.crms.pipedrive.entities.shared import COMMON
from crm_sync_assets.crms.pipedrive.sources import CHANGED_SINCE, PAGE, tokens, v1
from crm_sync_assets.declarations.columns import boolean, date, decimal, each, integer, json, text
from crm_sync_assets.declarations.entity import Entity, Resweep

LEADS = Entity(
    "pipedrive.leads",
    about="Leads: what may become a deal.",
    source=v1(
        "leads",
        delta=CHANGED_SINCE,
        params={"sort": "add_time ASC"},
        sweeps=(
            Sweep("open"),
            Sweep("archived", "/api/v1/leads/archived", delta=Everything(), cost=tokens(40)),
        ),
        page=f"{PAGE}leads/inbox/{{id}}",
        list_page=f"{PAGE}leads/inbox",
    ),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_lead",
    columns=(
        text("id", key=True),
        *each(text, "title source_name origin origin_id channel_id cc_email visible_to"),
        text("value_currency", at="value.currency"),
        decimal("value_amount", at="value.amount"),
        *each(integer, "owner_id creator_id person_id organization_id next_activity_id"),
        *each(integer, "source_deal_id channel"),
        date("expected_close_date"),
        *each(boolean, "is_archived was_seen"),
        json("label_ids"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id", "person_id", "organization_id"),
)
