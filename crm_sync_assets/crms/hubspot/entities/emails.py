"""Emails. https://developers.hubspot.com/docs/api-reference/crm-emails-v3/guide

The bodies need the scope `sales-email-read`. `hs_email_to_email` may list several
addresses, separated by `;`.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, email, id_list, text, timestamp
from crm_sync_assets.declarations.entity import Entity

EMAILS = Entity(
    "hubspot.emails",
    about="Emails sent from or logged in HubSpot.",
    source=Objects("emails", created="hs_createdate"),
    table="hubspot_engagement_email",
    columns=(
        *ID,
        *each(text, "hs_email_subject hs_email_direction hs_email_status hubspot_owner_id"),
        *each(text, "hs_email_text hs_email_html", sensitive=True),
        email("hs_email_from_email"),
        text("hs_email_to_email", sensitive=True),
        *each(timestamp, "hs_timestamp hs_createdate hs_lastmodifieddate"),
        id_list(MERGED),
        *REST,
    ),
    indexes=("hs_lastmodifieddate", "hs_timestamp"),
    merged_ids=MERGED,
)
