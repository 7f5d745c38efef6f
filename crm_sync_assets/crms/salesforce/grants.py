"""How Salesforce grants access tokens, and what it says when it does not.

There is no `expires_in`: a session ends so long after its last request, two hours unless the org
says otherwise. One that has ended is refused, and a new token is asked for once.
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.oauth import Grant
from crm_sync_assets.clients.rest.auth import OAuth, OneOf
from crm_sync_assets.clients.rest.grants import ClientCredentials, Granting, JwtBearer, RefreshToken
from crm_sync_assets.crms.salesforce.variables import (
    APP,
    CLIENT_ID,
    CLIENT_SECRET,
    LOGIN_URL,
    PRIVATE_KEY,
    REFRESH_TOKEN,
    USERNAME,
)
from crm_sync_assets.errors import FatalError, Unauthorized
from crm_sync_assets.masking import masked

PATH: Final = "/services/oauth2/token"
SESSION: Final = 7_200.0
"""Seconds."""
REFUSED: Final = frozenset(
    {"invalid_grant", "invalid_client", "invalid_client_id", "invalid_app_access"}
    | {"unauthorized_client", "inactive_user", "inactive_org", "unsupported_grant_type"}
)
OWN_DOMAIN: Final = (
    f"Client credentials are granted by the org's own My Domain alone: set {LOGIN_URL.name} to it, "
    "like https://acme.my.salesforce.com."
)


def granted(answer: Answer) -> Grant:
    """What an answer of the token endpoint grants; `instance_url` is where requests go.

    Raises Unauthorized for credentials that it refuses, FatalError for anything else.
    """
    body = answer.json
    token, instance = body.get("access_token"), body.get("instance_url")
    if answer.status == 200 and isinstance(token, str) and token and instance:
        return Grant(token, SESSION, body.get("refresh_token") or None, str(instance))
    error = str(body.get("error") or "")
    said = masked(str(body.get("error_description") or error or "no reason"))
    if error in REFUSED:
        names = ", ".join(dict.fromkeys(variable.name for variable in KIND.variables))
        own = f" {OWN_DOMAIN}" if "domain" in said.lower() else ""
        raise Unauthorized(
            f"Salesforce refused the credentials ({error}: {said}): check {names}.{own}"
        )
    raise FatalError(
        f"there is no access token: {answer.request} answered {answer.status}: {said}. Nothing "
        "says that the credentials are at fault: run it again later."
    )


REFRESHING: Granting = RefreshToken(
    LOGIN_URL,
    CLIENT_ID,
    CLIENT_SECRET,
    replace(REFRESH_TOKEN, required=True),
    token_path=PATH,
    interpret=granted,
    about=APP,
)
SIGNING: Granting = JwtBearer(
    LOGIN_URL,
    PRIVATE_KEY,
    issuer=CLIENT_ID,
    subject=USERNAME,
    audience=LOGIN_URL,
    # Three minutes are the most, by its clock.
    seconds=150,
    token_path=PATH,
    interpret=granted,
    about=APP,
)
OF_THE_APP: Granting = ClientCredentials(
    LOGIN_URL, CLIENT_ID, CLIENT_SECRET, token_path=PATH, interpret=granted, about=APP
)
KIND: Final = OneOf(OAuth(REFRESHING), OAuth(SIGNING), OAuth(OF_THE_APP))
"""A refresh token where there is one, else a signed JWT, else the app's own credentials."""
