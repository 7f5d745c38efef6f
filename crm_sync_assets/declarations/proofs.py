"""How a delivery proves whom it comes from: the kinds there are, as data.

What is checked is the body as it came, before anything reads it, and in a time that tells nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qs

from crm_sync_assets.declarations.variables import Variable

Given = Mapping[str, str]
"""The values of a proof's variables, by name; one that is not set is not among them."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a sender.

    `url` is where it was sent, as the sender has it; `topic` what stands in the path after the
    CRM's name. Names of `headers` are in small letters.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    url: str = ""
    topic: str = ""


class Denied(Exception):
    """The delivery does not come from whom it says; the text says why, and quotes nothing of it."""


class NoSecret(Exception):
    """Nothing to check with: the text names the variable."""


class Proof(Protocol):
    """What a sender's deliveries are checked by."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All that it may need."""
        ...

    def check(self, delivery: Delivery, given: Given, now: datetime) -> None:
        """Raises Denied for what is not the sender's, NoSecret where none can be told."""
        ...


Sign = Callable[[str, Delivery], str]
"""The secret and a delivery → the signature that its header should have."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature in a header, made with a secret that both sides know.

    `at` reads when the delivery was signed, None where it does not say; one further from now than
    `within` is an old one, sent again by somebody. `at` may raise ValueError. Where there are
    `several` secrets, with commas between them, any of them will do.
    """

    secret: Variable
    header: str
    sign: Sign
    at: Callable[[Delivery], datetime | None] | None = None
    within: timedelta = timedelta(minutes=5)
    several: bool = False

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.secret,)

    def check(self, delivery: Delivery, given: Given, now: datetime) -> None:
        secret = _value(self.secret, given)
        sent = delivery.headers.get(self.header.lower())
        if not sent:
            raise Denied("it has no signature")
        secrets = listed(secret) if self.several else [secret]
        if not secrets:
            raise NoSecret(f"{self.secret.name} holds no secret")
        right = [_equal(self.sign(one, delivery), sent.strip()) for one in secrets]
        if not any(right):
            raise Denied("its signature is wrong")
        if self.at is None:
            return
        try:
            signed = self.at(delivery)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise Denied("it does not say when it was signed") from None
        if signed is not None and abs(now - signed) > self.within:
            raise Denied("it was signed too long ago")


@dataclass(frozen=True, slots=True)
class Basic:
    """A user and a password, as HTTP has it."""

    user: Variable
    password: Variable

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.user, self.password)

    def check(self, delivery: Delivery, given: Given, now: datetime) -> None:  # noqa: ARG002
        """See `Proof`."""
        wanted = f"{_value(self.user, given)}:{_value(self.password, given)}"
        scheme, _, told = delivery.headers.get("authorization", "").partition(" ")
        try:
            sent = base64.b64decode(told.strip(), validate=True)
        except (binascii.Error, ValueError):
            sent = b""
        right = hmac.compare_digest(wanted.encode(), sent)
        if scheme.lower() != "basic" or not right:
            raise Denied("its user or password is wrong")


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that is sent along, in a header or in the address.

    For senders that sign nothing. In an address it stands in the logs of whatever is on the way.
    """

    secret: Variable
    header: str = ""
    parameter: str = ""

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.secret,)

    def check(self, delivery: Delivery, given: Given, now: datetime) -> None:  # noqa: ARG002
        """See `Proof`."""
        secret = _value(self.secret, given)
        sent = [delivery.headers.get(self.header.lower(), "")] if self.header else []
        if self.parameter:
            sent += parse_qs(delivery.url.partition("?")[2]).get(self.parameter, [])[:1]
        right = [_equal(secret, one) for one in sent]
        if not any(right):
            raise Denied("its token is wrong")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of several, by a variable; the one of its default where it is not set."""

    by: Variable
    among: Mapping[str, Proof]

    @property
    def variables(self) -> tuple[Variable, ...]:
        inner = (variable for proof in self.among.values() for variable in proof.variables)
        return tuple(dict.fromkeys((*inner, self.by)))

    def check(self, delivery: Delivery, given: Given, now: datetime) -> None:
        """See `Proof`."""
        name = given.get(self.by.name) or str(self.by.default)
        if name not in self.among:
            raise NoSecret(f"{self.by.name} is none of {', '.join(self.among)}")
        self.among[name].check(delivery, given, now)


def listed(secrets: str) -> list[str]:
    """Several secrets that one variable has, with commas between them."""
    return [one.strip() for one in secrets.split(",") if one.strip()]


def hmac_base64(digest: str, said: Callable[[Delivery], bytes] = lambda d: d.body) -> Sign:
    """The HMAC of what is `said`, the body if nothing else is, in Base64."""

    def sign(secret: str, delivery: Delivery) -> str:
        found = hmac.digest(secret.encode(), said(delivery), digest)
        return base64.b64encode(found).decode()

    return sign


def hmac_hex(digest: str, prefix: str = "") -> Sign:
    """The HMAC of the body in hexadecimal digits, after a prefix."""

    def sign(secret: str, delivery: Delivery) -> str:
        return prefix + hmac.digest(secret.encode(), delivery.body, digest).hex()

    return sign


def sha256_hex(said: Callable[[Delivery], bytes]) -> Sign:
    """The digest of the secret and what is `said` after it, in hexadecimal digits."""

    def sign(secret: str, delivery: Delivery) -> str:
        return hashlib.sha256(secret.encode() + said(delivery)).hexdigest()

    return sign


def _value(variable: Variable, given: Given) -> str:
    value = given.get(variable.name)
    if not value:
        raise NoSecret(f"{variable.name} is not set")
    return value


def _equal(right: str, sent: str) -> bool:
    return hmac.compare_digest(right.encode(), sent.encode("utf-8", "surrogateescape"))
