"""What SalesRabbit's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

TOKEN = Variable(
    "SALESRABBIT_TOKEN",
    "the API token that an admin makes under Integrations, API, for the whole organisation",
    secret=True,
)
BASE_URL = optional("SALESRABBIT_BASE_URL", "where SalesRabbit is", "https://api.salesrabbit.com")

VARIABLES = (TOKEN, BASE_URL)
