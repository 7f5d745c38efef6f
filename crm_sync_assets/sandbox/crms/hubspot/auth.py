"""Tokens: a static private-app token, and OAuth grants that expire and may rotate."""

import re
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.errors import Refusal
from crm_sync_assets.sandbox.crms.hubspot.render import PORTAL_ID

CLIENT_ID = "5f0c2b1e-0000-4000-8000-sandbox00001"
CLIENT_SECRET = "5ec2e7aa-0000-4000-8000-sandbox00002"
_NOT_FOUND = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can "
    "find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
_BAD_REFRESH = "refresh token is invalid, expired or revoked"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for; `expires_at` is epoch ms by the sandbox clock, None for never."""

    token: str
    account: str
    expires_at: int | None = None


class Auth:
    """Issues and checks tokens; all belong to one portal."""

    def __init__(self, stage: Stage) -> None:
        self._clock = stage.clock
        self._knobs = stage.knobs
        self._lock = threading.Lock()
        self._seed = stage.seed
        self.reset()

    def reset(self) -> None:
        """Only the static token and the first refresh token are left."""
        self.token = f"pat-na1-{uuid.UUID(int=0x5A_ED << 112 | self._seed % (1 << 62))}"
        self.refresh_token = f"na1-{uuid.UUID(int=0xF5_ED << 112 | self._seed % (1 << 62))}"
        self._account = str(PORTAL_ID)
        self._grants = {self.token: Grant(self.token, self._account)}
        # Refresh token to its family; a used one of a rotating family stays known as used.
        self._families = {self.refresh_token: "first"}
        self._used: set[str] = set()

    def add_static_token(self) -> str:
        """Another private app's token, for the same account."""
        token = f"pat-na1-{uuid.uuid4()}"
        with self._lock:
            self._grants[token] = Grant(token, self._account)
        return token

    def add_access_token(self) -> str:
        """An OAuth access token as a refresh would give it."""
        with self._lock:
            return self._issue()

    def revoke(self, token: str) -> None:
        """Forget an access, static or refresh token."""
        with self._lock:
            self._grants.pop(token, None)
            self._families.pop(token, None)

    def check(self, header: str | None) -> Grant:
        """The grant of an Authorization header. Refusal 401, or 530 for a malformed token."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refusal(401, {"message": _NOT_FOUND, "category": "INVALID_AUTHENTICATION"})
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
            raise Refusal(530, {"message": "error code: 1016"})
        grant = self._grants.get(token)
        if grant is None:
            if token.startswith("CO"):
                raise self._expired(0)
            raise Refusal(401, {"message": _NOT_FOUND, "category": "INVALID_AUTHENTICATION"})
        if grant.expires_at is not None and grant.expires_at <= self._clock.now_ms():
            raise self._expired(grant.expires_at)
        return grant

    def _expired(self, at: int) -> Refusal:
        ago = (self._clock.now_ms() - at) // 1000
        return Refusal(
            401,
            {
                "message": f"The OAuth token used to make this call expired {ago} second(s) ago.",
                "category": "EXPIRED_AUTHENTICATION",
                "context": {"expire time": [iso(at)]},
            },
        )

    def refresh(self, form: dict[str, str]) -> dict[str, Any]:
        """The body of a token endpoint's answer. Refusal 400."""
        if form.get("grant_type") != "refresh_token":
            raise Refusal(
                400, {"status": "BAD_GRANT_TYPE", "message": "missing or unknown grant type"}
            )
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refusal(
                400,
                {
                    "error": "invalid_client",
                    "error_description": "missing or invalid client id",
                    "status": "BAD_CLIENT_ID",
                    "message": "missing or invalid client id",
                },
            )
        with self._lock:
            token = form.get("refresh_token", "")
            family = self._families.get(token)
            if token in self._used and family:
                self._families = {t: f for t, f in self._families.items() if f != family}
                family = None
            if family is None:
                raise Refusal(
                    400,
                    {
                        "error": "invalid_grant",
                        "error_description": _BAD_REFRESH,
                        "status": "BAD_REFRESH_TOKEN",
                        "message": _BAD_REFRESH,
                    },
                )
            if self._knobs.rotating_refresh_tokens:
                self._used.add(token)
                token = f"na1-{uuid.uuid4()}"
                self._families[token] = family
            return {
                "token_type": "bearer",
                "refresh_token": token,
                "access_token": self._issue(),
                "hub_id": PORTAL_ID,
                "scopes": ["oauth", "crm.objects.contacts.read"],
                "expires_in": int(self._knobs.token_lifetime),
            }

    def _issue(self) -> str:
        token = f"CO{uuid.uuid4().hex}{uuid.uuid4().hex}"
        lifetime = round(self._knobs.token_lifetime * 1000)
        self._grants[token] = Grant(token, self._account, self._clock.now_ms() + lifetime)
        return token
