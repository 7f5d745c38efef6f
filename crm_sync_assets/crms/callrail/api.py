"""How CallRail's API is reached, and how it says no. https://apidocs.callrail.com"""

from __future__ import annotations

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.crms.callrail.sources import ACCOUNTS
from crm_sync_assets.crms.callrail.variables import API_KEY, BASE_URL

API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Header("Authorization", API_KEY, form='Token token="{}"'),
    probe="/a.json",
    members=ACCOUNTS,
    windows=("hour", "day"),
    # Error bodies are not documented. A 429 does not say how long; the shortest limit is an hour's.
    dialect=Patient("hour"),
)
