"""Which appointments HubSpot no longer has, asked id by id.

https://developers.hubspot.com/docs/api-reference/crm-appointments-v3/batch/get-appointments

Records that were deleted for good appear in no list. The batch read names them; it answers 207 as
soon as one id is missing, which says nothing about the other ninety-nine.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.sources import Removal
from crm_sync_assets.declarations.columns import object_id
from crm_sync_assets.declarations.entity import Entity

APPOINTMENTS_REMOVAL = Entity(
    "hubspot.appointments_removal",
    about="Marks appointments as deleted that HubSpot no longer has.",
    source=Removal("appointments", "hubspot_appointment"),
    table="hubspot_appointment",
    columns=(object_id("id", key=True),),
    absent="kept",
    tombstones="found",
    tombstones_of="hubspot.appointments",
    after=("hubspot.appointments",),
    in_all=False,
)
