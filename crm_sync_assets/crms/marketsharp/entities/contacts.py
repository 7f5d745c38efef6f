"""People and businesses: prospects, leads and customers."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.entities.shared import CONTACT
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.entity import Entity

CONTACTS = Entity(
    "marketsharp.contacts",
    about="People and businesses: prospects, leads and customers.",
    source=dated("Contacts"),
    table="marketsharp_contact",
    columns=CONTACT,
    indexes=("last_update", "email1"),
    clock_steps_back=STEP_BACK,
)
