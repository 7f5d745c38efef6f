"""What came of a visit: the form that a salesperson fills in, one column for each title."""

from __future__ import annotations

from crm_sync_assets.crms.salespro.columns import exact
from crm_sync_assets.crms.salespro.leadresults import flat, unreadable
from crm_sync_assets.crms.salespro.sources import moments, table
from crm_sync_assets.crms.salespro.titles import AMOUNTS, ANSWERS, NOTES, TEXTS
from crm_sync_assets.declarations.columns import boolean, decimal, each, json, text
from crm_sync_assets.declarations.entity import Entity

SELECT = ("estimate_id", "company_id", "lead_results", "created_at", "updated_at")

LEAD_RESULTS = Entity(
    "salespro.lead_results",
    about="What came of visits. Titles that no column is named after are in lead_results_raw.",
    source=table("lead_results", "estimate_id", select=SELECT, make=flat),
    table="salespro_lead_result",
    columns=(
        text("estimate_id", key=True),
        exact("company_id"),
        *each(text, " ".join(TEXTS)),
        text("status_bucket", about="the tag that appointment_result begins with"),
        *each(boolean, " ".join(ANSWERS)),
        *each(decimal, " ".join(AMOUNTS)),
        *each(text, " ".join(NOTES), sensitive=True),
        json("lead_results_raw", sensitive=True, about="the whole form, as it came"),
        *moments(),
    ),
    indexes=("company_id", "appointment_result", "status_bucket", "job_size"),
    rules=(unreadable,),
)
