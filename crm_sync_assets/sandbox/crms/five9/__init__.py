"""Five9: contacts of one domain, its lists and its reports, by SOAP."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.five9.crm import Five9
from crm_sync_assets.sandbox.crms.five9.knobs import Five9Knobs

CRM = Entry(
    "five9",
    Five9,
    knobs=Five9Knobs,
    options=(Option("five9_contacts", 80, "contacts of Five9", int, "N"),),
)
