"""Opportunities. Amounts are in the record's own currency, as sent."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES, OWNED_BY_USERS
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, date, decimal, each, integer, text
from crm_sync_assets.declarations.entity import Entity

OPPORTUNITIES = Entity(
    "salesforce.opportunities",
    about="Sales that may be made.",
    source=SObject("Opportunity"),
    table="salesforce_opportunity",
    columns=(
        ID,
        *each(text, "account_id contact_id campaign_id owner_id", spelled=pascal),
        *each(text, "name description stage_name type next_step lead_source", spelled=pascal),
        text("forecast_category_name", at="ForecastCategoryName"),
        *each(decimal, "amount expected_revenue probability", spelled=pascal),
        date("close_date", at="CloseDate"),
        *each(boolean, "is_closed is_won", spelled=pascal),
        *each(integer, "fiscal_year fiscal_quarter", spelled=pascal),
        *COMMON,
    ),
    indexes=("account_id", "stage_name", "close_date", *INDEXES),
    refers=OWNED_BY_USERS,
)
