"""What LeadConduit's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

API_KEY = Variable(
    "LEADCONDUIT_API_KEY",
    "the API key of a user of a paid account, which alone may read events",
    secret=True,
)
BASE_URL = optional("LEADCONDUIT_BASE_URL", "where LeadConduit is", "https://app.leadconduit.com")
TYPES_BY = optional(
    "LEADCONDUIT_TYPES_BY",
    "how events are asked for by their type: parameter, rules, or none where it refuses both",
    "parameter",
)

WEBHOOK_TOKEN = optional(
    "LEADCONDUIT_WEBHOOK_TOKEN",
    "the header X-Webhook-Token that the recipient step of its flows sends",
    secret=True,
)

VARIABLES = (API_KEY, BASE_URL, TYPES_BY, WEBHOOK_TOKEN)
