"""Decimals, whole numbers, references and booleans."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from crm_sync_assets.declarations.parsing.texts import MAX_DIGITS, digits, stripped

BIGINT = range(-(2**63), 2**63)


# ── Numbers ──────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(
    r"(?=\.?\d)"
    r"(?:(?P<grouped>\d{1,3}(?:,\d{3})+)|(?P<plain>\d+))?(?P<part>\.\d*)?(?P<exponent>[eE][+-]?\d+)?",
    re.ASCII,
)


def decimal(value: Any) -> Decimal | None:
    """An exact Decimal, its trailing zeros kept.

    Money as people write it is read too: `$33,000`, `1,234.50`, `-£5`, `(12.00)` for minus 12.
    Commas group by thousands; `12,50` could mean two things and is refused.
    """
    if value.__class__ is str:
        if value and len(value) < 100 and not value.strip("0123456789.-"):
            try:
                return Decimal(value)
            except InvalidOperation:
                pass
        return _decimal_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _decimal_from_text(value)
    if isinstance(value, bool):
        raise ValueError("is a boolean, not a number")
    if isinstance(value, int):
        return Decimal(digits(value))
    if isinstance(value, float):
        return bounded(Decimal(repr(float(value))))
    if isinstance(value, Decimal):
        return bounded(value)
    raise ValueError(f"is of type {type(value).__name__}, not a number")


def _decimal_from_text(value: str) -> Decimal | None:
    value = stripped(value, "number")
    if not value:
        return None
    minus, signs = False, 0
    if value.startswith("(") and value.endswith(")"):
        minus, signs, value = True, 1, value[1:-1].strip()
    while value and value[0] in "+-$€£":
        if value[0] in "+-":
            signs += 1
            minus ^= value[0] == "-"
        value = value[1:].lstrip()
    value = value.rstrip("$€£ ")
    match = _NUMBER.fullmatch(value)
    if match is None or signs > 1:
        if value.count(",") == 1 and value.replace(",", "").isdigit():
            raise ValueError("has a comma that is neither a decimal point nor groups thousands")
        raise ValueError("is not a number")
    number = bounded(Decimal(value.replace(",", "")))
    # Not -number, which rounds to 28 digits.
    return number.copy_negate() if minus and number else number


def bounded(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueError("is not a finite number")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, str) or exponent < -MAX_DIGITS or number.adjusted() > MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    if exponent > MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    return number


def integer(value: Any) -> int | None:
    """An int of 64 bits. "true" and "false" are 1 and 0; `12.0` is 12, `12.5` is refused.

    Bytes are a bit field, most significant byte first.
    """
    if value.__class__ is str:
        if len(value) < 19 and value.isdigit() and value.isascii():
            return int(value)
        return _integer_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _integer_from_text(value)
    if isinstance(value, int):
        return _in_bigint(int(value))
    if isinstance(value, bytes | bytearray):
        return _in_bigint(_bits(value))
    number = decimal(value)
    return None if number is None else _whole(number)


def reference(value: Any) -> int | None:
    """The id of another record; 0 stands for none."""
    return integer(value) or None


def _bits(value: bytes | bytearray) -> int:
    if len(value) > 8:
        raise ValueError("is binary, not a bit field of up to 64 bits")
    return int.from_bytes(value, "big")


def _integer_from_text(value: str) -> int | None:
    value = stripped(value, "number")
    if not value:
        return None
    word = value.lower()
    if word in ("true", "false"):
        return int(word == "true")
    number = _decimal_from_text(value)
    return None if number is None else _whole(number)


def _whole(number: Decimal) -> int:
    if number.adjusted() > 19:
        raise ValueError("is outside the range of a 64-bit integer")
    if number != number.to_integral_value():
        raise ValueError("is not a whole number")
    return _in_bigint(int(number))


def _in_bigint(number: int) -> int:
    if number not in BIGINT:
        raise ValueError("is outside the range of a 64-bit integer")
    return number


BOOLEANS = {
    "true": True, "1": True, "yes": True, "y": True, "t": True, "on": True,
    "false": False, "0": False, "no": False, "n": False, "f": False, "off": False,
}  # fmt: skip


def boolean(value: Any) -> bool | None:
    """True or False from the usual words in any case, 1 and 0, or a bit field of those."""
    if value.__class__ is str:
        found = BOOLEANS.get(value)
        return found if found is not None else _boolean_from_text(value)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _boolean_from_text(value)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, Decimal) and value.is_finite() and value in (0, 1):
        return bool(value)
    if isinstance(value, bytes | bytearray) and value and _bits(value) in (0, 1):
        return _bits(value) == 1
    raise ValueError("is neither true nor false")


def _boolean_from_text(value: str) -> bool | None:
    value = stripped(value, "boolean").lower()
    if not value:
        return None
    found = BOOLEANS.get(value)
    if found is None:
        raise ValueError("is neither true nor false")
    return found
