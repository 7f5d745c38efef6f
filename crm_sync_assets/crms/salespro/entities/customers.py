"""Customers, each of one estimate."""

from __future__ import annotations

from crm_sync_assets.crms.salespro.columns import exact
from crm_sync_assets.crms.salespro.sources import moments, table
from crm_sync_assets.declarations.columns import each, text
from crm_sync_assets.declarations.entity import Entity

CUSTOMERS = Entity(
    "salespro.customers",
    about="Customers, and the estimate that each is of.",
    source=table("customer", "customer_id"),
    table="salespro_customer",
    columns=(
        text("customer_id", key=True),
        *each(exact, "estimate_id company_id company_name"),
        *each(exact, "customer_first_name customer_last_name", sensitive=True),
        *each(exact, "crm_source crm_source_id"),
        *moments(),
    ),
    indexes=("estimate_id", "crm_source_id"),
)
