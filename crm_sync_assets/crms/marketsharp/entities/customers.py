"""Contacts that are customers."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.entities.shared import CONTACT
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.entity import Entity

# Who becomes something else leaves this set: a complete read finds that out, and no delta.
CUSTOMERS = Entity(
    "marketsharp.customers",
    about="Contacts that are customers.",
    source=dated("Customers"),
    table="marketsharp_customer",
    columns=CONTACT,
    indexes=("last_update", "email1"),
    clock_steps_back=STEP_BACK,
)
