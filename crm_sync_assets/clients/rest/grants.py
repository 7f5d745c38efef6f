"""How an access token is come by: a refresh token, the client's own credentials, a signed JWT.

A grant knows its variables and makes the form that a token endpoint wants; what the endpoint
answers is read by a function that a CRM may give. Without one, only what names the grant or the
client says that the credentials are at fault: to authorise anew where a server merely cannot answer
would throw away a grant that works.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import urlsplit

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.auth import basic
from crm_sync_assets.clients.oauth import Grant
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import FatalError, Unauthorized, UsageError
from crm_sync_assets.given import IN_PEM
from crm_sync_assets.masking import masked
from crm_sync_assets.redaction import register_secret
from crm_sync_assets.settings import Environment

LIFETIME: Final = 1_800.0
"""Seconds an access token lives where neither its answer nor its declaration says."""
REFUSED: Final = frozenset({"invalid_grant", "invalid_client"})
OF_A_HEADER: Final = ("_TOKEN", "_KEY", "_CLIENT_ID")
"""Ends of names whose values `given.cleaned` holds to what a header may have."""
JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Interpret = Callable[[Answer], Grant]
"""A token endpoint's answer (200, 400, 401 or 403, an object) → what it grants.

Raises Unauthorized for credentials that it refuses, FatalError for anything else.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is sent to a token endpoint."""

    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Granting(Protocol):
    """One way to come by an access token.

    The endpoint is at `token_url`, an address or the variable that has it, and `token_path` below
    that. `base_url` names the member of the answer that says where requests go. `about` is what its
    variables belong to, `renewed` the one that a person has to renew when the grant is refused.
    """

    @property
    def token_url(self) -> Variable | str: ...
    @property
    def token_path(self) -> str: ...
    @property
    def interpret(self) -> Interpret | None: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def lifetime_seconds(self) -> float: ...
    @property
    def about(self) -> str: ...
    @property
    def variables(self) -> tuple[Variable, ...]: ...
    @property
    def renewed(self) -> Variable: ...

    def first_refresh_token(self, environment: Environment) -> str:
        """The refresh token that the environment gives, empty for a grant that needs none."""
        ...

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        """What tells this grant from others of the same CRM; never shown."""
        ...

    def asked(self, environment: Environment, url: str, refresh: str) -> Asked:
        """What to send. Raises UsageError for a credential that cannot be used."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What every grant may say of its endpoint's answers."""

    token_path: str = ""
    in_header: bool = False
    base_url: str | None = None
    lifetime_seconds: float = LIFETIME
    interpret: Interpret | None = None
    scope: str = ""
    about: str = "an OAuth app"

    def __post_init__(self) -> None:
        if not self.lifetime_seconds > 0 or not math.isfinite(self.lifetime_seconds):
            raise ValueError(f"a token that lives {self.lifetime_seconds:g} s is none")
        if self.token_path and not self.token_path.startswith("/"):
            raise ValueError(f"{self.token_path}: a path begins with a slash")
        if self.base_url == "":
            raise ValueError("the member of the answer that has the base URL has no name")


@dataclass(frozen=True, slots=True)
class RefreshToken(_Common):
    """A refresh token for an access token; the endpoint may give a new refresh token with it.

    With `in_header` the client authorises itself by Basic authentication, else in the form.
    """

    token_url: Variable | str
    client_id: Variable
    client_secret: Variable
    refresh_token: Variable

    def __post_init__(self) -> None:
        _Common.__post_init__(self)
        refuse_nonsense(self.token_url, self.client_secret, self.refresh_token)

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.client_id, self.client_secret, self.refresh_token, *_address(self.token_url))

    @property
    def renewed(self) -> Variable:
        return self.refresh_token

    def first_refresh_token(self, environment: Environment) -> str:
        return value(environment, self.refresh_token)

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        return value(environment, self.client_id), value(environment, self.refresh_token)

    def asked(self, environment: Environment, url: str, refresh: str) -> Asked:  # noqa: ARG002
        client = value(environment, self.client_id), value(environment, self.client_secret)
        form = {"grant_type": "refresh_token"}
        return _by_client(form, client, {"refresh_token": refresh}, self.in_header, self.scope)


