"""How a request is authorised."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is about to be sent; `target` is what stands in its request line."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What authorises one try of one request.

    `token` is what a source refuses when it refuses it, and what `Auth.refresh` is told. Nothing in
    `secrets` may be shown. With a `base_url` the request goes there instead: the credentials came
    with it.
    """

    headers: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    base_url: str | None = None


class Auth(Protocol):
    """Where what authorises a request comes from. Used by many threads at once."""

    @property
    def variable(self) -> str:
        """The environment variable to look at when the source refuses."""
        ...

    def proof(self, request: Request) -> Proof:
        """Asked once per try, right before it is sent."""
        ...

    def refresh(self, refused: str) -> bool:
        """Whether another try may succeed where this `Proof.token` was refused."""
        ...


NOTHING = Proof({})
"""Authorises what needs no credentials."""


def bearer(token: str, base_url: str | None = None) -> Proof:
    """An access token in the header it usually has."""
    return Proof({"Authorization": f"Bearer {token}"}, token, (token,), base_url)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A static token."""

    value: str
    variable: str

    def __repr__(self) -> str:
        return f"Bearer(variable={self.variable!r})"

    def token(self) -> str:
        return self.value

    def proof(self, request: Request) -> Proof:  # noqa: ARG002 - the same for all
        return bearer(self.token())

    def refresh(self, refused: str) -> bool:  # noqa: ARG002 - there is only the one
        return False


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that are the same in every request; `secrets` are what of them may not be shown."""

    headers: Mapping[str, str]
    secrets: tuple[str, ...]
    variable: str

    def __repr__(self) -> str:
        return f"Fixed(variable={self.variable!r})"

    def proof(self, request: Request) -> Proof:  # noqa: ARG002 - the same for all
        return Proof(self.headers, "", self.secrets)

    def refresh(self, refused: str) -> bool:  # noqa: ARG002 - there is nothing newer
        return False


@dataclass(frozen=True, slots=True)
class Signing:
    """Headers that are made for each request, as a signature is.

    What was refused is signed once more: the clock may have gone on meanwhile.
    """

    sign: Callable[[Request], Mapping[str, str]]
    secrets: tuple[str, ...]
    variable: str

    def __repr__(self) -> str:
        return f"Signing(variable={self.variable!r})"

    def proof(self, request: Request) -> Proof:
        headers = self.sign(request)
        return Proof(headers, "", (*self.secrets, *headers.values()))

    def refresh(self, refused: str) -> bool:  # noqa: ARG002 - every signature is a new one
        return True


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP's Basic authentication, in UTF-8."""
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
