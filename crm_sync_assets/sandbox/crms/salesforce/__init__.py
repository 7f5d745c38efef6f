"""Salesforce as the sandbox plays it: its data, its rules, its wire format."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.salesforce.crm import Salesforce
from crm_sync_assets.sandbox.crms.salesforce.knobs import SalesforceKnobs

CRM = Entry(
    "salesforce",
    Salesforce,
    knobs=SalesforceKnobs,
    options=(
        Option("salesforce_contacts", 60, "contacts of Salesforce that are not deleted", int, "N"),
    ),
)
