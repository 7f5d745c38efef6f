"""How Pipedrive is reached. https://pipedrive.readme.io/docs/core-api-concepts"""

from __future__ import annotations

from dataclasses import replace

from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Header, OAuth, OneOf
from crm_sync_assets.clients.rest.grants import RefreshToken
from crm_sync_assets.crms.pipedrive import variables
from crm_sync_assets.crms.pipedrive.dialect import PipedriveDialect
from crm_sync_assets.settings import Environment

TOKEN = Header("x-api-token", variables.TOKEN)
GRANT = OAuth(
    RefreshToken(
        variables.OAUTH_URL,
        variables.CLIENT_ID,
        variables.CLIENT_SECRET,
        variables.REFRESH_TOKEN,
        token_path="/oauth/token",
        in_header=True,
        base_url="api_domain",
        lifetime_seconds=3_600,
    )
)
API = Api(
    "https://{PIPEDRIVE_COMPANY}.pipedrive.com",
    variables.BASE_URL.name,
    auth=OneOf(TOKEN, GRANT),
    probe="/api/v1/users/me",
    account="data.company_id",
    named="data.company_name",
    fills=(variables.COMPANY,),
    windows=("burst", "daily"),
    dialect=PipedriveDialect(),
)


def api(environment: Environment) -> Api:
    """Without the company's name the tokens of an app say where its requests go."""
    if environment.get(variables.COMPANY.name) or not GRANT.is_set(environment):
        return API
    return replace(API, base="https://api.pipedrive.com", auth=GRANT, fills=())
