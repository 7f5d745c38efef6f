"""Which contacts HubSpot no longer has, asked id by id.

https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/get-contacts

Records that were deleted for good appear in no list. The batch read names them; it answers 207 as
soon as one id is missing, which says nothing about the other ninety-nine.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.sources import Removal
from crm_sync_assets.declarations.columns import object_id
from crm_sync_assets.declarations.entity import Entity

CONTACTS_REMOVAL = Entity(
    "hubspot.contacts_removal",
    about="Marks contacts as deleted that HubSpot no longer has.",
    source=Removal("contacts", "hubspot_contact"),
    table="hubspot_contact",
    columns=(object_id("id", key=True),),
    absent="kept",
    tombstones="found",
    tombstones_of="hubspot.contacts",
    after=("hubspot.contacts",),
    in_all=False,
)
