"""Service accounts: the JSON of one, and what a signed JWT is worth."""

import base64
import binascii
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

EMAIL = "sync@sandbox.iam.gserviceaccount.com"
GOOGLES = "https://oauth2.googleapis.com/token"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST = 3_600
SKEW = 300


class Invalid(ValueError):
    """A grant that is refused; `code` is OAuth's."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@cache
def _key() -> RSAPrivateKey:
    """One for the whole process: it takes a while to find."""
    return generate_private_key(65_537, 2_048)


def account(token_uri: str) -> str:
    """The JSON of the service account, in one line."""
    pem = _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": token_uri,
        }
    )


def verify(form: Mapping[str, str], audience: str) -> None:
    """Raises Invalid for what grants nothing. By real time, which is when it was signed."""
    if form.get("grant_type") != GRANT_TYPE:
        raise Invalid("unsupported_grant_type", "Invalid grant_type")
    head, claims, signed, signature = _parts(form.get("assertion") or "")
    if head.get("alg") != "RS256":
        raise Invalid("invalid_grant", "Invalid JWT: only RS256 is taken")
    try:
        _key().public_key().verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Invalid("invalid_grant", "Invalid JWT Signature.") from None
    if claims.get("iss") != EMAIL:
        raise Invalid("invalid_grant", "Invalid grant: account not found")
    if claims.get("aud") not in (audience, GOOGLES):
        raise Invalid("invalid_grant", "Invalid JWT: Failed audience check.")
    if "spreadsheets" not in str(claims.get("scope")):
        raise Invalid("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    begun, ends = _moment(claims, "iat"), _moment(claims, "exp")
    now = time.time()
    if not (begun - SKEW <= now <= ends + SKEW and 0 < ends - begun <= LONGEST):
        raise Invalid(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
            "timeframe. Check your iat and exp values in the JWT claim.",
        )


def _parts(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    try:
        head, claims, signature = assertion.split(".")
        return (
            json.loads(_decoded(head)),
            json.loads(_decoded(claims)),
            f"{head}.{claims}".encode(),
            _decoded(signature),
        )
    except (ValueError, binascii.Error):
        raise Invalid("invalid_grant", "Invalid JWT: it has not three parts") from None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if not isinstance(found, int | float):
        raise Invalid("invalid_grant", f"Invalid JWT: {name} is missing")
    return float(found)
