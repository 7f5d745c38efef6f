"""Text, and what a database cannot hold, taken out of a value and noted."""

from __future__ import annotations

import json as jsonlib
import math
import re
from datetime import date as Date
from datetime import datetime, timedelta
from datetime import time as Time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

MAX_DEPTH = 200
"""Levels of nesting that a jsonb value may have."""

MAX_DIGITS = 1000
"""Digits a number may have on either side of its point."""

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_GUID = "00000000-0000-0000-0000-000000000000"

NUL_REMOVED = "NUL removed"
SURROGATE_REPLACED = "lone surrogate replaced"
NOT_FINITE_REMOVED = "NaN or infinity replaced by null"


class TooDeep(ValueError):
    """A value is nested deeper than `MAX_DEPTH`; no part of its record is worth trusting."""

    def __init__(self) -> None:
        super().__init__(f"is nested more than {MAX_DEPTH} levels deep")


# ── What PostgreSQL cannot hold ──────────────────────────────────────────────────────────────


def is_clean(value: str) -> bool:
    """Whether PostgreSQL takes the string as it is: no NUL, no half of a surrogate pair."""
    if "\0" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def sanitise(value: Any, changes: set[str]) -> Any:
    """The value with everything PostgreSQL refuses taken out; adds what was done to `changes`.

    Reaches into dicts and lists, and turns what JSON does not know (Decimal, dates, bytes in a
    nested value) into what it does. Raises TooDeep.
    """
    if isinstance(value, str):
        return sanitise_text(value, changes)
    if isinstance(value, dict | list | tuple):
        return sanitise_nested(value, changes, 1)
    return value


def sanitise_text(value: str, changes: set[str]) -> str:
    if is_clean(value):
        return str(value)
    if "\0" in value:
        changes.add(NUL_REMOVED)
        value = value.replace("\0", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        changes.add(SURROGATE_REPLACED)
        # A high half followed by its low half is one character after all.
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def sanitise_nested(value: Any, changes: set[str], depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return sanitise_text(value, changes)
    if isinstance(value, dict):
        if depth > MAX_DEPTH:
            raise TooDeep
        return {
            sanitise_text(name if isinstance(name, str) else text(name) or "", changes): (
                sanitise_nested(item, changes, depth + 1)
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        if depth > MAX_DEPTH:
            raise TooDeep
        return [sanitise_nested(item, changes, depth + 1) for item in value]
    if isinstance(value, int):
        # Too long a number for those who read the JSON; a Decimal prints any.
        return int(value) if value.bit_length() <= MAX_DIGITS * 4 else str(Decimal(value))
    if isinstance(value, float | Decimal):
        return _finite_number(value, changes)
    return text(value)


def _finite_number(value: float | Decimal, changes: set[str]) -> float | int | str | None:
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        changes.add(NOT_FINITE_REMOVED)
        return None
    if isinstance(value, float):
        return float(value)
    if value == value.to_integral_value() and value.adjusted() < MAX_DIGITS:
        return int(value)
    # JSON libraries write floats; a Decimal that a float cannot carry stays exact as text.
    short = float(value)
    return short if Decimal(repr(short)) == value else str(value)


# ── Text ─────────────────────────────────────────────────────────────────────────────────────


def text(value: Any) -> str | None:
    """Text as sent, white space and newlines around it included; None if there is nothing else.

    Numbers become text without losing anything (3.0 stays "3.0", a Decimal keeps its zeros),
    booleans "true" and "false", dicts and lists compact JSON, moments ISO 8601.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if not value or value.isspace():
            return None
        if is_clean(value):
            return str(value)
        value = sanitise_text(value, set())
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return text(value.value)
    if isinstance(value, int):
        return digits(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is not a finite number")
        return repr(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("is not a finite number")
        return format(value, "f") if abs(value.adjusted()) < 100 else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return text(bytes(value).decode())
        except UnicodeDecodeError:
            raise ValueError("is binary, not UTF-8 text") from None
    if isinstance(value, dict | list | tuple):
        return jsonlib.dumps(
            sanitise_nested(value, set(), 1), ensure_ascii=False, separators=(",", ":")
        )
    if isinstance(value, datetime | Date | Time):
        return value.isoformat()
    if isinstance(value, timedelta | UUID):
        return str(value)
    raise ValueError(f"is of type {type(value).__name__}, not text")


def email(value: Any) -> str | None:
    """Text without white space around it; some sources write "null" where there is no address."""
    found = text(value)
    if found is None:
        return None
    found = found.strip()
    return None if found.lower() == "null" else found


def guid(value: Any) -> str | None:
    """A GUID in lower case and without braces; None for one of zeros. What is none stays text."""
    found = text(value)
    if found is None:
        return None
    plain = found.strip().strip("{}").lower()
    if not GUID.fullmatch(plain):
        return found
    return None if plain == _NO_GUID else plain


def digits(value: int) -> str:
    if value.bit_length() > MAX_DIGITS * 4:  # Python refuses to print more than 4300 digits
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    return str(int(value))


def stripped(value: str, kind: str) -> str:
    """The string without outer white space, if it is short enough to be a scalar."""
    value = value.strip()
    if len(value) > MAX_DIGITS + 50:
        raise ValueError(f"is too long to be a {kind}")
    return value
