"""What Arrivy's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

AUTH_KEY = Variable("ARRIVY_AUTH_KEY", "the company account's X-Auth-Key", secret=True)
AUTH_TOKEN = Variable("ARRIVY_AUTH_TOKEN", "the X-Auth-Token that belongs to it", secret=True)
BASE_URL = optional("ARRIVY_BASE_URL", "where Arrivy is", "https://app.arrivy.com/api")
STATUS_HOURS = optional(
    "ARRIVY_STATUS_HOURS",
    "for how many hours a task's status is asked for by itself, as the list's may lag; 0: never",
    "48",
)

WEBHOOK_TOKEN = optional(
    "ARRIVY_WEBHOOK_TOKEN",
    "the value of the header X-Webhook-Token that its webhooks were given",
    secret=True,
)

VARIABLES = (AUTH_KEY, AUTH_TOKEN, BASE_URL, STATUS_HOURS, WEBHOOK_TOKEN)
