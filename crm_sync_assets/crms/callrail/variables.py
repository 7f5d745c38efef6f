"""What CallRail's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

API_KEY = Variable(
    "CALLRAIL_API_KEY", "the API key of a user who sees every account and company", secret=True
)
ACCOUNT_IDS = optional(
    "CALLRAIL_ACCOUNT_IDS", "ids of accounts, with commas, if not all that the key sees are wanted"
)
BASE_URL = optional("CALLRAIL_BASE_URL", "where CallRail is", "https://api.callrail.com/v3")
SIGNING_KEY = optional(
    "CALLRAIL_WEBHOOK_KEY",
    "the companies' signing keys, with commas, with which their webhooks are signed",
    secret=True,
)

VARIABLES = (API_KEY, ACCOUNT_IDS, BASE_URL, SIGNING_KEY)
