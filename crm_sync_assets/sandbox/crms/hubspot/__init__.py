"""HubSpot as the sandbox plays it: its data, its rules, its wire format."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.hubspot.crm import HubSpot
from crm_sync_assets.sandbox.crms.hubspot.knobs import HubSpotKnobs

CRM = Entry(
    "hubspot",
    HubSpot,
    knobs=HubSpotKnobs,
    options=(
        # The other types follow the contacts unless `counts` names them.
        Option("contacts", 500, "live contacts to begin with", int),
        Option("counts"),
    ),
)
