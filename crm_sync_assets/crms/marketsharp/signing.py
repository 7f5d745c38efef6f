"""How a request to MarketSharp is signed: with the secret key, and the second it is sent in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from crm_sync_assets.clients.auth import Request
from crm_sync_assets.crms.marketsharp.variables import API_KEY, COMPANY_ID, SECRET_KEY
from crm_sync_assets.errors import UsageError


def sign(request: Request, values: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG001  all alike
    """The header of a request that is sent now."""
    company, key = values[COMPANY_ID.name], values[API_KEY.name]
    proof = authorization(company, key, decoded(values[SECRET_KEY.name]), int(time.time()))
    return {"Authorization": proof}


def authorization(company: str, key: str, secret: bytes, second: int) -> str:
    """The header's value; it has no word for its scheme."""
    message = f"{company}{key}{second}".encode()
    signature = base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
    return f"{company}:{key}:{second}:{signature}"


def decoded(secret: str) -> bytes:
    """The secret key's bytes. Raises UsageError for what is no base64."""
    try:
        return base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(
            f"{SECRET_KEY.name} is no base64: copy the secret key again, with the = at its end"
        ) from None
