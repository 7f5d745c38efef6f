"""How Arrivy's API is reached."""

from __future__ import annotations

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header, Headers
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.crms.arrivy.variables import AUTH_KEY, AUTH_TOKEN, BASE_URL

API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Headers(Header("X-Auth-Key", AUTH_KEY), Header("X-Auth-Token", AUTH_TOKEN)),
    probe="/users/profile",
    account="owner",
    named="fullname",
    windows=("minute", "hour"),
    dialect=Patient("minute"),
)
