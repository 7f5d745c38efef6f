"""Payments of customers."""

from __future__ import annotations

from crm_sync_assets.crms.salespro.columns import exact, flag
from crm_sync_assets.crms.salespro.sources import moments, table
from crm_sync_assets.declarations.columns import decimal, each, text
from crm_sync_assets.declarations.entity import Entity

PAYMENTS = Entity(
    "salespro.payments",
    about="Payments of customers.",
    source=table("payments", "payment_id"),
    table="salespro_payment",
    columns=(
        text("payment_id", key=True),
        *each(exact, "company_id company_name customer_id payment_type payment_description"),
        decimal("payment_amount"),
        flag("payment_success"),
        *moments(),
    ),
    indexes=("customer_id",),
)
