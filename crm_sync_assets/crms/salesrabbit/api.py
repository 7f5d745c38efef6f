"""How SalesRabbit's API is reached."""

from __future__ import annotations

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Bearer
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.crms.salesrabbit.variables import BASE_URL, TOKEN

API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Bearer(TOKEN),
    probe="/leadStatuses",
    windows=("second",),
    dialect=Patient("second"),
)
