"""Estimates: what was offered to a customer, by whom, and whether it was sold."""

from __future__ import annotations

from crm_sync_assets.crms.salespro.columns import exact, flag
from crm_sync_assets.crms.salespro.sources import moments, table
from crm_sync_assets.declarations.columns import decimal, each, integer, text
from crm_sync_assets.declarations.entity import Entity

ESTIMATES = Entity(
    "salespro.estimates",
    about="Estimates with their sales.",
    source=table("estimate", "estimate_id"),
    table="salespro_estimate",
    columns=(
        text("estimate_id", key=True),
        *each(exact, "company_id company_name office_id office_name"),
        *each(exact, "sales_rep_id sales_rep_first_name sales_rep_last_name"),
        exact("customer_id"),
        *each(exact, "customer_first_name customer_last_name street_address", sensitive=True),
        *each(exact, "city state zip_code job_type"),
        *each(flag, "is_sale has_credit_app"),
        *each(decimal, "sale_amount finance_amount down_payment"),
        *each(exact, "bank_name loan_name"),
        integer("document_count"),
        *moments(),
    ),
    indexes=("customer_id", "office_id", "sales_rep_id"),
)
