"""Campaigns. Their sums and counts are calculated: `crm-sync refresh` reads those again."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES, OWNED_BY_USERS
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, date, decimal, each, integer, text
from crm_sync_assets.declarations.entity import Entity

CAMPAIGNS = Entity(
    "salesforce.campaigns",
    about="What is done so that leads come.",
    source=SObject("Campaign"),
    table="salesforce_campaign",
    columns=(
        ID,
        *each(text, "parent_id owner_id name type status description", spelled=pascal),
        *each(date, "start_date end_date", spelled=pascal),
        *each(decimal, "expected_revenue budgeted_cost actual_cost", spelled=pascal),
        *each(decimal, "amount_all_opportunities amount_won_opportunities", spelled=pascal),
        *each(decimal, "number_sent expected_response", spelled=pascal),
        *each(integer, "number_of_leads number_of_contacts number_of_responses", spelled=pascal),
        *each(integer, "number_of_opportunities number_of_won_opportunities", spelled=pascal),
        boolean("is_active", at="IsActive"),
        *COMMON,
    ),
    indexes=("owner_id", *INDEXES),
    refers=OWNED_BY_USERS,
)
