"""What MarketSharp's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

COMPANY_ID = Variable(
    "MARKETSHARP_COMPANY_ID", "the company's id, as MarketSharp's support gives it", example="1234"
)
API_KEY = Variable("MARKETSHARP_API_KEY", "the user key that goes with it", secret=True)
SECRET_KEY = Variable(
    "MARKETSHARP_SECRET_KEY", "the secret key, which signs requests and is never sent", secret=True
)
BASE_URL = optional(
    "MARKETSHARP_BASE_URL",
    "where MarketSharp's data service is",
    "https://api4.marketsharpm.com/WcfDataService.svc",
)
TIME_ZONE = optional(
    "MARKETSHARP_TIME_ZONE",
    "the zone that MarketSharp's clocks show, like America/New_York (its times do not say)",
    "UTC",
)

VARIABLES = (COMPANY_ID, API_KEY, SECRET_KEY, BASE_URL, TIME_ZONE)
