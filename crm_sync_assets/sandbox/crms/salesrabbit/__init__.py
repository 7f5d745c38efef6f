"""SalesRabbit: leads with the statuses they had, and users."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.salesrabbit.crm import SalesRabbit
from crm_sync_assets.sandbox.crms.salesrabbit.knobs import SalesRabbitKnobs

CRM = Entry(
    "salesrabbit",
    SalesRabbit,
    knobs=SalesRabbitKnobs,
    options=(
        Option("salesrabbit_leads", 90, "leads of SalesRabbit", int, "N"),
        Option("salesrabbit_users", 25),
    ),
)
