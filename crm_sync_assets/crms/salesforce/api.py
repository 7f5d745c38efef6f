"""How Salesforce's API is reached: first where tokens come from, then where their answer says."""

from __future__ import annotations

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.crms.salesforce.grants import KIND
from crm_sync_assets.crms.salesforce.variables import LOGIN_URL

API = Api(
    str(LOGIN_URL.default),
    base_variable=LOGIN_URL.name,
    auth=KIND,
    probe="/services/oauth2/userinfo",
)
