"""What SalesRabbit's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

TOKEN = Variable(
    "SALESRABBIT_TOKEN",
    "the API token that an admin makes under Integrations, API, for the whole organisation",
    secret=True,
)
BASE_URL = optional("SALESRABBIT_BASE_URL", "where SalesRabbit is", "https://api.salesrabbit.com")

WEBHOOK_TOKEN = optional(
    "SALESRABBIT_WEBHOOK_TOKEN",
    "the secret in the address (?token=) or header X-Webhook-Token of its webhooks",
    secret=True,
)

VARIABLES = (TOKEN, BASE_URL, WEBHOOK_TOKEN)
