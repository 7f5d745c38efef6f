"""SalesPro: a data lake's tables behind Athena, and two files on a web server."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.salespro.crm import SalesPro
from crm_sync_assets.sandbox.crms.salespro.knobs import SalesProKnobs

CRM = Entry(
    "salespro",
    SalesPro,
    knobs=SalesProKnobs,
    options=(
        Option("salespro_rows", 60, "rows of each of SalesPro's tables", int, "N"),
        Option("salespro_users", 20),
    ),
)