@dataclass(frozen=True, slots=True)
class ClientCredentials(_Common):
    """The client's own id and secret for an access token, without a person's consent."""

    token_url: Variable | str
    client_id: Variable
    client_secret: Variable

    def __post_init__(self) -> None:
        _Common.__post_init__(self)
        refuse_nonsense(self.token_url, self.client_secret)

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.client_id, self.client_secret, *_address(self.token_url))

    @property
    def renewed(self) -> Variable:
        return self.client_secret

    def first_refresh_token(self, environment: Environment) -> str:  # noqa: ARG002
        return ""

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        return value(environment, self.client_id), value(environment, self.client_secret)

    def asked(self, environment: Environment, url: str, refresh: str) -> Asked:  # noqa: ARG002
        client = value(environment, self.client_id), value(environment, self.client_secret)
        form = {"grant_type": "client_credentials"}
        return _by_client(form, client, {}, self.in_header, self.scope)


@dataclass(frozen=True, slots=True)
class JwtBearer(_Common):
    """A JWT that the private key signs (RS256) for an access token.

    `key` holds the key in PEM, its line ends also as \\n, or a Google service account's JSON, which
    has its issuer too. `audience` is the token endpoint's address where it is not given. The JWT is
    good for `seconds`.
    """

    token_url: Variable | str
    key: Variable
    issuer: Variable | None = None
    subject: Variable | None = None
    audience: Variable | str | None = None
    seconds: int = 180
    about: str = field(default="a key pair", kw_only=True)

    algorithm: ClassVar[str] = "RS256"

    def __post_init__(self) -> None:
        _Common.__post_init__(self)
        refuse_nonsense(self.token_url, self.key)
        if self.key.name.endswith(OF_A_HEADER) and not self.key.name.endswith(IN_PEM):
            raise ValueError(
                f"{self.key.name}: what is named so may have no blanks, and a key in PEM has some"
            )
        if self.in_header:
            raise ValueError("a signed JWT travels in the form, and no client's secret with it")
        if not 30 <= self.seconds <= 3_600:
            raise ValueError(f"a JWT of {self.seconds} s: from 30 to 3,600 are taken")

    @property
    def variables(self) -> tuple[Variable, ...]:
        named = (self.issuer, self.key, self.subject, self.audience)
        found = tuple(one for one in named if isinstance(one, Variable))
        return tuple(dict.fromkeys((*found, *_address(self.token_url))))

    @property
    def renewed(self) -> Variable:
        return self.key

    def first_refresh_token(self, environment: Environment) -> str:  # noqa: ARG002
        return ""

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        issuer, _, _ = self._signer(environment)
        return issuer, self._of(environment, self.subject), self.scope

    def asked(self, environment: Environment, url: str, refresh: str) -> Asked:  # noqa: ARG002
        issuer, key, key_id = self._signer(environment)
        now = int(time.time())
        claims: dict[str, Any] = {"iss": issuer}
        claims |= {"sub": subject} if (subject := self._of(environment, self.subject)) else {}
        claims |= {"scope": self.scope} if self.scope else {}
        audience = self._of(environment, self.audience) or url
        claims |= {"aud": audience, "iat": now, "exp": now + self.seconds}
        assertion = signed_jwt(claims, key, key_id, self.key.name)
        return Asked({"grant_type": JWT_GRANT, "assertion": assertion})

    def _signer(self, environment: Environment) -> tuple[str, str, str | None]:
        """The issuer, the private key in PEM, and the key's id where it has one."""
        given = value(environment, self.key)
        issuer = self._of(environment, self.issuer)
        if not given.lstrip().startswith("{"):
            return self._named(issuer), given.replace("\\n", "\n"), None
        try:
            account = json.loads(given)
            found = issuer or str(account["client_email"]), str(account["private_key"])
        except (ValueError, LookupError, TypeError):
            raise UsageError(
                f"{self.key.name} holds no service account's JSON: its client_email or private_key "
                "is missing, or it was cut"
            ) from None
        register_secret(found[1])
        return *found, account.get("private_key_id")

    def _named(self, issuer: str) -> str:
        if not issuer:
            raise UsageError(
                f"{self.key.name} holds a key and not whose it is: give a service account's JSON"
            )
        return issuer

    @staticmethod
    def _of(environment: Environment, given: Variable | str | None) -> str:
        return value(environment, given) if isinstance(given, Variable) else given or ""


