"""HubSpot's token endpoint: a refresh token for an access token, or why there is none.

https://developers.hubspot.com/docs/api-reference/latest/authentication/manage-oauth-tokens

A 400 alone says nothing about the refresh token: only what names it, the grant or the client does.
To authorise anew where HubSpot merely cannot answer would throw away a grant that works.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.oauth import Grant
from crm_sync_assets.errors import FatalError, Unauthorized
from crm_sync_assets.masking import masked

LIFETIME = 1_800.0
"""Seconds an access token lives where the answer does not say."""

REFUSED = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "unauthorized", "invalid_token"}
    | {"bad_refresh_token", "bad_client_id", "bad_client_secret", "bad_grant_type"}
)
_SAYS_SO = re.compile(r"(?i)refresh.?token|client.?(?:id|secret)|\bgrant\b|\brevoked\b")


def grant(tokens: Http, path: str, client_id: str, client_secret: str, refresh: str) -> Grant:
    """The answer to a refresh. Raises FatalError when it is refused, else what a request raises."""
    answer = tokens.session("hubspot: refreshing the OAuth token").post(
        path,
        form={
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh,
        },
        accept=(200, 400, 401),
        check=_no_object,
    )
    body: Mapping[str, Any] = answer.json
    if answer.status == 200:
        return Grant(body["access_token"], _lifetime(body), body.get("refresh_token") or None)
    said = masked(str(body.get("error_description") or body.get("message") or answer.status))
    if not _is_refused(body):
        raise FatalError(
            f"HubSpot did not refresh the OAuth token: {answer.request} answered {answer.status}: "
            f"{said}. Nothing says that the refresh token is at fault: run it again later, and "
            "report it to HubSpot if it stays."
        )
    raise Unauthorized(
        f"HubSpot refused to refresh the OAuth token: {said}. Authorise the app "
        "again and set HUBSPOT_REFRESH_TOKEN; check HUBSPOT_CLIENT_ID and _SECRET. "
        "(A refresh token may work only once: it is used up when a process dies, or "
        "the connection breaks, before the next one could be stored.)"
    )


def _no_object(body: Any) -> str | None:
    if not isinstance(body, dict):
        return "the answer is no object"
    is_error = any(
        name in body for name in ("status", "error", "error_description", "message", "category")
    )
    token = body.get("access_token")
    return None if is_error or (isinstance(token, str) and token) else "the answer has no token"


def _is_refused(body: Mapping[str, Any]) -> bool:
    named = {str(body.get(key)).lower() for key in ("error", "status", "subCategory")}
    texts = (body.get("error_description"), body.get("message"))
    return bool(named & REFUSED) or any(_SAYS_SO.search(str(text)) for text in texts if text)


def _lifetime(body: Mapping[str, Any]) -> float:
    try:
        seconds = float(body.get("expires_in") or LIFETIME)
    except (TypeError, ValueError):
        return LIFETIME
    return seconds if math.isfinite(seconds) and seconds > 0 else LIFETIME
