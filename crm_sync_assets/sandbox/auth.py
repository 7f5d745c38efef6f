"""Who may ask: credentials as requests carry them, and the tokens a CRM knows."""

import base64
import binascii
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from crm_sync_assets.sandbox.crm import Stage


def after_scheme(request: Request, *schemes: str) -> str | None:
    """What the Authorization header says after one of these schemes, "" too; None with another."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    return rest if scheme.lower() in schemes else None


def quoted_token(request: Request) -> str | None:
    """The token of `Authorization: Token token="…"`, with or without the quotes."""
    found = re.fullmatch(r'token="?([^"]+)"?', (after_scheme(request, "token") or "").strip())
    return found[1] if found else None


def basic(request: Request) -> tuple[str, str] | None:
    """User and password of `Authorization: Basic`."""
    try:
        raw = base64.b64decode(after_scheme(request, "basic") or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = raw.partition(":")
    return (user, password) if colon else None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for; `expires_at` is epoch ms by the sandbox clock, None for never."""

    token: str
    account: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a refresh token gave: tokens, and how many seconds the access token lives."""

    access_token: str
    refresh_token: str
    lifetime: int


def random_token() -> str:
    """64 hexadecimal digits."""
    return uuid.uuid4().hex + uuid.uuid4().hex


class Tokens:
    """The tokens of one CRM: static ones, and OAuth grants that expire and may rotate.

    `access` and `refresh` make texts of new tokens. Lifetime and rotation are common knobs.
    """

    def __init__(
        self,
        stage: Stage,
        access: Callable[[], str] = random_token,
        refresh: Callable[[], str] = random_token,
    ) -> None:
        self._clock = stage.clock
        self._knobs = stage.knobs
        self._access = access
        self._refresh = refresh
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """No token is known."""
        self._grants: dict[str, Grant] = {}
        # Refresh token to its family and account; a used one that was rotated stays known as used.
        self._families: dict[str, tuple[str, str]] = {}
        self._used: set[str] = set()

    def accept(self, token: str, account: str) -> None:
        """A token that never expires."""
        with self._lock:
            self._grants[token] = Grant(token, account)

    def accept_refresh(self, token: str, account: str) -> None:
        """The first refresh token of a family of its own."""
        with self._lock:
            self._families[token] = (token, account)

    def issue(self, account: str) -> str:
        """An access token as a refresh would give it."""
        token = self._access()
        lifetime = round(self._knobs.token_lifetime * 1000)
        self._grants[token] = Grant(token, account, self._clock.now_ms() + lifetime)
        return token

    def find(self, token: str) -> Grant | None:
        """The grant of an access or static token, expired or not."""
        return self._grants.get(token)

    def is_expired(self, grant: Grant) -> bool:
        """Whether its time is over, by the sandbox clock."""
        return grant.expires_at is not None and grant.expires_at <= self._clock.now_ms()

    def renew(self, token: str) -> Renewed | None:
        """New tokens for a refresh token; None for one that is unknown, revoked or used up.

        A refresh token that rotates works once: whoever comes with it again revokes its family.
        """
        with self._lock:
            family, account = self._families.get(token, (None, ""))
            if token in self._used and family:
                self._families = {t: f for t, f in self._families.items() if f[0] != family}
                family = None
            if family is None:
                return None
            if self._knobs.rotating_refresh_tokens:
                self._used.add(token)
                token = self._refresh()
                self._families[token] = (family, account)
            return Renewed(self.issue(account), token, int(self._knobs.token_lifetime))
