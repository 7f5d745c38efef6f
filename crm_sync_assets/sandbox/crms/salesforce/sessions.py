"""Sessions, and the grants that begin them.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_endpoints.htm
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from crm_sync_assets.sandbox.auth import Grant, Tokens, basic, random_token
from crm_sync_assets.sandbox.calls import Answer, Call, Refusal, content_type
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salesforce.catalogue import SPECS
from crm_sync_assets.sandbox.crms.salesforce.knobs import SalesforceKnobs
from crm_sync_assets.sandbox.crms.salesforce.values import ADMIN, kind_of

ORG = SPECS["Organization"].ids.write(kind_of(SPECS["Organization"]).first_id)
CLIENT = ("3MVG9.sandbox.consumer.key", "sandbox-consumer-secret")
USERNAME, PASSWORD = "user0@acme.example.com", "secret-and-security-token"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
LONGEST_ASSERTION, SKEW = 180, 10


class Sessions(Tokens):
    """Tokens that live on with every call; the key that assertions are signed with."""

    def __init__(self, stage: Stage, knobs: SalesforceKnobs) -> None:
        self._own = knobs
        self._signature = hashlib.sha256(f"{stage.seed}/salesforce".encode()).hexdigest()[:40]
        self.refresh_token = f"5Aep861{self._signature}"
        super().__init__(stage, access=lambda: f"{ORG[:15]}!AR8AQ{random_token()[:40]}")

    def reset(self) -> None:
        super().reset()
        self.accept_refresh(self.refresh_token, ORG)

    def alive(self, token: str) -> Grant | None:
        """The session of a token, which this call prolongs; None once it is over."""
        grant = self.find(token)
        if grant is None or self.is_expired(grant):
            return None
        until = self._clock.now_ms() + round(self._knobs.token_lifetime * 1_000)
        with self._lock:
            self._grants[token] = grant = replace(grant, expires_at=until)
        return grant

    def end(self) -> None:
        """Every session is over; what they were begun with goes on."""
        with self._lock:
            self._grants.clear()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    def private_key(self) -> str:
        """The key whose public half the connected app has, as PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    # -- grants ----------------------------------------------------------------------------------

    def token(self, call: Call) -> Answer:
        """A session for a form. Refusal: an object with `error`, and 400 throughout."""
        if content_type(call.request) != "application/x-www-form-urlencoded":
            raise _no("invalid_request", "must use HTTP POST with a form")
        form: dict[str, str] = call.body
        kind = form.get("grant_type", "")
        if kind == JWT:
            self._asserted(form.get("assertion", ""), _base(call))
            return self._begun(call, self.issue(ORG))
        usable = {"refresh_token", "client_credentials"}
        if self._own.salesforce_password_grant:
            usable.add("password")
        if kind not in usable:
            raise _no("unsupported_grant_type", "grant type not supported")
        client = basic(call.request) or (form.get("client_id"), form.get("client_secret"))
        if client[0] != CLIENT[0]:
            raise _no("invalid_client_id", "client identifier invalid")
        if client[1] != CLIENT[1]:
            raise _no("invalid_client", "invalid client credentials")
        if kind == "client_credentials":
            return self._begun(call, self.issue(ORG))
        if kind == "password":
            if (form.get("username"), form.get("password")) != (USERNAME, PASSWORD):
                raise _no("invalid_grant", "authentication failure")
            return self._begun(call, self.issue(ORG))
        renewed = self.renew(form.get("refresh_token", ""))
        if renewed is None:
            raise _no("invalid_grant", "expired access/refresh token")
        rotated = self._knobs.rotating_refresh_tokens
        more = {"refresh_token": renewed.refresh_token} if rotated else {}
        return self._begun(call, renewed.access_token, more)

    def _begun(self, call: Call, token: str, more: Mapping[str, str] | None = None) -> Answer:
        """It does not say how long the session is."""
        base = _base(call)
        return Answer({
            "access_token": token, "signature": f"{self._signature}=",
            "scope": "refresh_token api id",
            "instance_url": base, "id": f"{base}/id/{ORG}/{ADMIN}", "token_type": "Bearer",
            "issued_at": str(self._clock.now_ms()), **(more or {}),
        })  # fmt: skip

    def _asserted(self, assertion: str, base: str) -> None:
        """Hold an assertion against the key, the client, the user, the host and the clock."""
        try:
            head, claims, signature = assertion.split(".")
            self._key.public_key().verify(
                _decoded(signature),
                f"{head}.{claims}".encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
            header, told = json.loads(_decoded(head)), json.loads(_decoded(claims))
            algorithm, expires = header["alg"], float(told["exp"])
        except (ValueError, KeyError, TypeError, InvalidSignature):
            raise _no("invalid_grant", "invalid assertion") from None
        if algorithm != "RS256":
            raise _no("invalid_grant", "algorithm not supported")
        if told.get("iss") != CLIENT[0]:
            raise _no("invalid_client_id", "client identifier invalid")
        if told.get("sub") != USERNAME:
            raise _no("invalid_grant", "user hasn't approved this consumer")
        if told.get("aud") not in (*AUDIENCES, base):
            raise _no("invalid_grant", "audience is invalid")
        left = expires - self._clock.now_ms() / 1_000
        if not 0 < left <= LONGEST_ASSERTION + SKEW:
            raise _no("invalid_grant", "expired authorization code")

    def whose(self, call: Call) -> Answer:
        """Who speaks, and in which org."""
        base = _base(call)
        return Answer({
            "id": f"{base}/id/{ORG}/{ADMIN}", "user_id": ADMIN, "organization_id": ORG,
            "username": USERNAME, "preferred_username": USERNAME, "user_type": "STANDARD",
            "language": "en_US", "locale": "en_US", "active": True, "is_app_installed": True,
            "urls": {"rest": f"{base}/services/data/v{{version}}/",
                     "query": f"{base}/services/data/v{{version}}/query/"},
        })  # fmt: skip


def _base(call: Call) -> str:
    """Where this is: the instance's URL."""
    url = call.request.url
    return f"{url.scheme}://{url.netloc}{call.request.scope['root_path']}"


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _no(code: str, description: str) -> Refusal:
    return Refusal(400, {"error": code, "error_description": description})
