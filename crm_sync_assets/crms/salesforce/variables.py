"""What Salesforce's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

APP = "of a connected app or an external client app"
CREDENTIALS, REFRESH, JWT = "client credentials", "refresh token", "JWT"

LOGIN_URL = optional(
    "SALESFORCE_LOGIN_URL",
    "where tokens come from: your My Domain, https://login.salesforce.com or, for a sandbox, "
    "https://test.salesforce.com",
    "https://login.salesforce.com",
)
CLIENT_ID = Variable("SALESFORCE_CLIENT_ID", f"the consumer key {APP}")
CLIENT_SECRET = Variable(
    "SALESFORCE_CLIENT_SECRET", f"the consumer secret {APP}", secret=True, way=CREDENTIALS
)
REFRESH_TOKEN = Variable(
    "SALESFORCE_REFRESH_TOKEN",
    "a refresh token of that app, beside its key and secret",
    secret=True,
    required=False,
)
USERNAME = Variable(
    "SALESFORCE_USERNAME", "the user for whom a signed JWT asks, in place of a secret", way=JWT
)
PRIVATE_KEY = Variable(
    "SALESFORCE_PRIVATE_KEY",
    "the private key (PEM) of the app's certificate, which signs it",
    secret=True,
    way=JWT,
)
API_VERSION = optional("SALESFORCE_API_VERSION", "the version of the API", "v67.0")
OBJECTS = optional(
    "CRM_SYNC_SALESFORCE_OBJECTS",
    "other objects to read, by their API names, like Invoice__c,Asset",
)

VARIABLES = (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    USERNAME,
    PRIVATE_KEY,
    LOGIN_URL,
    API_VERSION,
    OBJECTS,
)
