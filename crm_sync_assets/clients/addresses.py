"""Base URLs as people write them: one spelling for each, or refused by the variable's name."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import Environment


def base_url(environment: Environment, name: str, default: str) -> str:
    """The variable's address, without blanks, quotes or slashes around it, `default` if there is
    none.

    A host without a scheme is one that speaks HTTPS. Raises UsageError for what is no address, and
    for parts that a base URL cannot have.
    """
    given = (environment.get(name) or "").strip("\ufeff \t\r\n")
    given = given.strip("\"'")
    if not given:
        return default
    address = given if "://" in given else f"https://{given}"
    problem = _problem(address)
    if problem:
        raise UsageError(f"{name} {problem}: write it like {default}")
    parts = urlsplit(address)
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _problem(address: str) -> str | None:
    """What keeps this from being a base URL; it is not repeated, for it may hold a password."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if parts.netloc.endswith(":"):
        return "has a colon where no port follows"
    if parts.scheme.lower() not in ("http", "https"):
        return f"begins with {parts.scheme}://, not https:// or http://"
    if not host or not re.fullmatch(r"[\w.:%-]+", host):
        return "names no host"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password, which go into variables of their own"
    if parts.query or parts.fragment:
        return "has a query or fragment"
    return None