def value(environment: Environment, variable: Variable) -> str:
    """The variable's value, else its default, else nothing."""
    return environment.get(variable.name) or variable.default or ""


def refuse_nonsense(token_url: Variable | str, *secrets: Variable) -> None:
    """Raise ValueError for an address that tokens cannot come from, or secrets that are none."""
    if isinstance(token_url, Variable):
        address = token_url.default or (token_url.example if token_url.required else "")
    else:
        address = token_url
    if not address.startswith("https://") or not urlsplit(address).hostname:
        raise ValueError(f"tokens come from an https:// address, not from {address or 'nowhere'}")
    open_ones = [variable.name for variable in secrets if not variable.secret]
    if open_ones:
        raise ValueError(f"{', '.join(open_ones)}: a credential is declared with secret=True")


def granted(answer: Answer, grant: Granting) -> Grant:
    """What an answer in the form of RFC 6749 grants. Raises as `Interpret` says."""
    body: Mapping[str, Any] = answer.json
    if answer.status == 200 and body.get("access_token"):
        where = body.get(grant.base_url) if grant.base_url else None
        return Grant(
            body["access_token"],
            lifetime(body, grant.lifetime_seconds),
            body.get("refresh_token") or None,
            str(where) if where else None,
        )
    error = str(body.get("error") or "")
    said = masked(str(body.get("error_description") or body.get("message") or error or "no reason"))
    if {_as_a_code(error), _as_a_code(str(body.get("message") or ""))} & REFUSED:
        names = ", ".join(variable.name for variable in grant.variables)
        raise Unauthorized(
            f"the token endpoint refused {grant.renewed.name}: {said}. Renew it, and check {names}."
        )
    raise FatalError(
        f"there is no access token: {answer.request} answered {answer.status}: {said}. Nothing "
        f"says that {grant.renewed.name} is at fault: run it again later."
    )


def _as_a_code(said: str) -> str:
    """invalid_grant, of what says so in words: "Invalid grant: refresh_token is invalid"."""
    return said.partition(":")[0].strip().lower().replace(" ", "_")


def lifetime(body: Mapping[str, Any], otherwise: float) -> float:
    """Seconds an answer gives its access token; `otherwise` where it says nothing usable."""
    try:
        seconds = float(body.get("expires_in") or otherwise)
    except (TypeError, ValueError):
        return otherwise
    return seconds if math.isfinite(seconds) and seconds > 0 else otherwise


def without_a_grant(body: Any) -> str | None:
    """What is wrong with an answer that neither grants nor refuses, so that it is asked again."""
    if not isinstance(body, dict):
        return "the answer is no object"
    token = body.get("access_token")
    if isinstance(token, str) and token:
        return None
    says_why = any(name in body for name in ("error", "error_description", "message", "status"))
    return None if says_why else "the answer has no token"


def signed_jwt(claims: Mapping[str, Any], key: str, key_id: str | None, variable: str) -> str:
    """A JWT by RS256. Raises UsageError, naming the variable, for what is no RSA key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{variable} holds no private key in PEM, without a password") from None
    if not isinstance(private, RSAPrivateKey):
        raise UsageError(f"{variable} holds a key that is not RSA")
    head = {"alg": JwtBearer.algorithm, "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    text = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
    return f"{text}.{_base64url(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _address(token_url: Variable | str) -> tuple[Variable, ...]:
    return (token_url,) if isinstance(token_url, Variable) else ()


def _by_client(
    form: dict[str, str],
    client: tuple[str, str],
    more: Mapping[str, str],
    in_header: bool,
    scope: str,
) -> Asked:
    """The form of a client that authorises itself there, or in a header."""
    asked = form if in_header else form | {"client_id": client[0], "client_secret": client[1]}
    asked = {**asked, **more, **({"scope": scope} if scope else {})}
    return Asked(asked, basic(*client) if in_header else {})
