"""The public address of the receiver, and which addresses are this installation's."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import Environment

VARIABLE: Final = "CRM_SYNC_WEBHOOKS_URL"
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}
_EXAMPLE: Final = "write it like https://hooks.example.com"


def public(environment: Environment) -> str:
    """Where senders reach the receiver, without a slash at its end.

    Raises UsageError where it is not set, or where no sender would deliver to it.
    """
    given = environment.webhooks_url
    if not given:
        raise UsageError(f"{VARIABLE} is not set: give the address that senders have; {_EXAMPLE}")
    return checked(given, VARIABLE)


def checked(given: str, name: str) -> str:
    """An address that somebody gave as `name`. Raises UsageError; the address is not repeated."""
    try:
        parts = urlsplit(given.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{name} is no address ({error}): {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not host:
        raise UsageError(f"{name} is no address: {_EXAMPLE}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(f"{name} holds more than a host and a path: {_EXAMPLE}")
    if parts.scheme != "https" and host not in LOCAL:
        raise UsageError(f"{name} does not begin with https://: what is sent is personal data")
    return given.strip().rstrip("/")


def of(base: str, crm: str) -> str:
    """Where the deliveries of a CRM go, and below it those of its topics."""
    return f"{base}/webhooks/{crm}"


def is_below(address: str, bases: tuple[str, ...]) -> bool:
    """Whether it is one that a receiver at one of these public addresses has, or is meant to be.

    The scheme alone may differ, and what follows the path that all of them begin with.
    """
    try:
        parts = urlsplit(address)
        return any(_is_at(parts, urlsplit(base)) for base in bases)
    except ValueError:
        return False


def _is_at(parts: SplitResult, base: SplitResult) -> bool:
    same_host = (parts.hostname, _port(parts)) == (base.hostname, _port(base))
    path = f"{base.path.rstrip('/')}/webhooks"
    return same_host and (parts.path == path or parts.path.startswith(f"{path}/"))


def _port(parts: SplitResult) -> int | None:
    """None for the one that its scheme has anyway."""
    return None if parts.port == _PORTS.get(parts.scheme) else parts.port


def shown(address: str, bases: tuple[str, ...]) -> str:
    """An address for people. Of those of others the host alone: the rest may be their secret."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "?", parts.port
    except ValueError:
        return "an address that cannot be read"
    where = f"{parts.scheme}://{host}{f':{port}' if port else ''}"
    return f"{where}{parts.path}" if is_below(address, bases) else f"{where}/…"
