"""How MarketSharp's data service is reached."""

from __future__ import annotations

from crm_sync_assets.clients.odata.feed import ATOM
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Signed
from crm_sync_assets.crms.marketsharp.dialect import Overloaded
from crm_sync_assets.crms.marketsharp.signing import sign
from crm_sync_assets.crms.marketsharp.variables import API_KEY, BASE_URL, COMPANY_ID, SECRET_KEY

API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Signed(sign, (COMPANY_ID, API_KEY, SECRET_KEY)),
    # The smallest set that there is of every company.
    probe="/Companies?$top=1",
    windows=("minute",),
    dialect=Overloaded(),
    format=ATOM,
)
