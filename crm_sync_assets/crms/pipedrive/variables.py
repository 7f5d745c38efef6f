"""What Pipedrive's credentials and address are read from."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

APP = "the three of an OAuth app, and no company: its tokens say where requests go"

TOKEN = Variable(
    "PIPEDRIVE_TOKEN", "the API token of a user who sees everything", secret=True, way="token"
)
COMPANY = Variable(
    "PIPEDRIVE_COMPANY",
    "what stands before .pipedrive.com in the company's address",
    example="acme",
    way="token",
)
CLIENT_ID = Variable("PIPEDRIVE_CLIENT_ID", APP, way="OAuth")
CLIENT_SECRET = Variable("PIPEDRIVE_CLIENT_SECRET", APP, secret=True, way="OAuth")
REFRESH_TOKEN = Variable("PIPEDRIVE_REFRESH_TOKEN", APP, secret=True, way="OAuth")
OAUTH_URL = optional(
    "PIPEDRIVE_OAUTH_URL", "where its tokens come from", "https://oauth.pipedrive.com"
)
BASE_URL = optional("PIPEDRIVE_BASE_URL", "another address than the company's")
WEBHOOK_USER = optional(
    "PIPEDRIVE_WEBHOOK_USER", "the user that its webhooks were given, as HTTP auth"
)
WEBHOOK_PASSWORD = optional(
    "PIPEDRIVE_WEBHOOK_PASSWORD", "the password that its webhooks were given", secret=True
)

VARIABLES = (
    TOKEN,
    COMPANY,
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    OAUTH_URL,
    BASE_URL,
    WEBHOOK_USER,
    WEBHOOK_PASSWORD,
)
