"""Credit applications of customers."""

from __future__ import annotations

from crm_sync_assets.crms.salespro.columns import exact
from crm_sync_assets.crms.salespro.sources import moments, table
from crm_sync_assets.declarations.columns import decimal, each, text
from crm_sync_assets.declarations.entity import Entity

CREDIT_APPLICATIONS = Entity(
    "salespro.credit_applications",
    about="Credit applications, and what became of them.",
    source=table("credit_applications", "leap_credit_app_id"),
    table="salespro_credit_application",
    columns=(
        text("leap_credit_app_id", key=True),
        *each(exact, "company_id company_name sales_rep_id customer_id"),
        *each(exact, "credit_app_vendor credit_app_vendor_id credit_app_status"),
        exact("credit_app_note", sensitive=True),
        decimal("credit_app_amount"),
        *moments(),
    ),
    indexes=("customer_id",),
)
