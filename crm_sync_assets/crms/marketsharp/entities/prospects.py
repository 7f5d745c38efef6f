"""Contacts that are prospects."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.entities.shared import CONTACT
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.entity import Entity

# Who becomes something else leaves this set: a complete read finds that out, and no delta. That is
# what is wanted of most, so many may be gone at once.
PROSPECTS = Entity(
    "marketsharp.prospects",
    about="Contacts that are prospects.",
    source=dated("Prospects"),
    table="marketsharp_prospect",
    columns=CONTACT,
    vanish_limit=0.5,
    indexes=("last_update", "email1"),
    clock_steps_back=STEP_BACK,
)
