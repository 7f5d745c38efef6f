"""Pipedrive as the sandbox plays it: its data, its rules, its wire format."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.pipedrive.crm import Pipedrive
from crm_sync_assets.sandbox.crms.pipedrive.knobs import PipedriveKnobs

CRM = Entry(
    "pipedrive",
    Pipedrive,
    knobs=PipedriveKnobs,
    options=(
        Option("pipedrive_deals", 60, "deals of Pipedrive that are not deleted", int, "N"),
        # Of the deals and leads each so-manieth is archived; 0: none is.
        Option("pipedrive_archived_every", 9),
    ),
)
