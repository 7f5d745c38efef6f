"""What marketing spent, one sheet for all years: a row is a day of a campaign."""

from __future__ import annotations

from crm_sync_assets.crms.gsheet.sources import Sheet, sheet
from crm_sync_assets.crms.gsheet.variables import SPENDS
from crm_sync_assets.declarations.columns import date, decimal, each, text

MARKETING_SPENDS = sheet(
    "gsheet.marketing_spends",
    about="What marketing spent, by day, division, channel and campaign.",
    source=Sheet(
        SPENDS.name,
        "All Marketing Spend",
        key=("spend_date", "division", "channel", "campaign", "campaign_id", "campaign_type"),
        headers={
            "spend_date": "Date",
            "campaign_id": "Campaign ID",
            "campaign_type": "Campaign Type",
        },
    ),
    table="gsheet_marketing_spend",
    columns=(
        date("spend_date"),
        decimal("cost"),
        *each(text, "division channel campaign campaign_id campaign_type"),
        *each(date, "event_start_date event_end_date"),
        *each(decimal, "event_fee event_labor_cost"),
    ),
    indexes=("spend_date",),
)
