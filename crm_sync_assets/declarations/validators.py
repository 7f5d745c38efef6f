"""Checks of parsed values: None if a value is fine, else a short reason why not.

A reason never quotes the value: it is stored beside the row and written to the log, where
personal data has no place. The usual forms pass a regular expression at once; only the rest
reaches the thorough libraries, which are slow and so imported when first needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from crm_sync_assets.declarations.parsing.texts import GUID

MAX_EMAIL = 254
MAX_REMEMBERED = 500
REGION = "US"

_EMAIL = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)"
    r"[A-Za-z0-9_+'-]+(?:\.[A-Za-z0-9_+'-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
# The North American plan: area code and exchange start with 2–9.
_PHONE = re.compile(
    r"(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-]?)[2-9][0-9]{2}[ .-]?[0-9]{4}"
)
_URL = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+(?::[0-9]{1,4})?(?:[/?#][!-~]*)?"
)
_ZIP = re.compile(r"[0-9]{5}(?:-?[0-9]{4})?")
_CANADIAN_ZIP = re.compile(r"[A-Za-z][0-9][A-Za-z][ -]?[0-9][A-Za-z][0-9]")
_DIGITS = re.compile(r"[0-9]{1,50}")
_URL_SCHEMES = frozenset({"http", "https", "ftp", "ftps", "sftp", "s3", "gs"})
_ABBREVIATIONS = """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM
    NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI
    AB BC MB NB NL NS NT NU ON PE QC SK YT
"""
_STATES = frozenset(_ABBREVIATIONS.split())
_PROVINCES = frozenset(
    {
        "alberta", "british columbia", "manitoba", "new brunswick", "newfoundland and labrador",
        "newfoundland", "nova scotia", "northwest territories", "nunavut", "ontario",
        "prince edward island", "quebec", "québec", "saskatchewan", "yukon",
    }
)  # fmt: skip


def _remembering(check: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """The check with a memory for values of ordinary length; megabytes are not kept."""
    remembered = lru_cache(maxsize=20_000)(check)
    return lambda value: (check if len(value) > MAX_REMEMBERED else remembered)(value)


def email(value: str) -> str | None:
    """An address that could exist; nobody is asked whether it does."""
    return None if _quick_email(value) else _email_slowly(value)


@_remembering
def _email_slowly(value: str) -> str | None:
    value = value.strip()
    local, at, domain = value.rpartition("@")
    if not at:
        return "has no @"
    if not local:
        return "has nothing before the @"
    if not domain:
        return "has nothing after the @"
    if len(value) > MAX_EMAIL:
        return f"is longer than {MAX_EMAIL} characters"
    if "." not in domain.strip("."):
        return "has no dot after the @"

    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(
            value, check_deliverability=False, allow_quoted_local=True, test_environment=True
        )
    except EmailNotValidError:
        return "is not an e-mail address"
    return None


def phone(value: str) -> str | None:
    """A number that could be dialled from the USA; an extension may follow it."""
    return None if _PHONE.fullmatch(value) else _phone_slowly(value)


@_remembering
def _phone_slowly(value: str) -> str | None:
    digits = sum(character.isdigit() for character in value)
    if digits == 0:
        return "has no digits"
    if digits < 7:
        return "has too few digits for a phone number"
    if len(value) > 100:
        return "is too long for a phone number"

    import phonenumbers

    try:
        number = phonenumbers.parse(value, REGION)
    except phonenumbers.NumberParseException:
        return "is not a phone number"
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == phonenumbers.ValidationResult.TOO_SHORT:
        return "has too few digits for a phone number"
    if reason == phonenumbers.ValidationResult.TOO_LONG:
        return "has too many digits for a phone number"
    if reason == phonenumbers.ValidationResult.INVALID_COUNTRY_CODE:
        return "has an unknown country code"
    if reason == phonenumbers.ValidationResult.INVALID_LENGTH:
        return "has the wrong number of digits for a phone number"
    return None


def url(value: str) -> str | None:
    """An address with a scheme and a host; `www.` may stand for the scheme."""
    return None if _URL.fullmatch(value) else _url_slowly(value)


@_remembering
def _url_slowly(value: str) -> str | None:
    value = value.strip()
    if any(character.isspace() for character in value):
        return "has white space in it"
    if value.lower().startswith("www."):
        value = f"https://{value}"
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not parts.scheme or "://" not in value:
        return "has no scheme such as https://"
    if parts.scheme.lower() not in _URL_SCHEMES:
        return "has a scheme that is not a web address's"
    if not host:
        return "has no host"
    if parts.scheme.lower() in ("s3", "gs"):
        return None
    if host != "localhost" and "." not in host and ":" not in host:
        return "has a host without a dot"
    if any(not label for label in host.removesuffix(".").split(".")) or re.search(
        r"[\"<>\\^`{|}%$!*(),;']", host
    ):
        return "has an impossible host"
    return None


def zip_code(value: str) -> str | None:
    """A US code of 5 digits, ZIP+4 with or without its dash, or a Canadian one."""
    value = value.strip()
    if _ZIP.fullmatch(value) or _CANADIAN_ZIP.fullmatch(value):
        return None
    if value.isascii() and value.isdigit():
        return "has neither 5 nor 9 digits"
    return "is not a US or Canadian postal code"


def state(value: str) -> str | None:
    """A US state or territory, or a Canadian province, by name or abbreviation."""
    return None if value in _STATES else _state_slowly(value)


@_remembering
def _state_slowly(value: str) -> str | None:
    value = " ".join(value.split())
    if value.upper() in _STATES:
        return None
    # Names only: looked up as well, `us` would take a misspelt name by its sound, or a FIPS code.
    return None if value.lower() in state_names() else "is not a US state or Canadian province"


@lru_cache(maxsize=1)
def state_names() -> frozenset[str]:
    """Of the US's states and Canada's provinces, and their abbreviations, in lower case."""
    import us

    places = [*us.states.STATES_AND_TERRITORIES, us.states.DC]
    names = {place.name.lower() for place in places} | {"washington dc", "washington, dc", "d.c."}
    return frozenset(names | {place.abbr.lower() for place in places} | _PROVINCES)


def object_id(value: str) -> str | None:
    """An identifier of digits only."""
    return None if _DIGITS.fullmatch(value) else "is not an id of digits"


def guid(value: str) -> str | None:
    """A GUID, as it is written in text."""
    return None if GUID.fullmatch(value) else "is no GUID"


_LOCAL_PART = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+'-."
_MOST_DOMAINS = 20_000
_domains: set[str] = set()
"""Domains of addresses that were fine: there are few of them, and they take most of a check."""


def _quick_email(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    if domain in _domains:
        return (
            0 < len(local) <= 64
            and len(value) <= MAX_EMAIL
            and not local.strip(_LOCAL_PART)
            and ("." not in local or ".." not in f".{local}.")
        )
    if _EMAIL.fullmatch(value) is None:
        return False
    if len(_domains) < _MOST_DOMAINS:
        _domains.add(domain)
    return True


FAST: dict[Any, Callable[[str], object]] = {
    email: _quick_email,
    phone: _PHONE.fullmatch,
    url: _URL.fullmatch,
    zip_code: _ZIP.fullmatch,
    state: _STATES.__contains__,
    object_id: _DIGITS.fullmatch,
}
"""Per validator, a quick test that is true only of values it finds nothing wrong with."""
