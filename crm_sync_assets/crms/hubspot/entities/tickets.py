"""Tickets. https://developers.hubspot.com/docs/api-reference/crm-tickets-v3/guide

Needs the scope `tickets`, not a `crm.objects` one.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

TICKETS = Entity(
    "hubspot.tickets",
    about="Service tickets and how far along each is.",
    source=Objects("tickets"),
    table="hubspot_ticket",
    columns=(
        *ID,
        *each(text, "subject content hs_pipeline hs_pipeline_stage hs_ticket_priority"),
        *each(text, "hs_ticket_category hubspot_owner_id"),
        *each(timestamp, "createdate closed_date hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_pipeline_stage"),
    merged_ids=MERGED,
)
