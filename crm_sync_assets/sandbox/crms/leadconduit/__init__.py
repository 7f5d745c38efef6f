"""LeadConduit: events of leads, which are all there is."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.leadconduit.crm import LeadConduit
from crm_sync_assets.sandbox.crms.leadconduit.knobs import LeadConduitKnobs

CRM = Entry(
    "leadconduit",
    LeadConduit,
    knobs=LeadConduitKnobs,
    options=(Option("leadconduit_leads", 80, "leads of LeadConduit", int, "N"),),
)
