"""Parsers: a value as a source sent it → a value of a column's SQL type.

Every parser takes whatever JSON, XML, CSV or a SQL driver hands over. It gives back None for
nothing (None, "", white space) and raises ValueError with a short reason for what it cannot read;
the reason never quotes the value. Each begins with the form that is sent most and is quick there;
the generous reading of everything else comes after it.
"""

from __future__ import annotations

import json as jsonlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from datetime import date as Date
from datetime import time as Time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

MAX_DEPTH = 200
"""Levels of nesting that a jsonb value may have."""

MAX_DIGITS = 1000
"""Digits a number may have on either side of its point."""

NUL_REMOVED = "NUL removed"
SURROGATE_REPLACED = "lone surrogate replaced"
NOT_FINITE_REMOVED = "NaN or infinity replaced by null"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIGINT = range(-(2**63), 2**63)
_ZERO = timedelta(0)
_DAY = timedelta(days=1)


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
        return _sanitise_text(value, changes)
    if isinstance(value, dict | list | tuple):
        return _sanitise_nested(value, changes, 1)
    return value


def _sanitise_text(value: str, changes: set[str]) -> str:
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


def _sanitise_nested(value: Any, changes: set[str], depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _sanitise_text(value, changes)
    if isinstance(value, dict):
        if depth > MAX_DEPTH:
            raise TooDeep
        return {
            _sanitise_text(name if isinstance(name, str) else text(name) or "", changes): (
                _sanitise_nested(item, changes, depth + 1)
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        if depth > MAX_DEPTH:
            raise TooDeep
        return [_sanitise_nested(item, changes, depth + 1) for item in value]
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
        value = _sanitise_text(value, set())
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return text(value.value)
    if isinstance(value, int):
        return _digits(value)
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
            _sanitise_nested(value, set(), 1), ensure_ascii=False, separators=(",", ":")
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


def _digits(value: int) -> str:
    if value.bit_length() > MAX_DIGITS * 4:  # Python refuses to print more than 4300 digits
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    return str(int(value))


def _stripped(value: str, kind: str) -> str:
    """The string without outer white space, if it is short enough to be a scalar."""
    value = value.strip()
    if len(value) > MAX_DIGITS + 50:
        raise ValueError(f"is too long to be a {kind}")
    return value


# ── Moments ──────────────────────────────────────────────────────────────────────────────────

_ZONES = {
    name: timezone(timedelta(hours=hours))
    for name, hours in {
        "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
        "AKST": -9, "AKDT": -8, "HST": -10,
    }.items()
} | {"UTC": UTC, "GMT": UTC, "Z": UTC}  # fmt: skip

_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?)?"
_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?"
_ZONE = r"(?:\s*(?P<zone>[+-]\d{2}(?::?\d{2})?(?::?\d{2})?|[A-Za-z]+(?:/[A-Za-z_+\-0-9/]+)?))?"
_MOMENT = re.compile(
    r"(?:(?P<y>\d{4,6})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"|(?P<us_m>\d{1,2})/(?P<us_d>\d{1,2})/(?P<us_y>\d{4}|\d{2}))"
    rf"(?:(?:[Tt]|,?\s+){_TIME}{_HALF}{_ZONE})?",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(rf"[Tt]?{_TIME}{_HALF}{_ZONE}", re.ASCII)
_EPOCH_TEXT = re.compile(r"(-?\d{9,14})(?:\.(\d+))?", re.ASCII)


def timestamp(value: Any) -> datetime | None:
    """An aware UTC datetime. Text without a zone is UTC.

    Reads ISO 8601 with any fraction (cut to microseconds), US forms such as
    `11/5/25 3:30 PM EDT`, and epochs: 12 to 14 digits are milliseconds, 9 or 10 are seconds, 11
    could be either and are refused. A leap second is the second after it, 24:00 the next midnight.
    """
    if value.__class__ is str:
        # Only 2026-11-20…: fromisoformat would take an epoch of 13 digits for a year, a month, a
        # day, a separator and a time.
        if value[4:5] == "-":
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return _timestamp_from_text(value)
            zone = moment.tzinfo
            if zone is UTC:
                return moment
            if zone is None:
                return moment.replace(tzinfo=UTC)
            return _to_utc(moment)
        return _timestamp_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _timestamp_from_text(value)
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise ValueError("is a datetime without a time zone")
        return _to_utc(value)
    if isinstance(value, Date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _from_epoch(_epoch_text(value))
    raise ValueError(f"is of type {type(value).__name__}, not a moment")


def _timestamp_from_text(value: str) -> datetime | None:
    value = _stripped(value, "moment")
    if not value:
        return None
    if _EPOCH_TEXT.fullmatch(value):
        return _from_epoch(value)
    if value.isascii() and value.isdigit() and len(value) != 8:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    match = _MOMENT.fullmatch(value)
    if match is None:
        return _iso_moment(value)
    day = _day(match)
    moment = datetime(day.year, day.month, day.day)
    if match["hour"] is None:
        return moment.replace(tzinfo=UTC)
    try:
        moment += _since_midnight(match)
        return _to_utc(moment.replace(tzinfo=_zone(match["zone"])))
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _iso_moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date and time") from None
    return _to_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _epoch_text(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return _digits(value)
    number = _bounded(Decimal(repr(float(value))) if isinstance(value, float) else value)
    return format(number, "f")


def _from_epoch(value: str) -> datetime:
    match = _EPOCH_TEXT.fullmatch(value)
    if match is None:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    whole, digits = match[1], len(match[1].lstrip("-"))
    if digits == 11:
        raise ValueError("could be seconds or milliseconds: it has 11 digits")
    places = 3 if digits >= 12 else 6
    micros = int(whole + (match[2] or "")[:places].ljust(places, "0"))
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _day(match: re.Match[str]) -> Date:
    if match["y"] is not None:
        year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        year, month, day = int(match["us_y"]), int(match["us_m"]), int(match["us_d"])
        if len(match["us_y"]) == 2:
            year += 2000 if year < 69 else 1900
    if year == 0 or month == 0 or day == 0:
        raise ValueError("zero date")
    if year > 9999:
        raise ValueError("is outside the years 1 to 9999")
    try:
        return Date(year, month, day)
    except ValueError:
        raise ValueError("is no day of the calendar") from None


def _since_midnight(match: re.Match[str]) -> timedelta:
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    half = match["half"]
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError("is no time of day")
        hour = hour % 12 + (12 if half in "pP" else 0)
    elif match["minute"] is None and match["zone"] is None:
        raise ValueError("is no time of day")
    last = hour == 24 and minute == 0 and second == 0
    if not (hour < 24 or last) or minute > 59 or second > 60:
        raise ValueError("is no time of day")
    if second == 60 and minute != 59:
        raise ValueError("is no time of day")
    micros = int((match["part"] or "")[:6].ljust(6, "0"))
    if second == 60 or last:
        micros = 0
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    if name[0] in "+-":
        digits = name[1:].replace(":", "").ljust(6, "0")
        hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        if hours > 23 or minutes > 59 or seconds > 59:
            raise ValueError("has no such UTC offset")
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(offset if name[0] == "+" else -offset)
    known = _ZONES.get(name.upper())
    if known is not None:
        return known
    if "/" in name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise ValueError("has an unknown time zone")


def date(value: Any) -> Date | None:
    """The calendar day as written; no time zone ever moves it. An epoch is the day in UTC."""
    if value.__class__ is str:
        if len(value) == 10 and value[4] == "-":
            try:
                return Date.fromisoformat(value)
            except ValueError:
                pass
        return _date_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _date_from_text(value)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, Date):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _from_epoch(_epoch_text(value)).date()
    raise ValueError(f"is of type {type(value).__name__}, not a date")


def _date_from_text(value: str) -> Date | None:
    value = _stripped(value, "date")
    if not value:
        return None
    match = _MOMENT.fullmatch(value)
    if match is not None:
        if match["hour"] is not None:
            _since_midnight(match)
        return _day(match)
    if _EPOCH_TEXT.fullmatch(value):
        return _from_epoch(value).date()
    if value.isascii() and value.isdigit() and len(value) != 8:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:
        raise ValueError("is not a date") from None


def time(value: Any) -> Time | None:
    """A time of day without a zone: HH:MM[:SS[.f]], h:mm AM/PM, or a time since midnight.

    24:00 and a leap second at midnight are 00:00. An offset other than UTC is refused.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _time_from_text(value)
    if isinstance(value, Time):
        if value.tzinfo is not None and value.utcoffset() not in (None, _ZERO):
            raise ValueError("has a UTC offset, which a time of day cannot keep")
        return value.replace(tzinfo=None)
    if isinstance(value, timedelta):
        if not _ZERO <= value <= _DAY:
            raise ValueError("is longer than a day")
        return (datetime.min + value).time()
    raise ValueError(f"is of type {type(value).__name__}, not a time of day")


def _time_from_text(value: str) -> Time | None:
    value = _stripped(value, "time of day")
    if not value:
        return None
    match = _TIME_OF_DAY.fullmatch(value)
    if match is None or (match["minute"] is None and match["half"] is None):
        raise ValueError("is not a time of day")
    if match["zone"] is not None and _zone(match["zone"]).utcoffset(None) != _ZERO:
        raise ValueError("has a UTC offset, which a time of day cannot keep")
    return (datetime.min + _since_midnight(match)).time()


_DURATION = re.compile(
    r"(?:(?P<days>-?\d{1,9}) days?,? )?(?P<minus>-)?"
    r"(?P<hours>\d{1,9}):(?P<minutes>[0-5]?\d)(?::(?P<seconds>[0-5]?\d(?:\.\d{1,6})?))?",
    re.ASCII,
)


def interval(value: Any) -> timedelta | None:
    """A length of time: a timedelta, H:MM[:SS[.f]] of any length and sign, or a number of seconds.

    `1 day, 2:00:00`, the way Python writes a timedelta, is read too.
    """
    if value is None or isinstance(value, timedelta):
        return value
    if isinstance(value, Time):
        return datetime.combine(Date.min, value.replace(tzinfo=None)) - datetime.min
    if isinstance(value, str):
        value = _stripped(value, "length of time")
        if not value:
            return None
        match = _DURATION.fullmatch(value)
        if match is not None:
            return _duration(match)
    number = decimal(value)
    if number is None:
        return None
    try:
        return timedelta(seconds=int(number), microseconds=int(number % 1 * 1_000_000))
    except OverflowError:
        raise ValueError("is too long a time") from None


def _duration(match: re.Match[str]) -> timedelta:
    seconds = Decimal(match["seconds"] or 0)
    try:
        clock = timedelta(
            hours=int(match["hours"]),
            minutes=int(match["minutes"]),
            microseconds=int(seconds * 1_000_000),
        )
        return timedelta(days=int(match["days"] or 0)) + (-clock if match["minus"] else clock)
    except OverflowError:
        raise ValueError("is too long a time") from None


# ── Numbers ──────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(
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
        return Decimal(_digits(value))
    if isinstance(value, float):
        return _bounded(Decimal(repr(float(value))))
    if isinstance(value, Decimal):
        return _bounded(value)
    raise ValueError(f"is of type {type(value).__name__}, not a number")


def _decimal_from_text(value: str) -> Decimal | None:
    value = _stripped(value, "number")
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
    if match is None or signs > 1 or not any(character.isdigit() for character in value[:2]):
        if value.count(",") == 1 and value.replace(",", "").isdigit():
            raise ValueError("has a comma that is neither a decimal point nor groups thousands")
        raise ValueError("is not a number")
    number = _bounded(Decimal(value.replace(",", "")))
    # Not -number, which rounds to 28 digits.
    return number.copy_negate() if minus and number else number


def _bounded(number: Decimal) -> Decimal:
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
    value = _stripped(value, "number")
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
    value = _stripped(value, "boolean").lower()
    if not value:
        return None
    found = BOOLEANS.get(value)
    if found is None:
        raise ValueError("is neither true nor false")
    return found


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def json(value: Any) -> Any:
    """What jsonb can hold: an object, a list or a scalar.

    Text that is itself a JSON object or list is read as one; any other text stays text.
    Raises TooDeep.
    """
    return json_noting(value, set())


def json_noting(value: Any, changes: set[str]) -> Any:
    """As `json`; adds what had to be changed to `changes`."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        value = text(value)
        if value is None:
            return None
    if isinstance(value, str):
        value = _sanitise_text(value, changes)
        inner = value.strip()
        if not inner:
            return None
        if not (inner[0] in "{[" and inner[-1] in "]}"):
            return value
        try:
            value = jsonlib.loads(inner)
        except RecursionError:
            raise TooDeep from None
        except ValueError:
            return value
    return _sanitise_nested(value, changes, 1)


def id_list(value: Any) -> list[str] | None:
    """A `;`-separated list, or a list, as a list of texts without gaps; None if it is empty."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _sanitise_text(value, set()).strip()
        if value.startswith("["):
            try:
                value = jsonlib.loads(value)
            except (ValueError, RecursionError):
                raise ValueError("is not a list") from None
        else:
            return [item.strip() for item in value.split(";") if item.strip()] or None
    if isinstance(value, Mapping):
        raise ValueError("is an object, not a list")
    if not isinstance(value, list | tuple | set | frozenset):
        value = (value,)
    items = [item.strip() for item in map(text, value) if item is not None]
    return items or None
