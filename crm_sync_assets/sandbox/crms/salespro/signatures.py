"""Signatures of AWS, Version 4: whether a request bears the right one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

SERVICE = "athena"
SKEW_SECONDS = 15 * 60
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>\w+)"
    r"/aws4_request, ?SignedHeaders=(?P<names>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Unsigned(Exception):
    """A request that is not let in; `kind` is the type of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def access_key_of(request: Request) -> str:
    """Whose request it is, by what it says. Unsigned for one that says nothing."""
    return _parts(request)["key"]


def verify(request: Request, raw: bytes, key: str, secret: str, region: str) -> None:
    """By real time, in which it was signed. Raises Unsigned."""
    parts = _parts(request)
    if parts["key"] != key:
        raise Unsigned(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    stamp = request.headers.get("x-amz-date") or ""
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Unsigned(
            "IncompleteSignatureException", "Authorization header requires 'X-Amz-Date'."
        ) from None
    age = (datetime.now(UTC) - signed).total_seconds()
    if abs(age) > SKEW_SECONDS:
        raise Unsigned(
            "InvalidSignatureException", f"Signature expired: {stamp} is {age:.0f} s old"
        )
    names = parts["names"].split(";")
    scope = f"{parts['day']}/{parts['region']}/{parts['service']}/aws4_request"
    wanted = _signature(request, raw, names, stamp, scope, secret)
    is_ours = (parts["region"], parts["service"]) == (region, SERVICE) and "host" in names
    if not is_ours or not hmac.compare_digest(wanted, parts["signature"]):
        raise Unsigned(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method.",
        )


def _parts(request: Request) -> dict[str, str]:
    header = request.headers.get("authorization")
    if header is None:
        raise Unsigned("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _HEADER.fullmatch(header.strip())
    if found is None:
        raise Unsigned(
            "IncompleteSignatureException", "Authorization header is not as it should be"
        )
    return found.groupdict()


def _signature(
    request: Request, raw: bytes, names: list[str], stamp: str, scope: str, secret: str
) -> str:
    path = quote(request.scope["path"], safe="/~")
    query = "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}"
        for name, value in sorted(parse_qsl(request.scope["query_string"].decode()))
    )
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names
    )
    hashed = hashlib.sha256(raw).hexdigest()
    canonical = "\n".join([request.method, path, query, headers, ";".join(names), hashed])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
