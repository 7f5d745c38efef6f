"""Tokens: a static private-app token, and OAuth grants that expire and may rotate."""

import re
import uuid
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, Tokens, after_scheme, random_token
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


class Auth:
    """Issues and checks tokens; all belong to one portal."""

    account = str(PORTAL_ID)

    def __init__(self, stage: Stage) -> None:
        self._clock = stage.clock
        self._seed = stage.seed
        self.tokens = Tokens(
            stage, access=lambda: f"CO{random_token()}", refresh=lambda: f"na1-{uuid.uuid4()}"
        )
        self.reset()

    def reset(self) -> None:
        """Only the static token and the first refresh token are left."""
        self.token = f"pat-na1-{uuid.UUID(int=0x5A_ED << 112 | self._seed % (1 << 62))}"
        self.refresh_token = f"na1-{uuid.UUID(int=0xF5_ED << 112 | self._seed % (1 << 62))}"
        self.tokens.reset()
        self.tokens.accept(self.token, self.account)
        self.tokens.accept_refresh(self.refresh_token, self.account)

    def check(self, request: Request) -> Grant:
        """The grant of a request. Refusal 401, or 530 for a malformed token."""
        token = after_scheme(request, "bearer")
        if token is None or not token.strip():
            raise Refusal(401, {"message": _NOT_FOUND, "category": "INVALID_AUTHENTICATION"})
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
            raise Refusal(530, {"message": "error code: 1016"})
        grant = self.tokens.find(token)
        if grant is None:
            if token.startswith("CO"):
                raise self._expired(0)
            raise Refusal(401, {"message": _NOT_FOUND, "category": "INVALID_AUTHENTICATION"})
        if self.tokens.is_expired(grant):
            raise self._expired(grant.expires_at or 0)
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
        renewed = self.tokens.renew(form.get("refresh_token", ""))
        if renewed is None:
            raise Refusal(
                400,
                {
                    "error": "invalid_grant",
                    "error_description": _BAD_REFRESH,
                    "status": "BAD_REFRESH_TOKEN",
                    "message": _BAD_REFRESH,
                },
            )
        return {
            "token_type": "bearer",
            "refresh_token": renewed.refresh_token,
            "access_token": renewed.access_token,
            "hub_id": PORTAL_ID,
            "scopes": ["oauth", "crm.objects.contacts.read"],
            "expires_in": renewed.lifetime,
        }
