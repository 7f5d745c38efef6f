"""How LeadConduit's API is reached."""

from __future__ import annotations

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Basic
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.crms.leadconduit.variables import API_KEY, BASE_URL

API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Basic("API", API_KEY),
    probe="/events?limit=1",
    windows=("minute",),
    dialect=Patient("minute"),
)
